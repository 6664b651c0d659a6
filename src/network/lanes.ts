import { MESSAGE_BYTES_MAX, type Message } from "../consensus/index.ts";
import type { Rate } from "./budget.ts";
import { HELLO_BYTES_MAX } from "./hello.ts";
import type { OutboxBounds } from "./outbox.ts";

/** One stream of a pair of nodes each: what is small and urgent, batches, and blocks for who is behind. */
export type Lane = "consensus" | "batches" | "blocks";

/** The lanes in the order of their urgency. */
export const LANES: readonly Lane[] = ["consensus", "batches", "blocks"];

/** First byte of a frame. Below `message` is the link's own talk, on the consensus lane only; `presence`, `twin` and `reach` since version 2. */
export const FRAME = { hello: 0, welcome: 1, goodbye: 2, ping: 3, pong: 4, tip: 5, presence: 6, twin: 7, reach: 8, message: 16 } as const;

const MIB = 1024 * 1024;

/** What a lane is made of and bounded by. Rates are for what a validator sends to us. */
export type LaneTraits = {
  /** libp2p's name of the stream. */
  readonly protocol: string;
  /** Bytes of one frame that is read. */
  readonly frameBytesMax: number;
  readonly outbox: OutboxBounds;
  readonly bytes: Rate;
  readonly messages: Rate;
};

const FRAME_BYTES_MAX = Math.max(MESSAGE_BYTES_MAX, HELLO_BYTES_MAX) + 1;

/** Traits of every lane. */
export const LANE_TRAITS: Readonly<Record<Lane, LaneTraits>> = {
  consensus: {
    protocol: "/bizra/1/consensus",
    frameBytesMax: FRAME_BYTES_MAX,
    outbox: { bytesMax: 4 * MIB, messagesMax: 4_096, policy: "dropOldest" },
    bytes: { perSecond: 8 * MIB, burst: 16 * MIB },
    messages: { perSecond: 5_000, burst: 10_000 },
  },
  batches: {
    protocol: "/bizra/1/batches",
    frameBytesMax: FRAME_BYTES_MAX,
    outbox: { bytesMax: 8 * MIB, messagesMax: 4_096, policy: "refuse" },
    bytes: { perSecond: 32 * MIB, burst: 32 * MIB },
    messages: { perSecond: 5_000, burst: 10_000 },
  },
  blocks: {
    protocol: "/bizra/1/blocks",
    frameBytesMax: FRAME_BYTES_MAX,
    outbox: { bytesMax: 4 * MIB, messagesMax: 256, policy: "refuse" },
    bytes: { perSecond: 16 * MIB, burst: 16 * MIB },
    messages: { perSecond: 500, burst: 1_000 },
  },
};

/** The lane a consensus message travels on: whole final blocks wait behind what agreement needs now. */
export function laneOf(kind: Message["kind"]): Lane {
  return kind === "finalBlocks" || kind === "block" ? "blocks" : "consensus";
}

/** Bytes a second that a validator may send on each lane. */
export type LaneRates = Readonly<Record<Lane, number>>;

/** The rates of LANE_TRAITS. */
export const LANE_RATES: LaneRates = {
  consensus: LANE_TRAITS.consensus.bytes.perSecond,
  batches: LANE_TRAITS.batches.bytes.perSecond,
  blocks: LANE_TRAITS.blocks.bytes.perSecond,
};

/** What an observer may send us of a validator's share: a tenth. */
export function scaled({ perSecond, burst }: Rate, isValidator: boolean): Rate {
  return isValidator ? { perSecond, burst } : { perSecond: perSecond / 10, burst: burst / 10 };
}
