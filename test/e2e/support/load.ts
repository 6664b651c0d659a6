import type { Chance } from "./chance.ts";
import { anchorBody, type Keys, map, type Order, type Signed, signOrder, transferBody } from "./independent-client.ts";
import type { Answer, NodeProcess } from "./node-process.ts";

/** Refusals that say "later". */
const RETRYABLE: ReadonlySet<string> = new Set([
  "mempoolFull",
  "quotaExceeded",
  "rateLimited",
  "syncing",
  "overloaded",
  "shuttingDown",
  "notReady",
]);

/** How often an account keeps a transaction back, how often it gives one up again when a run begins, and how far it goes on meanwhile. */
const WITHHELD_SHARE = 0.01;
const RELEASED_SHARE = 0.6;
const BEHIND_GAP_MAX = 200;

/** How several transactions of one account are handed in. */
const PATTERNS = ["single", "single", "sequence", "sequence", "reversedSequence", "scattered"] as const;

/** What the load is made of. */
export type LoadTerms = {
  readonly genesisHash: Buffer;
  readonly fee: bigint;
  /** Blocks after the tip of the start in which all may execute. */
  readonly validUntil: bigint;
  /** Longest pause of an account between submissions, in ms. */
  readonly pauseMsMax: number;
};

/**
 * One account under load. It signs one transaction per nonce and never another, and hands each in again until it is told
 * that it is durable: so all of them must execute, once, in order, and the balances can be foretold exactly.
 */
export class Lane {
  readonly keys: Keys;
  /** By position: nonce = firstNonce + position. */
  readonly signed: Signed[] = [];
  readonly orders: Order[] = [];
  /** Positions that were answered `accepted` (or `duplicate`, which says executed). */
  readonly durable = new Set<number>();
  /** Positions kept back for now: what comes after them waits at the node, over restarts too. */
  readonly withheld = new Set<number>();
  readonly firstNonce: bigint;
  /** What was sent to others, by hex key, beside the fees. */
  readonly sentTo = new Map<string, bigint>();

  constructor(keys: Keys, firstNonce: bigint) {
    this.keys = keys;
    this.firstNonce = firstNonce;
  }

  /** Positions that are durable with all before them: what has to become final. */
  get unbroken(): number[] {
    const gap = this.signed.findIndex((_, position) => !this.durable.has(position));
    return this.signed.map((_, position) => position).slice(0, gap === -1 ? this.signed.length : gap);
  }

  /** Positions whose fate the client does not know and that it hands in. */
  get open(): number[] {
    return this.signed.map((_, position) => position).filter((position) => !this.durable.has(position) && !this.withheld.has(position));
  }
}

/** Load on one node from several accounts at once, by turns in single submissions, sequences, out of order and repeated. */
export class Load {
  readonly lanes: readonly Lane[];
  /** Ids ever answered `accepted`. */
  readonly accepted = new Set<string>();
  /** Answers that no rule explains; a test expects none. */
  readonly surprises: string[] = [];
  readonly #terms: LoadTerms;
  readonly #chance: Chance;

  constructor(lanes: readonly Lane[], terms: LoadTerms, chance: Chance) {
    this.lanes = lanes;
    this.#terms = terms;
    this.#chance = chance;
  }

  /** Submits on all lanes until told to stop or the node is gone; resolves when every lane has stopped. */
  async run(node: NodeProcess, stop: AbortSignal): Promise<void> {
    await Promise.all(this.lanes.map((lane) => this.runLane(node, lane, stop)));
  }

  /** Hands in again what is open, until all is durable. */
  async settle(node: NodeProcess, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (const lane of this.lanes) {
      lane.withheld.clear();
      for (let open = lane.open; open.length > 0; open = lane.open) {
        if (performance.now() > deadline) {
          this.surprises.push(
            `${open.length} transactions from nonce ${lane.firstNonce + BigInt(open[0] ?? 0)} on are not accepted after ${limitMs} ms`,
          );
          return;
        }
        await this.#send(node, lane, open.slice(0, 256), "sequence", new AbortController().signal);
      }
    }
  }

