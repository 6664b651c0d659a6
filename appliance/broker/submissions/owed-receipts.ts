import { assert, bytesEqual, toHex } from "../../../src/kernel/index.ts";
import type { ReceiptForm } from "./receipts.ts";

/** Where a receipt goes, and what goes with it. */
export type ReceiptAddress = {
  readonly topic: string;
  readonly form: ReceiptForm;
  readonly correlationData?: Uint8Array;
  /** Place of the transaction in its submission, when that held several. */
  readonly position?: number;
};

/** Addresses for one transaction: more than that hand it in again and again under other correlation data; the oldest goes. */
const ADDRESSES_MAX = 8;

/**
 * Who is owed the last receipt of which transaction. In memory: after a restart nobody is owed anything, and a device asks
 * again by handing the same transaction in again. Bounded by who adds, who asks `hasRoom` before it submits.
 */
export class OwedReceipts {
  readonly #countMax: number;
  readonly #byId = new Map<string, ReceiptAddress[]>();
  #reserved = 0;

  constructor(countMax: number) {
    assert(countMax > 0, "at least one receipt can be owed");
    this.#countMax = countMax;
  }

  /** Transactions whose last receipt is owed. */
  get count(): number {
    return this.#byId.size;
  }

  /** Sets room aside for so many transactions that are being submitted; false when there is none. */
  reserve(count: number): boolean {
    if (this.#byId.size + this.#reserved + count > this.#countMax) return false;
    this.#reserved += count;
    return true;
  }

  /** Gives back what `reserve` set aside. */
  release(count: number): void {
    this.#reserved -= count;
    assert(this.#reserved >= 0, "no more room is given back than was set aside");
  }

  /** Owes a receipt; the same address is owed once. */
  add(id: Uint8Array, address: ReceiptAddress): void {
    const key = toHex(id);
    const addresses = this.#byId.get(key);
    if (!addresses) {
      this.#byId.set(key, [address]);
      return;
    }
    if (addresses.some((known) => isSame(known, address))) return;
    if (addresses.length >= ADDRESSES_MAX) addresses.shift();
    addresses.push(address);
  }

  /** Takes the addresses of a transaction that ended. */
  take(id: Uint8Array): readonly ReceiptAddress[] {
    const key = toHex(id);
    const addresses = this.#byId.get(key) ?? [];
    this.#byId.delete(key);
    return addresses;
  }
}

function isSame(a: ReceiptAddress, b: ReceiptAddress): boolean {
  const [mine, other] = [a.correlationData, b.correlationData];
  const isSameCorrelation = mine === undefined || other === undefined ? mine === other : bytesEqual(mine, other);
  return a.topic === b.topic && a.form === b.form && a.position === b.position && isSameCorrelation;
}
