import { assert, type Prng } from "../../src/kernel/index.ts";
import { type LinkProfile, SYNC_LANES, type SyncAck, type SyncLane, type SyncRefusal, type Welcome } from "../protocol/index.ts";
import { LaneProgress } from "./lane-progress.ts";
import { LINK_TIMES, LINK_TUNINGS, type LinkTuning } from "./profile.ts";
import { SendWindow } from "./send-window.ts";
import type { AgentEffect, JudgedCursor, Place } from "./types.ts";

/** Share of the credit, and bytes at most, that only `crit` may use: it never waits for room that a backlog takes. */
const CRIT_RESERVE = { share: 1 / 4, bytesMax: 65_536 } as const;

/** The smallest part of its room that a lane waits for, so that batches do not fall to pieces. */
const ROOM_SHARE_MIN = 1 / 8;

/** Bytes of the batch that asks whether a lane is taken again: what a store without room refuses for weeks costs little. */
const PROBE_BYTES = 2_048;

/** Where the link stands. */
export type LinkState =
  | { readonly kind: "waiting"; readonly untilMs: number }
  | { readonly kind: "connecting" | "greeting"; readonly untilMs: number }
  | { readonly kind: "up" };

/**
 * What an agent does about one aggregator: when to connect, what to send, what to do with what it hears. Told the
 * monotonic time with every input; reads no clock, sends nothing itself.
 *
 * Invariants: nothing counts as acknowledged but what the aggregator acknowledged; a lane is sent in order from there;
 * no more is on its way than the credit and the link allow, but for one batch of a single record when nothing else is; a
 * backlog of one lane never holds up `crit`; a link that does not answer is given up, and tried again for ever; nothing
 * that an aggregator says makes a wait longer than `LINK_TIMES.waitMaxMs`.
 */
export class SyncPlanner {
  readonly #lanes: Readonly<Record<SyncLane, LaneProgress>>;
  readonly #prng: Prng;
  readonly #window = new SendWindow();
  #tuning: LinkTuning;
  #link: LinkState = { kind: "waiting", untilMs: 0 };
  #failures = 0;
  #creditBytes = 0;
  #heartbeatAtMs = 0;
  /** Why the last link ended or was refused. */
  #reason: string | undefined;

  constructor(profile: LinkProfile, prng: Prng) {
    this.#prng = prng;
    this.#tuning = LINK_TUNINGS[profile];
    this.#lanes = { crit: new LaneProgress("crit"), chain: new LaneProgress("chain"), ops: new LaneProgress("ops") };
  }

  /** Where the link stands. */
  get link(): LinkState {
    return this.#link;
  }

  /** Why there is no link, when there is none. */
  get reason(): string | undefined {
    return this.#link.kind === "up" ? undefined : this.#reason;
  }