  /** Submits on one lane until told to stop or the node is gone. */
  async runLane(node: NodeProcess, lane: Lane, stop: AbortSignal): Promise<void> {
    const chance = this.#chance;
    for (const position of lane.withheld) if (chance.happens(RELEASED_SHARE)) lane.withheld.delete(position);
    while (!stop.aborted && node.child.exitCode === null && node.child.signalCode === null) {
      const open = lane.open;
      if (open.length > 0) await this.#send(node, lane, open.slice(0, 64), chance.pick(PATTERNS), stop);
      else if (chance.happens(0.05) && lane.durable.size > 0) {
        await this.#send(node, lane, [chance.pick([...lane.durable])], "single", stop);
      } else if (lane.withheld.size === 0 || lane.signed.length - Math.min(...lane.withheld) < BEHIND_GAP_MAX) {
        const count = chance.happens(0.3) ? chance.between(2, 12) : 1;
        if (chance.happens(WITHHELD_SHARE)) lane.withheld.add(this.#sign(lane));
        const positions = Array.from({ length: count }, () => this.#sign(lane));
        await this.#send(node, lane, positions, count === 1 ? "single" : chance.pick(PATTERNS), stop);
      } else if (chance.happens(0.02)) lane.withheld.clear();
      await Bun.sleep(chance.between(0, this.#terms.pauseMsMax));
    }
  }

  /** Signs the next transaction of a lane; gives its position. */
  #sign(lane: Lane): number {
    const position = lane.signed.length;
    const { genesisHash, fee, validUntil } = this.#terms;
    const order: Order = { ...this.#draw(lane), nonce: lane.firstNonce + BigInt(position), fee, validUntil };
    lane.orders.push(order);
    lane.signed.push(signOrder(lane.keys, genesisHash, order));
    return position;
  }

  #draw(lane: Lane): Pick<Order, "type" | "body"> {
    const chance = this.#chance;
    const others = this.lanes.filter((other) => other !== lane);
    if (others.length === 0 || chance.happens(0.5)) {
      const size = chance.happens(0.02) ? chance.between(2_000, 4_096) : chance.between(1, 200);
      const isDigest = chance.happens(0.3);
      const body = isDigest
        ? map([1, "trial/digest"], [2, chance.bytes(32)], [4, chance.between(0, 1e6)])
        : anchorBody("trial/data", chance.bytes(size));
      return { type: 2, body };
    }
    const to = chance.pick(others).keys.publicKey;
    const amount = BigInt(chance.between(0, 1_000));
    lane.sentTo.set(to.toString("hex"), (lane.sentTo.get(to.toString("hex")) ?? 0n) + amount);
    return { type: 1, body: transferBody(to, amount) };
  }

  async #send(
    node: NodeProcess,
    lane: Lane,
    positions: readonly number[],
    pattern: (typeof PATTERNS)[number],
    stop: AbortSignal,
  ): Promise<void> {
    const groups =
      pattern === "sequence"
        ? [positions]
        : pattern === "reversedSequence"
          ? [positions.toReversed()]
          : (pattern === "scattered" ? this.#chance.shuffled(positions) : positions).map((position) => [position]);
    const post = (group: readonly number[]): Promise<void> => this.#post(node, lane, group, stop);
    if (pattern === "scattered") await Promise.all(groups.map(post));
    else for (const group of groups) await post(group);
  }

  async #post(node: NodeProcess, lane: Lane, positions: readonly number[], stop: AbortSignal): Promise<void> {
    const bodies = positions.map((position) => lane.signed[position]?.encoded ?? Buffer.alloc(0));
    let answer: Answer;
    try {
      answer = await node.submit(Buffer.concat(bodies), positions.length === 1 ? "application/cose" : "application/cbor-seq");
    } catch (error) {
      if (!(error instanceof Error)) throw error; // the connection broke: the fate of these is open
      if (!stop.aborted) await Bun.sleep(2);
      return;
    }
    const outcomes = answer.json["transactions"];
    if (!Array.isArray(outcomes)) {
      await this.#explain(String(answer.json["code"]), answer);
      return;
    }
    for (const [place, position] of positions.entries()) await this.#take(lane, position, outcomes[place] as Outcome | undefined);
  }

  async #take(lane: Lane, position: number, outcome: Outcome | undefined): Promise<void> {
    const id = lane.signed[position]?.id ?? "";
    if (outcome?.status === "accepted" && outcome.id === id) {
      this.accepted.add(id);
      lane.durable.add(position);
    } else if (outcome?.code === "duplicate" && outcome.id === id) lane.durable.add(position);
    else await this.#explain(String(outcome?.code), { position, id, outcome });
  }

  async #explain(code: string, what: unknown): Promise<void> {
    if (RETRYABLE.has(code)) await Bun.sleep(20);
    else if (this.surprises.length < 100) this.surprises.push(JSON.stringify(what));
  }
}

type Outcome = { readonly id?: string; readonly status: string; readonly code?: string };
