import type { Clock } from "../../../src/kernel/index.ts";
import type { ObjectStore } from "../../../src/storage/index.ts";
import { FleetProblem } from "../fleet/problem.ts";
import { objectBytes } from "../quota.ts";
import type { AggregatorStore } from "../types.ts";
import type { ObjectCaller } from "./callers.ts";

/** What counting objects stands on. */
export type ObjectQuotaParts = {
  readonly objects: ObjectStore;
  readonly store: Pick<AggregatorStore, "findNode" | "countObject" | "findObjectCount" | "beginRecount" | "finishRecount">;
  readonly clock: Clock;
  /** What a node's objects may take where no administrator set others, bytes. */
  readonly bytesMax: number;
  /** Whether objects are taken at all; false while their disk is low. */
  readonly hasRoom: () => boolean;
};

/** When what lies below a prefix is counted anew, ms: once a day, and where the count is at its limit. */
const RECOUNT = { everyMs: 86_400_000, atLimitMs: 600_000 } as const;
/** Names in one reading. */
const PAGE = 1_000;

/**
 * Bounds the objects of each node. The count in the store goes up before an object is written, in one step that no other
 * aggregator can pass by; it comes down when what really lies there is counted, so an object that is replaced, removed or
 * never arrived counts until then. Objects on their way while others are counted may go beyond: 128 MiB for each aggregator.
 */
export class ObjectQuota {
  readonly #parts: ObjectQuotaParts;

  constructor(parts: ObjectQuotaParts) {
    this.#parts = parts;
  }

  /**
   * Counts an object that is about to be written.
   *
   * @param caller who writes it
   * @throws FleetProblem `full`
   */
  async take(name: string, sizeBytes: number, caller: Pick<ObjectCaller, "ref" | "owns" | "isOfAnyNetwork">): Promise<void> {
    const { store, clock, hasRoom } = this.#parts;
    if (!hasRoom()) throw new FleetProblem("full", "the disk of the objects is low", RECOUNT.atLimitMs);
    const node = caller.ref && (await store.findNode(caller.ref));
    const bytesMax = node?.quota?.objectBytes ?? this.#parts.bytesMax;
    const counted = countedWith(name, caller);
    const { key } = counted;
    const bytes = objectBytes(sizeBytes);
    const nowMs = clock.nowMs();
    const ageMs = nowMs - ((await store.findObjectCount(key))?.countedAtMs ?? 0);
    if (ageMs >= RECOUNT.everyMs || ageMs < 0) await this.#recount(counted, nowMs - RECOUNT.everyMs);
    if (await store.countObject(key, bytes, bytesMax)) return;
    const isRecounted = await this.#recount(counted, nowMs - RECOUNT.atLimitMs);
    if (isRecounted && (await store.countObject(key, bytes, bytesMax))) return;
    throw new FleetProblem("full", `what lies below ${key} takes the ${bytesMax} bytes that it may`, RECOUNT.atLimitMs);
  }

  /** @returns whether it was counted: nobody else did so since then */
  async #recount({ key, prefix, isOne }: Counted, sinceMs: number): Promise<boolean> {
    const { store, objects, clock } = this.#parts;
    const beganAtMs = clock.nowMs();
    const counted = await store.beginRecount(key, sinceMs, beganAtMs);
    if (counted === undefined) return false;
    let found = 0;
    for (let after = ""; ; ) {
      const page = await objects.list(prefix, after, PAGE);
      for (const { name, sizeBytes } of page) if (isOne(name)) found += objectBytes(sizeBytes);
      const last = page.at(-1);
      if (!last || page.length < PAGE) break;
      after = last.name;
    }
    await store.finishRecount(key, beganAtMs, counted, found);
    return true;
  }
}

/** What is counted together: under which key, where it lies, and which of what lies there it is. */
type Counted = { readonly key: string; readonly prefix: string; readonly isOne: (name: string) => boolean };

/** Everything below `backup/<network>/<node>/`; of a node that may choose the network, below all of them. */
function countedWith(name: string, { owns, isOfAnyNetwork }: Pick<ObjectCaller, "owns" | "isOfAnyNetwork">): Counted {
  const [root = "", network = "", node = ""] = name.split("/");
  if (isOfAnyNetwork) return { key: `${root}/*/${node}/`, prefix: `${root}/`, isOne: owns };
  const prefix = `${root}/${network}/${node}/`;
  return { key: prefix, prefix, isOne: () => true };
}