  /** Lanes that wait for the node to catch up with what the aggregator holds, or for a new incarnation. */
  get heldLanes(): readonly SyncLane[] {
    return SYNC_LANES.filter((lane) => this.#lanes[lane].isHeld);
  }

  /** Lanes that were refused for want of room or time, and wait. */
  get waitingLanes(): readonly SyncLane[] {
    return SYNC_LANES.filter((lane) => this.#lanes[lane].isProbing);
  }

  /** Bytes on their way without an acknowledgement. */
  get bytesInFlight(): number {
    return SYNC_LANES.reduce((sum, lane) => sum + this.#lanes[lane].bytesInFlight, 0);
  }

  /** Takes up another link profile. */
  setProfile(profile: LinkProfile, nowMs: number): readonly AgentEffect[] {
    this.#tuning = LINK_TUNINGS[profile];
    this.#heartbeatAtMs = Math.min(this.#heartbeatAtMs, nowMs + this.#tuning.heartbeatMs);
    return this.onTick(nowMs);
  }

  /** A lane has grown up to a place. */
  onGrown(lane: SyncLane, tip: { readonly epoch: number; readonly sequence: number }, nowMs: number): readonly AgentEffect[] {
    this.#lanes[lane].onGrown(tip, nowMs);
    return this.#plan(nowMs);
  }

  /** Time has passed. */
  onTick(nowMs: number): readonly AgentEffect[] {
    const link = this.#link;
    if (link.kind === "waiting" && nowMs >= link.untilMs) {
      this.#link = { kind: "connecting", untilMs: nowMs + LINK_TIMES.greetingMs };
      return [{ kind: "connect" }];
    }
    if ((link.kind === "connecting" || link.kind === "greeting") && nowMs >= link.untilMs) {
      return this.#giveUp(link.kind === "connecting" ? "no connection in time" : "no answer to the hello", nowMs);
    }
    return this.#plan(nowMs);
  }

  /** The link is open. */
  onConnected(nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "connecting") return [];
    this.#link = { kind: "greeting", untilMs: nowMs + LINK_TIMES.greetingMs };
    return [{ kind: "hello" }];
  }

  /** The link is gone, or could not be opened. */
  onLost(reason: string, nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind === "waiting") return [];
    this.#rest(reason, nowMs);
    return [];
  }

  /** The aggregator's answer to the hello, its cursors judged. A lane it does not name begins at its first record. */
  onWelcome(welcome: Welcome, judged: readonly JudgedCursor[], isOrdered: boolean, nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "greeting") return [];
    this.#link = { kind: "up" };
    this.#failures = 0;
    this.#creditBytes = welcome.creditBytes;
    this.#heartbeatAtMs = nowMs;
    const intervalMs = Math.min(welcome.intervalMs, LINK_TIMES.waitMaxMs);
    const effects: AgentEffect[] = [];
    for (const lane of SYNC_LANES) {
      const found = judged.find(({ cursor }) => cursor.lane === lane);
      this.#lanes[lane].onSession(found?.cursor, found?.verdict ?? "same", { intervalMs, isOrdered }, nowMs);
      if (found && found.verdict !== "same") effects.push({ kind: "fork", lane, cursor: found.cursor, verdict: found.verdict });
    }
    return [...effects, ...this.#plan(nowMs)];
  }

  /** The shell has sent records of a lane. */
  onSent(
    lane: SyncLane,
    sent: { readonly epoch: number; readonly from: number; readonly to: number; readonly bytes: number },
    nowMs: number,
  ): readonly AgentEffect[] {
    this.#lanes[lane].onSent(sent, nowMs);
    return this.#plan(nowMs);
  }

  /** There was nothing to send after all. */
  onNothing(lane: SyncLane): void {
    this.#lanes[lane].onNothing();
  }

  /** An acknowledgement, its witness verified and its hash compared. */
  onAck(ack: SyncAck, nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "up") return [];
    this.#creditBytes = ack.creditBytes;
    const { bytesInFlight } = this;
    const { isNews, landed } = this.#lanes[ack.lane].onAck(ack, Math.min(ack.intervalMs, LINK_TIMES.waitMaxMs), nowMs);
    if (landed) this.#window.onLanded(landed, bytesInFlight, nowMs);
    return [...(isNews ? [{ kind: "keep", ack } as const] : []), ...this.#plan(nowMs)];
  }

  /** A batch whose last record is `at` was refused. With `gap` and `fork` the shell has judged the cursor that came along. */
  onRefused(lane: SyncLane, at: Place, refusal: SyncRefusal, judged: JudgedCursor | undefined, nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "up" || !this.#lanes[lane].isOnItsWay(at)) return [];
    switch (refusal.code) {
      case "gap":
      case "fork":
        if (!judged) return this.#giveUp(`${refusal.code} without a cursor`, nowMs);
        this.#lanes[lane].onRewound(judged.cursor, judged.verdict, nowMs);
        if (judged.verdict !== "same") return [{ kind: "fork", lane, cursor: judged.cursor, verdict: judged.verdict }];
        return this.#plan(nowMs);
      case "slowDown":
      case "unavailable":
      case "full":
        this.#lanes[lane].onPaused(nowMs + Math.max(LINK_TIMES.backOffFirstMs, boundedWait(refusal)));
        return [];
      case "unknownSession":
        return this.#giveUp(refusal.code, nowMs);
      default:
        // The same bytes would be refused again: only a person or another release changes that.
        this.#failures = Math.max(this.#failures, 8);
        return this.#giveUp(`${refusal.code}: ${refusal.detail}`, nowMs);
    }
  }

  /**
   * A batch that ends at `at` was refused as a gap, and nothing lies here between it and what the aggregator holds: records were let
   * go since the hello, so the same would be sent and refused again. Another hello says what there is.
   */
  onLetGo(lane: SyncLane, at: Place, nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "up" || !this.#lanes[lane].isOnItsWay(at)) return [];
    return this.#giveUp(`records of ${lane} were let go since the hello`, nowMs);
  }

  /** The hello was refused. */
  onTurnedAway(refusal: SyncRefusal, nowMs: number): readonly AgentEffect[] {
    const effects = this.#giveUp(`${refusal.code}: ${refusal.detail}`, nowMs);
    if (this.#link.kind === "waiting")
      this.#link = { kind: "waiting", untilMs: Math.max(this.#link.untilMs, nowMs + boundedWait(refusal)) };
    return effects;
  }

  /** What the aggregator says cannot be: a false witness, a hash that is not ours. */
  onLie(reason: string, nowMs: number): readonly AgentEffect[] {
    this.#failures = Math.max(this.#failures, 8);
    return this.#giveUp(reason, nowMs);
  }

  /** A lane has a new incarnation, which links to what it had: what is held goes on there. */
  onReopened(lane: SyncLane, nowMs: number): readonly AgentEffect[] {
    this.#lanes[lane].release();
    return this.#plan(nowMs);
  }

  /** When the next tick is due; Infinity when only an input can change anything. */
  nextTickMs(): number {
    if (this.#link.kind !== "up") return this.#link.untilMs;
    const lanes = SYNC_LANES.flatMap((lane) => {
      const progress = this.#lanes[lane];
      const due = this.#roomOf(lane) > 0 ? progress.dueAtMs(this.#tuning.lingerMs[lane]) : Infinity;
      return [due, progress.oldestSentAtMs + LINK_TIMES.stallMs];
    });
    return Math.min(this.#heartbeatAtMs, ...lanes);
  }

  #plan(nowMs: number): readonly AgentEffect[] {
    if (this.#link.kind !== "up") return [];
    const effects: AgentEffect[] = [];
    for (const lane of SYNC_LANES) {
      const progress = this.#lanes[lane];
      if (nowMs >= progress.oldestSentAtMs + LINK_TIMES.stallMs) return this.#giveUp(`no acknowledgement of ${lane} in time`, nowMs);
      // One batch at a time: what it weighs decides what room is left, and who comes next.
      if (effects.length > 0 || this.#isReading || nowMs < progress.dueAtMs(this.#tuning.lingerMs[lane])) continue;
      const bytesMax = this.#roomOf(lane);
      if (bytesMax > 0) effects.push({ kind: "send", lane, after: progress.beginReading(), bytesMax });
    }
    if (nowMs >= this.#heartbeatAtMs) {
      this.#heartbeatAtMs = nowMs + this.#tuning.heartbeatMs;
      effects.push({ kind: "heartbeat" });
    }
    return effects;
  }

  get #isReading(): boolean {
    return SYNC_LANES.some((lane) => this.#lanes[lane].isReading);
  }

  /**
   * Bytes that the next batch of a lane may have; 0 while it waits for acknowledgements. `crit` has a window and a part of
   * the credit of its own; `chain` and `ops` share theirs, and `chain` leaves some of it to `ops`.
   */
  #roomOf(lane: SyncLane): number {
    const { crit, chain, ops } = this.#lanes;
    const left = this.#creditBytes - this.bytesInFlight;
    const reserve = lane === "crit" ? 0 : Math.min(this.#creditBytes * CRIT_RESERVE.share, CRIT_RESERVE.bytesMax);
    const share = Math.min(this.#window.bytes, this.#creditBytes - reserve);
    const bulk = share - chain.bytesInFlight - ops.bytesInFlight;
    const ofChain = share * (1 - ROOM_SHARE_MIN) - chain.bytesInFlight;
    const own = lane === "crit" ? share - crit.bytesInFlight : lane === "chain" ? Math.min(bulk, ofChain) : bulk;
    const room = Math.min(own, left, Math.max(1, share / 2));
    // Something always goes: `crit` when none of it is on its way, the others when nothing is.
    const isOwed = lane === "crit" ? crit.bytesInFlight === 0 : this.bytesInFlight === 0;
    const { isProbing } = this.#lanes[lane];
    if (isOwed) return Math.max(1, Math.floor(isProbing ? Math.min(room, PROBE_BYTES) : room));
    if (isProbing) return Math.max(0, Math.floor(Math.min(room, PROBE_BYTES)));
    return room >= Math.max(1, share * ROOM_SHARE_MIN) ? Math.floor(room) : 0;
  }

  #giveUp(reason: string, nowMs: number): readonly AgentEffect[] {
    this.#rest(reason, nowMs);
    return [{ kind: "close", reason }];
  }

  #rest(reason: string, nowMs: number): void {
    this.#reason = reason;
    this.#failures++;
    const full = Math.min(LINK_TIMES.backOffMaxMs, LINK_TIMES.backOffFirstMs * 2 ** Math.min(this.#failures - 1, 20));
    const waitMs = Math.round(full / 2 + this.#prng.below(full / 2 + 1));
    assert(waitMs > 0 && waitMs <= LINK_TIMES.backOffMaxMs, "a wait is positive and bounded");
    this.#link = { kind: "waiting", untilMs: nowMs + waitMs };
    this.#window.onLinkLost();
    for (const lane of SYNC_LANES) this.#lanes[lane].onLinkLost();
  }
}

/** How long a refusal asks to wait, as far as that is heeded. */
function boundedWait({ retryAfterMs }: SyncRefusal): number {
  return Math.min(retryAfterMs ?? 0, LINK_TIMES.waitMaxMs);
}
