import type { Ending, ItemOutcome, SubmissionGroup, TransactionDesk } from "../../../appliance/broker/index.ts";
import type { GatewayPorts, SubmissionOutcome } from "../../gateway/index.ts";
import { assert, type Clock, type Timers, toHex } from "../../kernel/index.ts";
import { encodeProofBundle } from "../../protocol/index.ts";

/** What the desk is made from. */
export type DeskParts = {
  readonly submission: GatewayPorts["submission"];
  readonly transactions: GatewayPorts["transactions"];
  /** Whether a transaction is accepted and has not ended: a question of memory. */
  readonly isPending: (id: Uint8Array) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
};

/** Hears what a device handed in, and whether it was accepted. */
export type SubmissionListener = (device: string, isAccepted: boolean) => void;

/** What stands before a device's name in the source of its submissions. */
const SOURCE_MARK = "mqtt/";

/** How long endings may be looked up and proven in one go: agreement runs on the same thread. */
const SLICE_MS = 3;
/** Time that agreement and everything else have between two slices. */
const PAUSE_MS = 1;

/**
 * The node's side of transactions over MQTT: submits to the mempool by the port that HTTP uses, remembers what was
 * submitted, and tells how each ended, with its proof. Looking up and proving is done in slices.
 */
export class NodeDesk implements TransactionDesk {
  readonly #parts: DeskParts;
  readonly #watched = new Set<string>();
  readonly #listeners = new Set<(endings: readonly Ending[]) => void>();
  readonly #submissionListeners = new Set<SubmissionListener>();
  readonly #unsubscribe: () => void;
  #ended: Uint8Array[] = [];
  #isTelling = false;
  #isStopped = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.transactions.subscribeSettled((ids) => this.#onSettled(ids));
  }

  /** Transactions whose ending is to be told. */
  get watchedCount(): number {
    return this.#watched.size + this.#ended.length;
  }

  async submit(groups: readonly SubmissionGroup[]): Promise<readonly (readonly ItemOutcome[])[]> {
    const { submission } = this.#parts;
    const answers = await Promise.all(groups.map(({ items, source }) => submission.submit(items, { source })));
    return answers.map(({ outcomes }, place) => {
      for (const outcome of outcomes) this.#watch(outcome);
      this.#tellSubmissions(groups[place]?.source ?? "", outcomes);
      return outcomes;
    });
  }

  /** Tells what devices hand in; the function ends it. */
  subscribeSubmissions(listener: SubmissionListener): () => void {
    this.#submissionListeners.add(listener);
    return () => void this.#submissionListeners.delete(listener);
  }

  subscribeEndings(listener: (endings: readonly Ending[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#watched.clear();
    this.#ended = [];
  }

  #tellSubmissions(source: string, outcomes: readonly SubmissionOutcome[]): void {
    if (!source.startsWith(SOURCE_MARK)) return;
    const device = source.slice(SOURCE_MARK.length);
    for (const listener of this.#submissionListeners) for (const { status } of outcomes) listener(device, status === "accepted");
  }

  /** Remembered first and looked up after, so that an ending in between is not missed. */
  #watch(outcome: SubmissionOutcome): void {
    if (this.#isStopped || !outcome.id || (outcome.status === "rejected" && outcome.code !== "duplicate")) return;
    const key = toHex(outcome.id);
    this.#watched.add(key);
    if (this.#parts.isPending(outcome.id) || !this.#watched.delete(key)) return;
    this.#ended.push(outcome.id);
    this.#tellSoon();
  }

  #onSettled(ids: readonly Uint8Array[]): void {
    if (this.#watched.size === 0) return;
    for (const id of ids) if (this.#watched.delete(toHex(id))) this.#ended.push(id);
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#isTelling || this.#ended.length === 0) return;
    this.#isTelling = true;
    this.#parts.timers.after(PAUSE_MS, () => void this.#tellSlice());
  }

  async #tellSlice(): Promise<void> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const endings: Ending[] = [];
    let done = 0;
    while (done < this.#ended.length && clock.monotonicMs() - startedMs < SLICE_MS) {
      const id = this.#ended[done];
      done += 1;
      const ending = id && (await this.#endingOf(id));
      if (ending) endings.push(ending);
    }
    this.#ended.splice(0, done);
    assert(this.#isTelling, "one slice at a time");
    this.#isTelling = false;
    if (this.#isStopped) return;
    if (endings.length > 0) for (const listener of this.#listeners) listener(endings);
    this.#tellSoon();
  }

  /** How it ended; undefined when it has not, which can only be said of one that is pending again. */
  async #endingOf(id: Uint8Array): Promise<Ending | undefined> {
    const { transactions } = this.#parts;
    const found = await transactions.find(id);
    if (found.status === "expired" || found.status === "superseded") return { id, status: found.status };
    if (found.status !== "final") return undefined;
    const { height, index, code } = found.receipt;
    const bundle = await transactions.findProof(id);
    return { id, status: "final", height, index, code, ...(bundle ? { proof: encodeProofBundle(bundle) } : {}) };
  }
}
