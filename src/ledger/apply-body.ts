import { sha256 } from "../crypto/index.ts";
import { bytesEqual } from "../kernel/index.ts";
import {
  type AnchorBody,
  type DeviceRegisterBody,
  type DeviceRevokeBody,
  deviceProofBytes,
  type ReceiptCode,
  type Transaction,
  type TransferBody,
} from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import { convict, judgeEvidence } from "./conviction.ts";
import type { Effect } from "./effects.ts";
import { applyParameterPropose, applyParameterVote } from "./governance.ts";
import { quotaHourOf } from "./sponsorship.ts";
import { applyStaking } from "./staking.ts";
import { applyKeyRotate, applyValidatorExit, applyValidatorRegister, applyValidatorUpdate } from "./validators.ts";
import type { WorkingSet } from "./working-set.ts";

/**
 * Does what a transaction asks for, its fee paid and its nonce used. Either everything is done, its effects are appended
 * and the code is `applied`, or nothing is and the code says why.
 */
export function applyBody(working: WorkingSet, context: ExecutionContext, transaction: Transaction, effects: Effect[]): ReceiptCode {
  const { sender, body } = transaction;
  switch (body.type) {
    case 1:
      return applyTransfer(working, sender, body, effects);
    case 2:
      effects.push({ kind: "anchored", sender, stream: body.stream, digest: digestOf(body) });
      return "applied";
    case 3:
      return applyDeviceRegister(working, context, sender, body, effects);
    case 4:
      return applyDeviceRevoke(working, sender, body, effects);
    case 5:
      return applyValidatorRegister(working, context, sender, body, effects);
    case 6:
      return applyValidatorUpdate(working, sender, body, effects);
    case 7:
      return applyValidatorExit(working, sender, body, effects);
    case 8:
    case 9:
    case 10:
      return applyStaking(working, context, sender, body, effects);
    case 11:
      return applyKeyRotate(working, context, sender, body, effects);
    case 12:
      return applyEvidence(working, context, body.evidence, effects);
    case 13:
      return applyParameterPropose(working, context, sender, transaction.id, body, effects);
    case 14:
      return applyParameterVote(working, context, sender, body, effects);
  }
}

/** Anyone may accuse; who pays the usual fee may also be wrong. */
function applyEvidence(working: WorkingSet, context: ExecutionContext, evidence: Uint8Array, effects: Effect[]): ReceiptCode {
  const accusation = judgeEvidence(working, context, evidence);
  if (!accusation.ok) return accusation.error === "alreadyConvicted" ? "alreadyConvicted" : "invalidEvidence";
  effects.push(convict(working, context, accusation.value));
  return "applied";
}

/** A transfer of nothing changes nothing, so it brings no account into being either. */
function applyTransfer(working: WorkingSet, from: Uint8Array, body: TransferBody, effects: Effect[]): ReceiptCode {
  const { to, amount } = body;
  const source = working.account(from);
  if (source.balance < amount) return "insufficientFunds";
  if (amount > 0n) {
    working.debit(source, amount);
    working.credit(working.account(to), amount);
  }
  effects.push({ kind: "moved", from, to, amount });
  return "applied";
}

/** The device's own account is made when it is not there, since that holds the nonce of what it sends. */
function applyDeviceRegister(
  working: WorkingSet,
  context: ExecutionContext,
  owner: Uint8Array,
  body: DeviceRegisterBody,
  effects: Effect[],
): ReceiptCode {
  const { device, label, transactionsPerHour, bytesPerHour, proof } = body;
  if (working.findDevice(device) !== undefined) return "alreadyRegistered";
  if (!context.verifySignature(device, deviceProofBytes(context.chainId, device, owner), proof)) return "badProof";
  const use = { hour: quotaHourOf(context.timeMs), usedTransactions: 0n, usedBytes: 0n };
  working.setDevice(device, { kind: "device", owner, label, transactionsPerHour, bytesPerHour, ...use });
  working.ensurePresent(working.account(device));
  effects.push({ kind: "deviceRegistered", device, owner });
  return "applied";
}

/** The device keeps its account: the nonces it has used stay used. */
function applyDeviceRevoke(working: WorkingSet, owner: Uint8Array, body: DeviceRevokeBody, effects: Effect[]): ReceiptCode {
  const entry = working.findDevice(body.device);
  if (entry === undefined) return "notRegistered";
  if (!bytesEqual(entry.owner, owner)) return "notAuthorized";
  working.setDevice(body.device, undefined);
  effects.push({ kind: "deviceRevoked", device: body.device, owner });
  return "applied";
}

function digestOf(body: AnchorBody): Uint8Array {
  return "digest" in body.content ? body.content.digest : sha256(body.content.data);
}
