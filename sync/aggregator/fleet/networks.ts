import { type Timers, toHex } from "../../../src/kernel/index.ts";
import type { AggregatorStore, NodeRef } from "../types.ts";
import { ChainFold, paceOf } from "./chain-fold.ts";
import type { FleetEntry, FleetSnapshot } from "./directory.ts";
import { rowOf, timeText } from "./rows.ts";
import type { NodeState } from "./status.ts";

/** Records that are read at a time, and pages in one question: a long lane is caught up with over several. */
const READ = { page: 500, pagesMax: 40 } as const;
/** Blocks that a source may lie behind the best known before another node's lane is read instead. */
const BEHIND_MAX = 100;

type Followed = { readonly source: NodeRef; readonly fold: ChainFold; isWhole: boolean };

/** What the networks of a fleet are, read from the chain lanes of their nodes. */
export class Networks {
  readonly #store: Pick<AggregatorStore, "readEvents" | "holdings">;
  readonly #timers: Timers;
  readonly #followed = new Map<string, Followed>();
  readonly #running = new Map<string, Promise<Followed | undefined>>();

  constructor(store: Pick<AggregatorStore, "readEvents" | "holdings">, timers: Timers) {
    this.#store = store;
    this.#timers = timers;
  }

  /** Every network of a snapshot. */
  async list({ entries, bestHeights }: FleetSnapshot, nowMs: number) {
    const byNetwork = Map.groupBy(entries, ({ node }) => node.network);
    return Promise.all(
      [...byNetwork].map(async ([network, members]) => {
        const best = bestHeights.get(network);
        return describe(network, members, best, await this.#follow(network, members, best), nowMs);
      }),
    );
  }

  #follow(network: string, members: readonly FleetEntry[], best: number | undefined): Promise<Followed | undefined> {
    const running = this.#running.get(network);
    if (running) return running;
    const task = this.#advance(network, members, best).finally(() => this.#running.delete(network));
    this.#running.set(network, task);
    return task;
  }

  async #advance(network: string, members: readonly FleetEntry[], best: number | undefined): Promise<Followed | undefined> {
    let followed = this.#followed.get(network);
    const source = followed && members.find(({ node }) => node.node === followed?.source.node);
    if (!followed || !source || (source.word?.height ?? 0) + BEHIND_MAX < (best ?? 0)) followed = await this.#choose(members, followed);
    if (!followed) return undefined;
    this.#followed.set(network, followed);
    for (let page = 0; page < READ.pagesMax; page++) {
      const events = await this.#store.readEvents(followed.source, "chain", followed.fold.place, READ.page);
      for (const event of events) followed.fold.take(event);
      followed.isWhole = events.length < READ.page;
      if (followed.isWhole) break;
      await new Promise<void>((resolve) => void this.#timers.after(0, resolve)); // others have a turn
    }
    return followed;
  }

  /** The node that said the greatest height and whose chain lane is held from its first record on. */
  async #choose(members: readonly FleetEntry[], before: Followed | undefined): Promise<Followed | undefined> {
    const best = [...members].sort((a, b) => (b.word?.height ?? -1) - (a.word?.height ?? -1)).slice(0, 8);
    for (const { node } of best) {
      if (before?.source.node === node.node) return before;
      const chain = (await this.#store.holdings(node)).find(({ lane }) => lane === "chain");
      if (chain?.peaks && chain.sequence > 0)
        return { source: { network: node.network, node: node.node }, fold: new ChainFold(), isWhole: false };
    }
    return before;
  }
}

function describe(
  network: string,
  members: readonly FleetEntry[],
  best: number | undefined,
  followed: Followed | undefined,
  nowMs: number,
) {
  const rows = members.map((entry) => ({ entry, row: rowOf(entry, nowMs, best) }));
  const counts: Record<NodeState, number> = { online: 0, degraded: 0, unknown: 0 };
  for (const { row } of rows) counts[row.status.state]++;
  const claims = Map.groupBy(
    rows.filter(({ entry }) => entry.node.validatorKey !== undefined),
    ({ entry }) => toHex(entry.node.validatorKey ?? new Uint8Array(0)),
  );
  const last = followed?.fold.blocks.at(-1);
  const pace = followed && paceOf(followed.fold.blocks);
  const total = followed?.fold.validators.reduce((sum, { weight }) => sum + weight, 0n) ?? 0n;
  const validators = (followed?.fold.validators ?? []).map(({ publicKey, owner, weight }) => ({
    publicKey,
    owner,
    weight: String(weight),
    ...(followed?.fold.jailed.has(publicKey) && { jailedUntilEpoch: followed.fold.jailed.get(publicKey) }),
    claimedBy: (claims.get(publicKey) ?? []).map(({ row }) => ({
      node: row.node,
      status: row.status,
      ...(row.duty !== undefined && { duty: row.duty }),
      ...attendanceOf(row.figures),
    })),
  }));
  return {
    network,
    nodes: counts,
    ...((best !== undefined || last) && { height: Math.max(best ?? 0, last?.height ?? 0) }),
    ...(followed && {
      source: followed.source.node,
      isWhole: followed.isWhole,
      epoch: followed.fold.epoch,
      totalWeight: String(total),
      ...(last && {
        lastBlock: { height: last.height, time: timeText(last.timeMs), ageMs: Math.max(0, nowMs - last.timeMs), view: last.view },
      }),
      pace,
      blocks: followed.fold.blocks.slice(-100).map(({ height, timeMs, view, epoch }) => ({ height, timeMs, view, epoch })),
    }),
    validators,
  };
}

/** What a validator's node said that final headers of the running epoch hold of it. */
function attendanceOf(figures: Readonly<Record<string, number>> | undefined) {
  const certificates = figures?.["epochCertificates"];
  const [votes, proposed, missed] = [figures?.["epochVotes"], figures?.["epochProposed"], figures?.["epochMissedTurns"]];
  if (certificates === undefined || votes === undefined || proposed === undefined || missed === undefined) return {};
  return { attendance: { certificates, votes, proposed, missedTurns: missed } };
}
