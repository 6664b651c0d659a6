import type { Prng } from "../../kernel/index.ts";
import type { ValidatorSet } from "../../protocol/index.ts";
import { RecentSet } from "../recent-set.ts";
import type { BatchFault, BatchRelease, DurableBatch } from "../types.ts";
import { Budget } from "./budget.ts";
import type { DisseminationMessage } from "./messages.ts";
import type { DisseminationTuning } from "./tuning.ts";

/** Who is at the other end of an authenticated connection: lower-case hex of its Ed25519 key. */
export type PeerId = string;

/**
 * What a peer did that an honest one does not: `flood` (more digests than its budget), `unsolicited` (a batch nobody
 * asked it for), `withheld` (announced, not sent in time), or why its batch was not taken.
 */
export type PeerFault =
  | "flood"
  | "unsolicited"
  | "withheld"
  | Extract<BatchFault, "malformed" | "tooLarge" | "wrongDigest" | "badSignature" | "faulty">;

/** What happens to dissemination. */
export type DisseminationInput =
  | { readonly kind: "peerUp"; readonly peer: PeerId }
  | { readonly kind: "peerDown"; readonly peer: PeerId }
  | { readonly kind: "message"; readonly peer: PeerId; readonly message: DisseminationMessage }
  /** A batch is durable here. */
  | { readonly kind: "held"; readonly batch: DurableBatch }
  /** A batch no longer waits for a block. */
  | { readonly kind: "released"; readonly release: BatchRelease }
  /** Consensus cannot go on without these. */
  | { readonly kind: "needed"; readonly digests: readonly Uint8Array[] }
  /** A pulled batch was not taken. */
  | { readonly kind: "refused"; readonly digest: Uint8Array; readonly code: BatchFault }
  /** A pulled batch was here already. */
  | { readonly kind: "found"; readonly digest: Uint8Array }
  /** A peer was answered with so many bytes, or with none. */
  | { readonly kind: "answered"; readonly peer: PeerId; readonly sizeBytes: number }
  /** The network had no room for the answer to a peer, and has room again. */
  | { readonly kind: "noRoom"; readonly peer: PeerId; readonly digest: Uint8Array }
  | { readonly kind: "room"; readonly peer: PeerId }
  /** The running epoch has this set. */
  | { readonly kind: "members"; readonly set: ValidatorSet }
  /** Time passed. */
  | { readonly kind: "tick" };

/** What has to be done, in list order. */
export type DisseminationEffect =
  | { readonly kind: "send"; readonly peer: PeerId; readonly message: DisseminationMessage }
  /** Hand a pulled batch to the mempool's door; its outcome comes back as `held` or `refused`. */
  | { readonly kind: "receive"; readonly digest: Uint8Array; readonly encoded: Uint8Array; readonly isNeeded: boolean }
  /** Read a batch and send it, or say that it is absent; comes back as `answered`. */
  | { readonly kind: "answer"; readonly peer: PeerId; readonly digest: Uint8Array }
  /** A batch is known to be held by more weight than may be faulty, or by a quorum. */
  | { readonly kind: "replicated"; readonly digest: Uint8Array; readonly level: "safe" | "quorum" }
  | { readonly kind: "fault"; readonly peer: PeerId; readonly fault: PeerFault };

/** A batch that is durable here and waits for a block. */
export type Held = {
  readonly digest: Uint8Array;
  readonly digestHex: string;
  readonly sizeBytes: number;
  /** Members and other peers known to hold it. */
  readonly holders: Set<PeerId>;
  /** Announcements to everyone since it came. */
  rounds: number;
  nextAnnounceMs: number;
  level: "none" | "safe" | "quorum";
};

/** A batch that is not here. */
export type Want = {
  readonly digest: Uint8Array;
  readonly digestHex: string;
  sizeBytes: number;
  /** Connected peers that said they hold it. */
  readonly announcers: Set<PeerId>;
  /** Whether a block needs it, and until when it does unless asked again. */
  neededUntilMs: number | undefined;
  /** Peers asked since each announcer was asked once. */
  readonly tried: Set<PeerId>;
  attempts: number;
  /**
   * `ready`: to be asked for; `asked`: a pull runs; `arrived`: the door has it; `waiting`: until `atMs`.
   */
  phase: "ready" | "asked" | "arrived" | "waiting";
  /** Who is asked, or sent what arrived. */
  peer: PeerId | undefined;
  /** Whether a block needed it when it was handed to the door. */
  wasNeeded: boolean;
  /** When the pull or the wait is over. */
  atMs: number;
};

/** What is known of a connected peer. */
export type Peer = {
  readonly id: PeerId;
  /** Digests that it announced and that are not here. */
  readonly announced: Set<string>;
  /** Those of them that can be asked for now. */
  readonly ready: Set<string>;
  /** Pulls that run from it. */
  pulls: number;
  pullSizeBytes: number;
  /** Held digests that it is to be told of, page by page. */
  backlog: string[];
  nextPageMs: number;
  /** Digests that it asked for, and whether one is being read for it. */
  wanted: Uint8Array[];
  isAnswering: boolean;
  /** Whether the network takes batches for it at the moment. */
  hasRoom: boolean;
  readonly answers: Budget;
  readonly digests: Budget;
  /** Digests that we may name to it without being taken for one who floods. */
  readonly named: Budget;
  /** Batches that blocks needed and that it did not have when asked, since it last sent one. */
  lackCount: number;
  toldFloodMs: number;
};

