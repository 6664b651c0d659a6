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
    default:
      return [paid];
  }
}
