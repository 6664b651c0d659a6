import type { CryptoSuite } from "../crypto/index.ts";
import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import type { Block, Certificate, LeaderSchedule, Proposal, ValidatorSet, Vote, VoteStatement } from "../protocol/index.ts";
import type { ChainTip, EpochOpening } from "./block-port.ts";
import { type Attendance, newAttendance } from "./leaders.ts";
import type { FetchTarget, PeerId } from "./messages.ts";
import type { JournalRecord, RecoveryStatus } from "./ports.ts";
import type { Round } from "./rounds.ts";
import type { Effect, Notice } from "./steps.ts";
import type { TimerProfile } from "./timers.ts";

/** What a core is given once. */
export type CoreConfig = {
  readonly chainId: Uint8Array;
  /** Key of our votes; a key in no set makes an observer. */
  readonly publicKey: Uint8Array;
  readonly suite: CryptoSuite;
  readonly timers: TimerProfile;
  readonly leaderOf: LeaderSchedule;
  /** Seed of jitter and random peers. */
  readonly seed: number;
  /** Sets of epochs whose opening block is committed (R11, R13); a pure look-up in the chain. */
  readonly findEpoch: (epoch: number) => EpochOpening | undefined;
  /** Whether evidence could convict somebody anew on the last committed block (R11); a look-up in the chain. */
  readonly canConvict: (evidence: Uint8Array) => boolean;
};

/** Votes seen of one signer in one view: the first of each kind, and whether another one contradicted them (R11). */
export type SignerVotes = { notarize?: Vote; nullify?: Vote; finalize?: Vote; isContradicted?: true };

/** Our own votes in one view, set when cast, before they are durable. Ids are lower-case hex. */
export type OwnVotes = { notarize?: string; nullify?: true; finalize?: string };

/** A proposal whose block stands in `CoreState.blocks`; `verdict` is the outcome of the header checks once they ran, `isJournaled` says that it is in the journal. */
export type ProposalEntry = {
  readonly id: string;
  readonly proposal: Proposal;
  readonly blockKey: string;
  verdict?: "sound" | { readonly code: string };
  isJournaled: boolean;
};

/** Everything known of one view. */
export type ViewState = {
  readonly view: number;
  readonly votes: Map<number, SignerVotes>;
  /** Weight by proposal id. */
  readonly notarizeWeight: Map<string, bigint>;
  readonly finalizeWeight: Map<string, bigint>;
  nullifyWeight: bigint;
  /** Weight of those with a NOTARIZE or NULLIFY here (R1). */
  activeWeight: bigint;
  notarization?: Certificate | undefined;
  nullification?: Certificate | undefined;
  finalization?: Certificate | undefined;
  notarizedAtMs?: number;
  /** At most the leader's first choice, one unsigned early payload and the notarized one. */
  readonly proposals: Map<string, ProposalEntry>;
  /** Id that the leader's first NOTARIZE names: the proposal signed by the leader (R3). */
  leaderChoice?: string;
  isEquivocated: boolean;
  readonly own: OwnVotes;
  /** Own votes as signed, for re-sending. */
  readonly ownSigned: Vote[];
  armedAtMs?: number | undefined;
  retryAtMs?: number | undefined;
  /** Our own build or check failed for good (R5). */
  hasFailed: boolean;
  isBuildAsked: boolean;
};

/** One epoch: its set and its views from 256 below the floor to 16 above the current. */
export type EpochState = {
  readonly epoch: number;
  readonly set: ValidatorSet;
  /** Our index in the set, or absent when we only follow. */
  readonly self?: number;
  /** Signer index by peer id. */
  readonly signerOf: ReadonlyMap<PeerId, number>;
  readonly peerOf: readonly PeerId[];
  /** Finalization of the boundary block that opened the epoch; absent in epoch 0. */
  readonly opening?: Certificate;
  readonly views: Map<number, ViewState>;
  /** The view we are in, from 1. */
  current: number;
  /** Highest view with a finalization, 0 when none. */
  floor: number;
  /** Nullified views since the last finalization. */
  nullifiedViews: number;
  /** The certificate that let us enter `current`; absent in view 1. */
  entry?: Certificate;
  /** The held certificate of the highest view, which decides R1. */
  best?: Certificate;
  /** Views above the floor that hold a notarization. */
  readonly notarized: Set<number>;
  /** Certificates already in the journal, by `certificateKey`. */
  readonly journaled: Set<string>;
  readonly attendance: Attendance;
};

/** Where a block stands: just held, at the block port, lacking batches or room, or judged. */
export type BlockStatus = "held" | "checking" | "lacking" | "valid" | "invalid";

/** An unfinalized block. */
export type BlockEntry = {
  readonly block: Block;
  readonly hash: Uint8Array;
  status: BlockStatus;
  /** Batches that its last check found missing, also while it is checked again. */
  lacking: readonly Uint8Array[];
};

/** Bytes that may be answered, refilled over time (R9). */
export type AnswerBudget = { budgetBytes: number; budgetAtMs: number };

/** What outlives a peer's connection: what it may be answered, and what it may still answer. */
export type PeerAccount = AnswerBudget & {
  /** Blocks asked of it whose answers have not come, so that a late one is told from one that nobody asked for. */
  owedBlocks: number;
};

