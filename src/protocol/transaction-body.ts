import type { CborReader, CborWriter } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** Type numbers of transactions. */
export const TRANSACTION_TYPE = {
  transfer: 1,
  anchor: 2,
  deviceRegister: 3,
  deviceRevoke: 4,
  validatorRegister: 5,
  validatorUpdate: 6,
  validatorExit: 7,
  stake: 8,
  unstake: 9,
  withdraw: 10,
  keyRotate: 11,
  evidence: 12,
  parameterPropose: 13,
  parameterVote: 14,
} as const;

/** Moves `amount` base units to `to` (32-byte key). */
export type TransferBody = { readonly type: 1; readonly to: Uint8Array; readonly amount: bigint; readonly memo?: Uint8Array };
/** Records readings of a stream: a 32-byte digest of them, or up to 4,096 bytes themselves. `period` in ms since the Unix epoch. */
export type AnchorBody = {
  readonly type: 2;
  readonly stream: string;
  readonly content: { readonly digest: Uint8Array } | { readonly data: Uint8Array };
  readonly count?: bigint;
  readonly period?: { readonly fromMs: bigint; readonly toMs: bigint };
};
/** Sponsors a device's anchors: quotas per hour of header time; `proof` is the device key's signature (proof of possession). */
export type DeviceRegisterBody = {
  readonly type: 3;
  readonly device: Uint8Array;
  readonly label: string;
  readonly transactionsPerHour: bigint;
  readonly bytesPerHour: bigint;
  readonly proof: Uint8Array;
};
/** Ends the sponsorship of a device. */
export type DeviceRevokeBody = { readonly type: 4; readonly device: Uint8Array };
/** Makes a validator owned by the sender. Commission in 1/10,000. */
export type ValidatorRegisterBody = {
  readonly type: 5;
  readonly publicKey: Uint8Array;
  readonly proof: Uint8Array;
  readonly commission: number;
  readonly endpoint: string;
  readonly metadata: string;
};
/** Changes what is given of a validator's public description. */
export type ValidatorUpdateBody = {
  readonly type: 6;
  readonly validator: Uint8Array;
  readonly commission?: number;
  readonly endpoint?: string;
  readonly metadata?: string;
};
/** Asks a validator to leave the set at an epoch end. */
export type ValidatorExitBody = { readonly type: 7; readonly validator: Uint8Array };
/** Bonds (8), starts to unbond (9) or takes back (10) an amount; for the latter two 2^64 - 1 means all there is. */
export type StakeBody = { readonly type: 8 | 9 | 10; readonly validator: Uint8Array; readonly amount: bigint };
/** Replaces a validator's signing key from an epoch on; `term` is the key's number, one above the old one's. */
export type KeyRotateBody = {
  readonly type: 11;
  readonly validator: Uint8Array;
  readonly newKey: Uint8Array;
  readonly proof: Uint8Array;
  readonly term: number;
  readonly effectiveEpoch: number;
};
/** Encoded evidence of a fault. */
export type EvidenceBody = { readonly type: 12; readonly evidence: Uint8Array };
/** Proposes a parameter's value from an epoch on. */
export type ParameterProposeBody = { readonly type: 13; readonly key: string; readonly value: bigint; readonly activationEpoch: number };
/** Votes on a proposed parameter, named by its transaction id. */
export type ParameterVoteBody = { readonly type: 14; readonly proposal: Uint8Array; readonly isApproval: boolean };

/** What a transaction does, by type. */
export type TransactionBody =
  | TransferBody
  | AnchorBody
  | DeviceRegisterBody
  | DeviceRevokeBody
  | ValidatorRegisterBody
  | ValidatorUpdateBody
  | ValidatorExitBody
  | StakeBody
  | KeyRotateBody
  | EvidenceBody
  | ParameterProposeBody
  | ParameterVoteBody;

/** Writes the body's map: integer keys 1.. in the order of the type's fields, absent ones left out. */
export function writeBody(w: CborWriter, body: TransactionBody): void {
  switch (body.type) {
    case 1:
      w.map(body.memo ? 3 : 2)
        .uint(1)
        .bytes(body.to)
        .uint(2)
        .uint(body.amount);
      if (body.memo) w.uint(3).bytes(body.memo);
      return;
    case 2:
      writeAnchor(w, body);
      return;
    case 3:
      w.map(5).uint(1).bytes(body.device).uint(2).text(body.label).uint(3).uint(body.transactionsPerHour);
      w.uint(4).uint(body.bytesPerHour).uint(5).bytes(body.proof);
      return;
    case 4:
      w.map(1).uint(1).bytes(body.device);
      return;
    case 5:
      w.map(5).uint(1).bytes(body.publicKey).uint(2).bytes(body.proof).uint(3).uint(body.commission);
      w.uint(4).text(body.endpoint).uint(5).text(body.metadata);
      return;
    case 6:
      writeValidatorUpdate(w, body);
      return;
    case 7:
      w.map(1).uint(1).bytes(body.validator);
      return;
    case 8:
    case 9:
    case 10:
      w.map(2).uint(1).bytes(body.validator).uint(2).uint(body.amount);
      return;
    case 11:
      w.map(5).uint(1).bytes(body.validator).uint(2).bytes(body.newKey).uint(3).bytes(body.proof);
      w.uint(4).uint(body.term).uint(5).uint(body.effectiveEpoch);
      return;
    case 12:
      w.map(1).uint(1).bytes(body.evidence);
      return;
    case 13:
      w.map(3).uint(1).text(body.key).uint(2).uint(body.value).uint(3).uint(body.activationEpoch);
      return;
    case 14:
      w.map(2).uint(1).bytes(body.proposal).uint(2).bool(body.isApproval);
  }
}

