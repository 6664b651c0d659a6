import type { Clock, Timers } from "../../../src/kernel/index.ts";
import type { AggregatorStore, EnrolledNode, NodeRef } from "../types.ts";
import { type NodeWord, wordOf } from "./word.ts";

/** A node with what it last said. */
export type FleetEntry = { readonly node: EnrolledNode; readonly word: NodeWord | undefined };

/** The fleet at one moment. */
export type FleetSnapshot = {
  /** The aggregator's clock when it was read. */
  readonly atMs: number;
  readonly entries: readonly FleetEntry[];
  /** The best height that any node of a network said it has. */
  readonly bestHeights: ReadonlyMap<string, number>;
};

/** What a directory reads from. */
export type DirectoryParts = {
  readonly store: Pick<AggregatorStore, "listNodes" | "latestHeartbeats" | "findNode">;
  readonly clock: Clock;
  readonly timers: Timers;
};

/** A snapshot serves everybody for this long; ages go on within it, since they are counted from when a word came. */
const FRESH_MS = 1_000;
/** Nodes that are read without letting others have a turn. */
const PAGE = 500;

/**
 * All nodes with their last words, read when somebody asks and then kept for a second. A word is decoded once.
 */
export class FleetDirectory {
  readonly #parts: DirectoryParts;
  #words = new Map<string, NodeWord>();
  #reading: Promise<FleetSnapshot> | undefined;
  #snapshot: { readonly value: FleetSnapshot; readonly atMonotonicMs: number } | undefined;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** The fleet as it is, at most a second old. Rejects with `StoreUnavailable`. */
  async snapshot(): Promise<FleetSnapshot> {
    const { clock } = this.#parts;
    if (this.#snapshot && clock.monotonicMs() - this.#snapshot.atMonotonicMs < FRESH_MS) return this.#snapshot.value;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** One node as it is now; undefined when there is none of that name. */
  async find(ref: NodeRef): Promise<FleetEntry | undefined> {
    const { store } = this.#parts;
    const node = await store.findNode(ref);
    if (!node) return undefined;
    const [heartbeat] = await store.latestHeartbeats([ref]);
    return { node, word: heartbeat && wordOf(heartbeat) };
  }

  /** Forgets the snapshot, after something was changed. */
  refresh(): void {
    this.#snapshot = undefined;
  }

  async #read(): Promise<FleetSnapshot> {
    const { store, clock, timers } = this.#parts;
    const entries: FleetEntry[] = [];
    const bestHeights = new Map<string, number>();
    const words = new Map<string, NodeWord>();
    let after: NodeRef | undefined;
    for (;;) {
      const nodes = await store.listNodes(after, PAGE);
      const heartbeats = new Map((await store.latestHeartbeats(nodes)).map((heartbeat) => [keyOf(heartbeat), heartbeat]));
      for (const node of nodes) {
        const key = keyOf(node);
        const heartbeat = heartbeats.get(key);
        const known = this.#words.get(key);
        const word = known && known.receivedAtMs === heartbeat?.receivedAtMs ? known : heartbeat && wordOf(heartbeat);
        if (word) {
          words.set(key, word);
          bestHeights.set(node.network, Math.max(bestHeights.get(node.network) ?? 0, word.height));
        }
        entries.push({ node, word });
      }
      after = nodes.at(-1);
      if (nodes.length < PAGE) break;
      await new Promise<void>((resolve) => void timers.after(0, resolve));
    }
    this.#words = words;
    const value = { atMs: clock.nowMs(), entries, bestHeights };
    this.#snapshot = { value, atMonotonicMs: clock.monotonicMs() };
    return value;
  }
}

function keyOf({ network, node }: NodeRef): string {
  return `${network}/${node}`;
}
