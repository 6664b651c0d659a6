import { assert } from "../kernel/index.ts";
import { Account, type Admitted, PoolEntry } from "./pool-entry.ts";

/** What one source has in the pool. */
export type Usage = { readonly count: number; readonly sizeBytes: number };

const NO_USAGE: Usage = { count: 0, sizeBytes: 0 };

/**
 * Every admitted transaction that has not ended, by id, by sender, by the height it expires at; with what they add up to
 * for each payer and source. Its tables hold nothing but what the live transactions need, so bounding those bounds all.
 */
export class Pool {
  readonly #byId = new Map<string, PoolEntry>();
  readonly #accounts = new Map<string, Account>();
  readonly #reserved = new Map<string, bigint>();
  readonly #usage = new Map<string, { count: number; sizeBytes: number }>();
  readonly #byExpiry = new Map<number, Set<PoolEntry>>();
  #sizeBytes = 0;
  #foreignCount = 0;
  #foreignSizeBytes = 0;

  /** Live transactions. */
  get count(): number {
    return this.#byId.size;
  }

  /** Bytes of COSE of the live transactions. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Live transactions that were submitted here: what came in others' batches alone has room of its own. */
  get ownUse(): Usage {
    return { count: this.count - this.#foreignCount, sizeBytes: this.#sizeBytes - this.#foreignSizeBytes };
  }

  /** Senders with live transactions. */
  get accountCount(): number {
    return this.#accounts.size;
  }

  /** A live transaction by id in hexadecimal. */
  find(id: string): PoolEntry | undefined {
    return this.#byId.get(id);
  }

  /** A sender with live transactions, by key in hexadecimal. */
  findAccount(hex: string): Account | undefined {
    return this.#accounts.get(hex);
  }

  /** Live transactions in order of admission. */
  entries(): IterableIterator<PoolEntry> {
    return this.#byId.values();
  }

  /** Base units that the live transactions may take from an account, its own and those it sponsors. */
  reservedOf(payer: string): bigint {
    return this.#reserved.get(payer) ?? 0n;
  }

  /** What a source has in the pool. */
  usageOf(source: string): Usage {
    return this.#usage.get(source) ?? NO_USAGE;
  }

  /**
   * Adds a transaction.
   *
   * @param sender key of its sender in hexadecimal, with the next nonce on the finalized state for when it is new here
   */
  add(admitted: Admitted, sender: { readonly hex: string; readonly nextNonce: bigint }): PoolEntry {
    assert(!this.#byId.has(admitted.id), "a transaction is in the pool once");
    let account = this.#accounts.get(sender.hex);
    if (account === undefined) {
      account = new Account(sender.hex, sender.nextNonce);
      this.#accounts.set(sender.hex, account);
    }
    const entry = new PoolEntry(admitted, account);
    account.insert(entry);
    this.#byId.set(entry.id, entry);
    this.#reserved.set(entry.payer, this.reservedOf(entry.payer) + entry.cost);
    this.#sizeBytes += entry.encoded.length;
    this.#count(entry, 1);
    const expiring = this.#byExpiry.get(entry.validUntil);
    if (expiring === undefined) this.#byExpiry.set(entry.validUntil, new Set([entry]));
    else expiring.add(entry);
    return entry;
  }

  /** Notes that a transaction that came in another's batch was submitted here too. */
  adopt(entry: PoolEntry): void {
    if (!entry.isForeign) return;
    entry.author = undefined;
    this.#foreignCount--;
    this.#foreignSizeBytes -= entry.encoded.length;
  }

  /** Notes that a transaction of another's batch was not accepted here after all. */
  disown(entry: PoolEntry): void {
    assert(!entry.isForeign && entry.batch !== undefined, "what is disowned was submitted here and waits in a batch");
    entry.author = entry.batch.authorHex;
    this.#foreignCount++;
    this.#foreignSizeBytes += entry.encoded.length;
  }

  /** Takes out a transaction that ended or was refused after all. */
  remove(entry: PoolEntry): void {
    assert(this.#byId.get(entry.id) === entry, "a transaction that leaves the pool is in it");
    entry.place = "gone";
    this.#byId.delete(entry.id);
    entry.account.remove(entry);
    if (entry.account.entries.length === 0) this.#accounts.delete(entry.account.hex);
    const reserved = this.reservedOf(entry.payer) - entry.cost;
    assert(reserved >= 0n, "what is reserved covers every live transaction");
    if (reserved === 0n) this.#reserved.delete(entry.payer);
    else this.#reserved.set(entry.payer, reserved);
    this.#sizeBytes -= entry.encoded.length;
    this.#count(entry, -1);
    const expiring = this.#byExpiry.get(entry.validUntil);
    expiring?.delete(entry);
    if (expiring?.size === 0) this.#byExpiry.delete(entry.validUntil);
  }

  /** Live transactions whose last height is this one. */
  expiringAt(height: number): readonly PoolEntry[] {
    return [...(this.#byExpiry.get(height) ?? [])];
  }

  #count(entry: PoolEntry, direction: 1 | -1): void {
    if (entry.isForeign) {
      this.#foreignCount += direction;
      this.#foreignSizeBytes += direction * entry.encoded.length;
    }
    if (entry.source === "") return;
    let usage = this.#usage.get(entry.source);
    if (usage === undefined) {
      usage = { count: 0, sizeBytes: 0 };
      this.#usage.set(entry.source, usage);
    }
    usage.count += direction;
    usage.sizeBytes += direction * entry.encoded.length;
    if (usage.count === 0) this.#usage.delete(entry.source);
  }
}