/** What is known of a connected peer. */
export type PeerState = PeerAccount & {
  /** The latest view it is known to have entered. */
  at: Round;
  /** The latest finalization it is known to hold. */
  finalized: Round;
  /** When an old vote of it was last answered (R9b). */
  answeredAtMs: number;
  hasAnsweredHello: boolean;
  /** A round beyond ours that it spoke of without proof (R13). */
  claim: Round | undefined;
  /** Lowest height that it says it can serve; undefined while it has not said so. */
  lowestHeight: number | undefined;
};

/**
 * What is missing here: something peers' consensus can send, or a block's batches. Those are named by their block, not one by
 * one, so that the question stays the same, and falls due, while one batch after the other arrives.
 */
export type Want = FetchTarget | { readonly kind: "batches"; readonly blockHash: Uint8Array };

/** Something being fetched (R9d). */
export type Fetch = { readonly target: Want; readonly hint?: PeerId; attempts: number; nextAtMs: number };

/** A certificate to forward when due (R9a). */
export type Forward = { readonly certificate: Certificate; readonly dueAtMs: number };

/** Progress of R14: who answered with what, each once after the loss; kept until the gate ends. */
export type Recovery = {
  readonly token: number;
  readonly answers: Map<PeerId, Round>;
  attempts: number;
  nextAskAtMs: number;
};

/** The whole state of the core: plain data, so that it can be cloned and inspected. */
export type CoreState = {
  readonly config: CoreConfig;
  nowMs: number;
  wallMs: number;
  draws: number;
  epoch: EpochState;
  /** The epoch before, kept for evidence (R11). */
  previous?: EpochState;
  /** Last committed block. */
  tip: ChainTip;
  /** Bytes of the largest block of late, which slowly counts for less: what answering with one costs (R9). */
  blockBytes: number;
  /** Monotonic time at which the tip became final here. */
  tipAtMs: number;
  /** Finalizations whose blocks are not committed yet, by ascending view (R8, R13). */
  targets: Certificate[];
  isCommitting: boolean;
  readonly blocks: Map<string, BlockEntry>;
  hasWork: boolean;
  /** Monotonic time of the newest proposal seen or made (R2, minimum interval). */
  lastProposalAtMs: number;
  readonly peers: Map<PeerId, PeerState>;
  /** Accounts of peers that left, oldest first: who comes back finds it as it was. */
  readonly departed: Map<PeerId, PeerAccount>;
  /** What all peers outside the set share. */
  readonly outside: AnswerBudget;
  /** What this step found missing; becomes `fetches` at its end. */
  readonly wants: Map<string, { readonly target: Want; readonly hint?: PeerId }>;
  readonly fetches: Map<string, Fetch>;
  forwards: Forward[];
  /** From when on those who only follow are told of what is final. */
  followersAtMs: number;
  standstillAtMs?: number | undefined;
  standstillCursor: number;
  /** R15: this start's token, and whether enough others answered. */
  helloToken: number;
  isGreeted: boolean;
  helloNextAtMs: number;
  helloAttempts: number;
  recoveryStatus: RecoveryStatus;
  /** The journal's floor: nothing at or below it is voted for, even when the chain here is older (J5). */
  readonly voteFloor: Round;
  recovery?: Recovery | undefined;
  /** Journal records of epochs that the chain has not reached here (its file may be older than the journal's). */
  laterRecords: readonly JournalRecord[];
  /** The journal is lost and only the operator can mend it (n = 1, J7). */
  isMute: boolean;
  /** Encoded evidence by id, waiting to be included. */
  readonly evidence: Map<string, Uint8Array>;
  isHalted: boolean;
  effects: Effect[];
};

/** Makes the state of one epoch. */
export function newEpochState(config: CoreConfig, opening: EpochOpening): EpochState {
  const { validatorSet: set, finalization } = opening;
  const peerOf = set.validators.map((v) => toHex(v.publicKey));
  const self = set.validators.findIndex((v) => bytesEqual(v.publicKey, config.publicKey));
  return {
    epoch: opening.epoch,
    set,
    ...(self < 0 ? {} : { self }),
    signerOf: new Map(peerOf.map((peer, index) => [peer, index])),
    peerOf,
    ...(finalization ? { opening: finalization } : {}),
    views: new Map(),
    current: 1,
    floor: 0,
    nullifiedViews: 0,
    notarized: new Set(),
    journaled: new Set(),
    attendance: newAttendance(set.validators.length),
  };
}

/** The state of a view, made when first touched. */
export function viewOf(epoch: EpochState, view: number): ViewState {
  const known = epoch.views.get(view);
  if (known) return known;
  assert(view >= 1, "views start at 1");
  const made: ViewState = {
    view,
    votes: new Map(),
    notarizeWeight: new Map(),
    finalizeWeight: new Map(),
    nullifyWeight: 0n,
    activeWeight: 0n,
    proposals: new Map(),
    isEquivocated: false,
    own: {},
    ownSigned: [],
    hasFailed: false,
    isBuildAsked: false,
  };
  epoch.views.set(view, made);
  return made;
}

/** Adds an effect to the list of this step. */
export function emit(core: CoreState, effect: Effect): void {
  core.effects.push(effect);
}

/** Adds a notice to the effects of this step. */
export function note(core: CoreState, notice: Notice): void {
  core.effects.push({ kind: "notice", notice });
}

/** The key of a certificate's statement within its epoch: its identity, whoever signed it. */
export function certificateKey(statement: VoteStatement | Certificate): string {
  return `${statement.kind}:${statement.view}`;
}
