import type { DeviceEntry, Transaction } from "../protocol/index.ts";
import type { LedgerView } from "./view.ts";

/** Milliseconds of header time that a device's quota counts over. */
const QUOTA_HOUR_MS = 3_600_000;

/** The hour of a header time: whole hours since the Unix epoch. */
export function quotaHourOf(timeMs: number): number {
  return Math.floor(timeMs / QUOTA_HOUR_MS);
}

/** Who pays a transaction's fee: its sender, or the owner of the sending device, who sponsors its anchors. */
export type Payer = { readonly publicKey: Uint8Array; readonly device?: DeviceEntry };

/**
 * Who pays this transaction's fee on this state. Only anchors are sponsored; any other type from a device's key is an
 * ordinary transaction that the key pays itself.
 */
export function payerOf(view: Pick<LedgerView, "findDevice">, transaction: Transaction): Payer {
  if (transaction.body.type !== 2) return { publicKey: transaction.sender };
  const device = view.findDevice(transaction.sender);
  return device === undefined ? { publicKey: transaction.sender } : { publicKey: device.owner, device };
}

/** Use of a quota: transactions and bytes of their COSE encodings. */
export type QuotaUse = { readonly transactions: bigint; readonly bytes: bigint };

/** What a device has used of its quota in this hour: nothing once the hour it last counted for is over. */
export function quotaUseOf(device: DeviceEntry, hour: number): QuotaUse {
  if (device.hour !== hour) return { transactions: 0n, bytes: 0n };
  return { transactions: device.usedTransactions, bytes: device.usedBytes };
}

/** The use after one more transaction of this size, or undefined when the quota does not allow it. */
export function findUseAfter(device: DeviceEntry, use: QuotaUse, sizeBytes: number): QuotaUse | undefined {
  const after = { transactions: use.transactions + 1n, bytes: use.bytes + BigInt(sizeBytes) };
  if (after.transactions > device.transactionsPerHour || after.bytes > device.bytesPerHour) return undefined;
  return after;
}