/** Running totals, for monitoring. */
export type DisseminationCounters = {
  announced: number;
  pulled: number;
  pulledSizeBytes: number;
  answered: number;
  answeredSizeBytes: number;
  timeouts: number;
  absent: number;
  /** Batches that came though they were here already or nobody asked for them. */
  duplicates: number;
  unsolicited: number;
  /** Digests not remembered because a peer's share was full. */
  overflow: number;
  flooded: number;
};

/** What planning asks of its surroundings; none of it changes anything. */
export type DisseminationQueries = {
  /** Whether a batch is durable here, executed ones included. */
  readonly isHeld: (digest: Uint8Array) => boolean;
  /** Whether a digest is of a batch that nobody should have signed. */
  readonly isFaulty: (digest: Uint8Array) => boolean;
};

/** Everything that dissemination knows. */
export type DisseminationState = {
  readonly self: PeerId;
  readonly tuning: DisseminationTuning;
  readonly queries: DisseminationQueries;
  readonly prng: Prng;
  nowMs: number;
  set: ValidatorSet;
  weights: Map<PeerId, bigint>;
  readonly peers: Map<PeerId, Peer>;
  /** By digest in hexadecimal, oldest first. */
  readonly held: Map<string, Held>;
  readonly wants: Map<string, Want>;
  /** Wants that blocks wait for and that can be asked for now: those asked for in vain before go first, then the others. */
  readonly urgentAgain: Set<string>;
  readonly urgent: Set<string>;
  /** Wants that are asked or waiting, whose time may come. */
  readonly timed: Set<string>;
  /** No time of `timed` is before this. */
  nextTimedMs: number;
  neededCount: number;
  pulls: number;
  pullSizeBytes: number;
  readonly ended: RecentSet;
  /** Digests that were asked for and are not wanted any more: answers to them may still be on their way. */
  readonly lapsed: RecentSet;
  /** Held digests that nobody was told of yet, and when they are. */
  fresh: string[];
  freshAtMs: number;
  nextReannounceMs: number;
  effects: DisseminationEffect[];
  readonly counters: DisseminationCounters;
};

/** A state that knows nobody and nothing. */
export function newDisseminationState(parts: {
  readonly self: PeerId;
  readonly tuning: DisseminationTuning;
  readonly queries: DisseminationQueries;
  readonly prng: Prng;
  readonly set: ValidatorSet;
  readonly nowMs: number;
}): DisseminationState {
  const { tuning, nowMs } = parts;
  return {
    ...parts,
    weights: new Map(),
    peers: new Map(),
    held: new Map(),
    wants: new Map(),
    urgentAgain: new Set(),
    urgent: new Set(),
    timed: new Set(),
    nextTimedMs: Number.POSITIVE_INFINITY,
    neededCount: 0,
    pulls: 0,
    pullSizeBytes: 0,
    ended: new RecentSet(tuning.endedCountMax),
    lapsed: new RecentSet(tuning.endedCountMax),
    fresh: [],
    freshAtMs: Number.POSITIVE_INFINITY,
    nextReannounceMs: nowMs + tuning.reannounceMs,
    effects: [],
    counters: {
      announced: 0,
      pulled: 0,
      pulledSizeBytes: 0,
      answered: 0,
      answeredSizeBytes: 0,
      timeouts: 0,
      absent: 0,
      duplicates: 0,
      unsolicited: 0,
      overflow: 0,
      flooded: 0,
    },
  };
}

/** What a peer outside the set gets of a member's budgets: a tenth. */
const OUTSIDER_SHARE = 0.1;
/** Part of what a peer takes that it is sent: its clock is not ours, and messages come in bursts. */
const NAMED_PART = 0.75;

/** A peer that just connected; whether it is a member now decides its budgets until it connects again. */
export function newPeer(id: PeerId, { self, tuning, nowMs, weights }: DisseminationState): Peer {
  const share = weights.has(id) ? 1 : OUTSIDER_SHARE;
  const ownPart = NAMED_PART * (weights.has(self) ? 1 : OUTSIDER_SHARE);
  const answerBytesPerSecond = share * tuning.answerBytesPerSecond;
  return {
    id,
    announced: new Set(),
    ready: new Set(),
    pulls: 0,
    pullSizeBytes: 0,
    backlog: [],
    nextPageMs: nowMs,
    wanted: [],
    isAnswering: false,
    hasRoom: true,
    answers: new Budget(answerBytesPerSecond, answerBytesPerSecond, nowMs),
    digests: new Budget(share * tuning.digestsPerSecond, share * tuning.digestsBurst, nowMs),
    named: new Budget(ownPart * tuning.digestsPerSecond, ownPart * tuning.digestsBurst, nowMs),
    lackCount: 0,
    toldFloodMs: Number.NEGATIVE_INFINITY,
  };
}
