import { sha256 } from "../crypto/index.ts";
import type { Effect } from "../ledger/index.ts";
import type { ReceiptCode, Transaction } from "../protocol/index.ts";

/**
 * The effects that follow from a transaction, its result and who paid: they need not be stored. Whoever stores an
 * execution compares them with the real ones and keeps the digest of those that differ.
 */
export function deriveEffects(transaction: Transaction, code: ReceiptCode, payer: Uint8Array): readonly Effect[] {
  const paid: Effect = { kind: "feePaid", payer, amount: transaction.fee };
  if (code !== "applied") return [paid];
  const { sender, body } = transaction;
  switch (body.type) {
    case 1:
      return [paid, { kind: "moved", from: sender, to: body.to, amount: body.amount }];
    case 2: {
      const digest = "digest" in body.content ? body.content.digest : sha256(body.content.data);
      return [paid, { kind: "anchored", sender, stream: body.stream, digest }];
    }
    case 3:
      return [paid, { kind: "deviceRegistered", device: body.device, owner: sender }];
    case 4:
      return [paid, { kind: "deviceRevoked", device: body.device, owner: sender }];
    case 5:
      return [paid, { kind: "validatorRegistered", validator: body.publicKey, owner: sender }];
    case 6:
      return [paid, { kind: "validatorUpdated", validator: body.validator, owner: sender }];
    case 7:
      return [paid, { kind: "validatorExiting", validator: body.validator, owner: sender }];
    case 8:
      return [paid, { kind: "staked", staker: sender, validator: body.validator, amount: body.amount }];
    case 9:
      return [paid, { kind: "unstaked", staker: sender, validator: body.validator, amount: body.amount }];
    case 10:
      return [paid, { kind: "withdrawn", staker: sender, validator: body.validator, amount: body.amount }];
    case 11: {
      const { validator, newKey, term, effectiveEpoch } = body;
      return [paid, { kind: "keyRotating", validator, newKey, term, effectiveEpoch }];
    }
    case 13: {
      const { key: name, value, activationEpoch } = body;
      return [paid, { kind: "parameterProposed", proposal: transaction.id, name, value, activationEpoch }];
    }
    case 14:
      return [paid, { kind: "parameterVoted", proposal: body.proposal, voter: sender, isApproval: body.isApproval }];
    default:
      return [paid];
  }
}
