import type { JournalRecord, RecoveryStatus, Round } from "../consensus/index.ts";
import { CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import {
  decodeBlock,
  encodeBlock,
  encodeCertificate,
  encodeProposal,
  isVoteKind,
  LIMITS,
  readCertificate,
  readProposal,
  VOTE_KIND,
  type VoteStatement,
} from "../protocol/index.ts";

/** A record of the journal's file: what consensus journals, or the key whose votes these are, which opens every journal. */
export type StoredRecord = JournalRecord | { readonly kind: "identity"; readonly publicKey: Uint8Array };

const TAGS = { identity: 0, vote: 1, certificate: 2, proposal: 3, floor: 4, recovery: 5 } as const;
const STATUS = { intact: 0, recovering: 1, gated: 2 } as const;

/** Canonical CBOR: array [tag, ...fields of the kind]. */
export function encodeRecord(record: StoredRecord): Uint8Array {
  switch (record.kind) {
    case "identity":
      return new CborWriter(64).array(2).uint(TAGS.identity).bytes(record.publicKey).finish();
    case "vote":
      return encodeStatement(record.statement);
    case "certificate": {
      const { certificate } = record;
      return new CborWriter(256).array(2).uint(TAGS.certificate).raw(encodeCertificate(certificate)).finish();
    }
    case "proposal": {
      const w = new CborWriter(1024).array(3).uint(TAGS.proposal).raw(encodeProposal(record.proposal));
      return w.bytes(encodeBlock(record.block)).finish();
    }
    case "floor":
      return new CborWriter(32).array(3).uint(TAGS.floor).uint(record.round.epoch).uint(record.round.view).finish();
    case "recovery":
      return encodeStatus(record.status);
  }
}

/** Reads what `encodeRecord` writes. */
export function decodeRecord(bytes: Uint8Array): Result<StoredRecord, "malformed"> {
  const r = new CborReader(bytes);
  const fields = r.array(5);
  const record = readRecord(r, fields);
  return record && r.isComplete ? ok(record) : err("malformed");
}

/** The round a record belongs to; undefined for the ones that concern the journal as a whole. */
export function roundOf(record: StoredRecord): Round | undefined {
  switch (record.kind) {
    case "vote":
      return record.statement;
    case "certificate":
      return record.certificate;
    case "proposal":
      return record.proposal;
    case "identity":
    case "floor":
    case "recovery":
      return undefined;
  }
}

function encodeStatement(statement: VoteStatement): Uint8Array {
  const w = new CborWriter(64).array(statement.proposalId ? 5 : 4).uint(TAGS.vote);
  w.uint(statement.kind).uint(statement.epoch).uint(statement.view);
  if (statement.proposalId) w.bytes(statement.proposalId);
  return w.finish();
}

function encodeStatus(status: RecoveryStatus): Uint8Array {
  const w = new CborWriter(32)
    .array(status.kind === "gated" ? 4 : 2)
    .uint(TAGS.recovery)
    .uint(STATUS[status.kind]);
  if (status.kind === "gated") w.uint(status.epoch).uint(status.firstView);
  return w.finish();
}

function readRecord(r: CborReader, fields: number): StoredRecord | undefined {
  switch (r.uint(TAGS.recovery)) {
    case TAGS.identity:
      return fields === 2 ? { kind: "identity", publicKey: r.bytes(32) } : undefined;
    case TAGS.vote:
      return readStatement(r, fields);
    case TAGS.certificate:
      return fields === 2 ? { kind: "certificate", certificate: readCertificate(r) } : undefined;
    case TAGS.proposal: {
      const proposal = readProposal(r);
      const block = decodeBlock(r.bytes(1, LIMITS.blockBytesMax));
      return fields === 3 && block.ok ? { kind: "proposal", proposal, block: block.value } : undefined;
    }
    case TAGS.floor:
      return fields === 3 ? { kind: "floor", round: { epoch: r.uint(), view: r.uint() } } : undefined;
    default:
      return readStatus(r, fields);
  }
}

function readStatement(r: CborReader, fields: number): StoredRecord | undefined {
  const kind = r.uint(3);
  const round = { epoch: r.uint(), view: r.uint() };
  if (!isVoteKind(kind) || round.view < 1 || fields !== (kind === VOTE_KIND.nullify ? 4 : 5)) return undefined;
  const statement = kind === VOTE_KIND.nullify ? { kind, ...round } : { kind, ...round, proposalId: r.bytes(32) };
  return { kind: "vote", statement };
}

function readStatus(r: CborReader, fields: number): StoredRecord | undefined {
  const status = r.uint(STATUS.gated);
  if (fields !== (status === STATUS.gated ? 4 : 2)) return undefined;
  if (status === STATUS.gated) return { kind: "recovery", status: { kind: "gated", epoch: r.uint(), firstView: r.uint() } };
  return { kind: "recovery", status: { kind: status === STATUS.recovering ? "recovering" : "intact" } };
}