function writeAnchor(w: CborWriter, body: AnchorBody): void {
  w.map(2 + Number(body.count !== undefined) + Number(body.period !== undefined))
    .uint(1)
    .text(body.stream);
  if ("digest" in body.content) w.uint(2).bytes(body.content.digest);
  else w.uint(3).bytes(body.content.data);
  if (body.count !== undefined) w.uint(4).uint(body.count);
  if (body.period) w.uint(5).array(2).uint(body.period.fromMs).uint(body.period.toMs);
}

function writeValidatorUpdate(w: CborWriter, body: ValidatorUpdateBody): void {
  const optional = [body.commission, body.endpoint, body.metadata].filter((field) => field !== undefined).length;
  w.map(1 + optional)
    .uint(1)
    .bytes(body.validator);
  if (body.commission !== undefined) w.uint(2).uint(body.commission);
  if (body.endpoint !== undefined) w.uint(3).text(body.endpoint);
  if (body.metadata !== undefined) w.uint(4).text(body.metadata);
}

/** Reads the body of a transaction of this type at the reader's place; anything outside the grammar breaks the reader. */
export function readBody(type: number, r: CborReader): TransactionBody {
  const pairs = r.map(5);
  const body = readFields(type, r);
  if (pairs !== pairCount(body)) r.reject();
  return body;
}

function readFields(type: number, r: CborReader): TransactionBody {
  const field = <T>(key: number, take: () => T): T => {
    r.key(key);
    return take();
  };
  const key32 = (): Uint8Array => r.bytes(32);
  switch (type) {
    case 1: {
      const body = { type: 1, to: field(1, key32), amount: field(2, () => r.uint64()) } as const;
      return r.optionalKey(3) ? { ...body, memo: r.bytes(0, LIMITS.memoBytesMax) } : body;
    }
    case 2:
      return readAnchor(r);
    case 3: {
      const device = field(1, key32);
      const label = field(2, () => r.text(0, LIMITS.labelBytesMax));
      const transactionsPerHour = field(3, () => r.uint64());
      return { type: 3, device, label, transactionsPerHour, bytesPerHour: field(4, () => r.uint64()), proof: field(5, () => r.bytes(64)) };
    }
    case 4:
      return { type: 4, device: field(1, key32) };
    case 5: {
      const body = {
        type: 5,
        publicKey: field(1, key32),
        proof: field(2, () => r.bytes(64)),
        commission: field(3, () => r.uint(10_000)),
      } as const;
      return {
        ...body,
        endpoint: field(4, () => r.text(0, LIMITS.endpointBytesMax)),
        metadata: field(5, () => r.text(0, LIMITS.metadataBytesMax)),
      };
    }
    case 6: {
      const validator = field(1, key32);
      const commission = r.optionalKey(2) ? { commission: r.uint(10_000) } : {};
      const endpoint = r.optionalKey(3) ? { endpoint: r.text(0, LIMITS.endpointBytesMax) } : {};
      return {
        type: 6,
        validator,
        ...commission,
        ...endpoint,
        ...(r.optionalKey(4) ? { metadata: r.text(0, LIMITS.metadataBytesMax) } : {}),
      };
    }
    case 7:
      return { type: 7, validator: field(1, key32) };
    case 8:
    case 9:
    case 10:
      return { type, validator: field(1, key32), amount: field(2, () => r.uint64()) };
    case 11: {
      const body = { type: 11, validator: field(1, key32), newKey: field(2, key32), proof: field(3, () => r.bytes(64)) } as const;
      return { ...body, term: field(4, () => r.uint()), effectiveEpoch: field(5, () => r.uint()) };
    }
    case 12:
      return { type: 12, evidence: field(1, () => r.bytes(1, LIMITS.evidenceBytesMax)) };
    case 13: {
      const body = { type: 13, key: field(1, () => r.text(1, LIMITS.parameterNameBytesMax)), value: field(2, () => r.uint64()) } as const;
      return { ...body, activationEpoch: field(3, () => r.uint()) };
    }
    case 14:
      return { type: 14, proposal: field(1, key32), isApproval: field(2, () => r.bool()) };
    default:
      r.reject();
      return { type: 4, device: new Uint8Array(32) };
  }
}

function readAnchor(r: CborReader): AnchorBody {
  r.key(1);
  const stream = r.text(1, LIMITS.streamBytesMax);
  let content: AnchorBody["content"];
  if (r.optionalKey(2)) content = { digest: r.bytes(32) };
  else {
    r.key(3);
    content = { data: r.bytes(1, LIMITS.anchorBytesMax) };
  }
  const count = r.optionalKey(4) ? { count: r.uint64() } : {};
  if (!r.optionalKey(5)) return { type: 2, stream, content, ...count };
  if (r.array(2) !== 2) r.reject();
  const period = { fromMs: r.uint64(), toMs: r.uint64() };
  if (period.toMs < period.fromMs) r.reject();
  return { type: 2, stream, content, ...count, period };
}

/** Pairs in the map of a body that was read: its fields besides `type`. */
function pairCount(body: TransactionBody): number {
  return Object.keys(body).length - 1;
}
