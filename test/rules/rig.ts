import {
  type CoreState,
  type Effect,
  type Input,
  inspectCore,
  type JournalRecord,
  type JournalReplay,
  LAN_TIMERS,
  type Message,
  type Notice,
  nextDeadlineMs,
  type PeerId,
  startCore,
  step,
  type TimerProfile,
} from "../../src/consensus/index.ts";
import { sha256 } from "../../src/crypto/index.ts";
import { bytesEqual, compareBytes, present, toHex, u64be, utf8 } from "../../src/kernel/index.ts";
import {
  type Block,
  blockHashOf,
  type Certificate,
  leaderBySlots,
  makeBitmap,
  type Proposal,
  proposalIdOf,
  type ValidatorSet,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  type VoteStatement,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import type { VoteKey } from "../../src/validator/index.ts";
import { ChainModel, type ChainRules } from "../sim/chain-model.ts";
import { StandInKeys, setOf } from "../sim/keys.ts";

/** How a rig is set up. */
export type RigOptions = {
  readonly weights?: readonly bigint[];
  /** Index of the validator under test; default 0. */
  readonly self?: number;
  readonly timers?: TimerProfile;
  readonly epochBlocks?: number;
  /** Sets of the epochs, of the keys in ascending order; default all of them in every epoch. */
  readonly setOf?: (epoch: number, keys: readonly VoteKey[]) => ValidatorSet;
  readonly replay?: JournalReplay;
  /** A chain that was there before. */
  readonly chain?: ChainModel;
  /** Whether evidence is worth keeping; default until a block includes it. */
  readonly canConvict?: (evidence: Uint8Array) => boolean;
  /** Whether peers are connected and have answered the hello; default yes. */
  readonly isGreeted?: boolean;
};

/** An intact journal without records. */
export const FRESH_JOURNAL = {
  kind: "intact",
  floor: { epoch: 0, view: 0 },
  recovery: { kind: "intact" },
  records: [],
} as const satisfies JournalReplay;
/** A journal that is gone. */
export const LOST_JOURNAL: JournalReplay = { kind: "lost", loss: "missing", detail: "there is no such log" };

const CHAIN_ID = sha256(utf8("a chain for rules"));
const GENESIS_TIME_MS = 1_700_000_000_000;

/** A proposal with its block and what it proves itself by, made by any validator. */
export type MadeProposal = { readonly proposal: Proposal; readonly id: Uint8Array; readonly block: Block; readonly message: Message };

/**
 * One core under test among validators whose votes the test forges with their keys. Effects run at once and in order; a
 * vote is signed only when its record came before it.
 */
export class Rig {
  readonly keys: readonly VoteKey[];
  readonly set: ValidatorSet;
  readonly chain: ChainModel;
  readonly core: CoreState;
  readonly self: number;
  readonly suite: StandInKeys["suite"];
  /** Everything journaled, in order. */
  readonly journal: JournalRecord[] = [];
  /** Own votes that left, in order. */
  readonly votes: Vote[] = [];
  /** Messages that left, with whom they were for; "*" is everyone. */
  readonly sent: { readonly to: PeerId | "*"; readonly message: Message }[] = [];
  readonly notices: Notice[] = [];
  readonly halts: string[] = [];
  /** Kinds of all effects, in order. */
  readonly trace: Effect["kind"][] = [];
  /** Digests whose batches were asked for. */
  readonly fetchedBatches: Uint8Array[] = [];
  /** Floors the journal was told it may prune to. */
  readonly pruned: { readonly epoch: number; readonly view: number }[] = [];
  nowMs = 1_000;
  wallMs = GENESIS_TIME_MS + 1_000;
  /** When false, `check` effects wait in `unanswered` instead of being run. */
  answersChecks = true;
  readonly unanswered: Input[] = [];
  readonly #replayed: readonly JournalRecord[];
  #batchCount = 0;

  constructor(options: RigOptions = {}) {
    const weights = options.weights ?? [1n, 1n, 1n, 1n];
    const registry = new StandInKeys();
    const keys = weights.map((_, i) => registry.make(`rig ${i}`)).sort((a, b) => compareBytes(a.publicKey, b.publicKey));
    this.keys = keys;
    this.suite = registry.suite;
    const everyone = setOf(keys, weights);
    const setOfEpoch = (epoch: number): ValidatorSet => options.setOf?.(epoch, keys) ?? everyone;
    this.set = setOfEpoch(0);
    this.self = options.self ?? 0;
    const rules: ChainRules = {
      chainId: CHAIN_ID,
      genesisTimeMs: GENESIS_TIME_MS,
      epochBlocks: options.epochBlocks ?? 1_000_000,
      setOf: setOfEpoch,
    };
    this.chain = options.chain ?? new ChainModel(rules);
    this.chain.restart();
    const tip = this.chain.tip();
    const isBoundary = tip.height > 0 && this.chain.find(tip.hash)?.header.nextValidatorSetHash !== undefined;
    const opening = present(this.chain.findEpoch(isBoundary ? tip.epoch + 1 : tip.epoch), "the chain knows its epoch");
    const config = {
      chainId: CHAIN_ID,
      publicKey: this.key(this.self).publicKey,
      suite: registry.suite,
      timers: options.timers ?? LAN_TIMERS,
      leaderOf: leaderBySlots,
      seed: 7,
      findEpoch: (epoch: number) => this.chain.findEpoch(epoch),
      canConvict: options.canConvict ?? ((evidence: Uint8Array) => this.chain.canConvict(evidence)),
    };
    this.#replayed = options.replay?.kind === "intact" ? options.replay.records : [];
    const started = startCore(config, { tip, opening, replay: options.replay ?? FRESH_JOURNAL, time: this.#time() });
    this.core = started.core;
    this.#run(started.effects);
    if (this.keys.length > 1 && options.isGreeted !== false) this.greet();
  }

  /** Connects every other validator, each of which answers the hello. */
  greet(answerers: readonly number[] = this.others): void {
    for (const other of this.others) this.input({ kind: "peerUp", peer: this.peer(other) });
    for (const other of answerers) this.from(other, { kind: "helloAnswer", token: this.core.helloToken, votesOfYours: [] });
  }

  /** Everyone but the validator under test. */
  get others(): number[] {
    return this.keys.map((_, i) => i).filter((i) => i !== this.self);
  }

  /** What the core shows. */
  get status() {
    return inspectCore(this.core);
  }

  /** When the core wants its next tick, from now; undefined for never. */
  get dueInMs(): number | undefined {
    const next = nextDeadlineMs(this.core);
    return next === undefined ? undefined : next - this.nowMs;
  }

  key(index: number): VoteKey {
    return present(this.keys[index], "an index of the set");
  }

  /** The key of a signer in an epoch. */
  keyOf(signer: number, epoch = this.core.epoch.epoch): VoteKey {
    const member = this.#setAt(epoch).validators[signer];
    return present(
      this.keys.find((key) => member && bytesEqual(key.publicKey, member.publicKey)),
      "a member of the set",
    );
  }

  peer(index: number): PeerId {
    return toHex(this.key(index).publicKey);
  }

  /** The first view from `from` on that this validator leads in the current epoch. */
  viewLedBy(index: number, from = 1): number {
    let view = from;
    while (leaderBySlots(this.core.epoch.set, this.core.epoch.epoch, view) !== index) view++;
    return view;
  }

  leaderOf(view: number): number {
    return leaderBySlots(this.core.epoch.set, this.core.epoch.epoch, view);
  }

  /** Takes an input and runs what follows from it. */
  input(input: Input): void {
    this.#run(step(this.core, input, this.#time()));
  }

  /** A message from another validator. */
  from(index: number, message: Message): void {
    this.input({ kind: "message", from: this.peer(index), message });
  }

  /** Lets time pass, with a tick whenever the core wants one. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (let ticks = 0; ; ticks++) {
      const next = nextDeadlineMs(this.core);
      if (next === undefined || next > end) break;
      if (ticks > 10_000) throw new Error("the core never rests");
      this.wallMs += next - this.nowMs;
      this.nowMs = next;
      this.input({ kind: "tick" });
    }
    this.wallMs += end - this.nowMs;
    this.nowMs = end;
    this.input({ kind: "tick" });
  }

  /** Gives the core a batch to include. */
  work(): Uint8Array {
    const digest = sha256(utf8("batch of a rule"), u64be(this.#batchCount++));
    this.chain.hold(digest);
    this.input({ kind: "work", hasWork: true });
    return digest;
  }

  /** A signed vote of any validator. */
  makeVote(signer: number, kind: VoteKind, view: number, proposalId?: Uint8Array, epoch = this.core.epoch.epoch): Vote {
    const statement: VoteStatement = proposalId ? { kind, epoch, view, proposalId } : { kind, epoch, view };
    const signature = this.keyOf(signer, epoch).sign(voteSignBytes(CHAIN_ID, statement));
    if (signature instanceof Promise) throw new Error("stand-in keys sign at once");
    return { ...statement, signer, signature };
  }

  /** Other validators vote, over their own connections. */
  vote(signers: readonly number[], kind: VoteKind, view: number, proposalId?: Uint8Array): void {
    for (const signer of signers) this.from(signer, { kind: "vote", vote: this.makeVote(signer, kind, view, proposalId) });
  }

  /** A certificate by these signers. */
  certificate(signers: readonly number[], kind: VoteKind, view: number, proposal?: Proposal, epoch = this.core.epoch.epoch): Certificate {
    const id = proposal ? proposalIdOf(proposal) : undefined;
    const ascending = [...signers].sort((a, b) => a - b);
    const signatures = ascending.map((signer) => this.makeVote(signer, kind, view, id, epoch).signature);
    return {
      kind,
      epoch,
      view,
      ...(proposal ? { proposal } : {}),
      bitmap: makeBitmap(ascending, this.#setAt(epoch).validators.length),
      signatures,
    };
  }

  /** Shows the core a certificate by way of a peer. */
  show(...certificates: readonly Certificate[]): void {
    this.from(this.others[0] ?? 0, { kind: "certificates", certificates });
  }

  /** A nullification of a view by all others. */
  nullification(view: number): Certificate {
    return this.certificate(this.others, VOTE_KIND.nullify, view);
  }

  /** A proposal as an honest leader of `view` makes it on a block this chain holds; `name` tells rivals apart. */
  propose(
    view: number,
    parent?: { readonly proposal: Proposal; readonly certificate: Certificate },
    changes: Partial<Block["header"]> = {},
  ): MadeProposal {
    const { epoch } = this.core;
    const parentHash = parent?.proposal.blockHash ?? this.core.tip.hash;
    const parentTimeMs = this.chain.find(parentHash)?.header.timeMs ?? GENESIS_TIME_MS;
    const parentCertificate = parent?.certificate ?? epoch.opening;
    const leader = this.leaderOf(view);
    const timeMs = changes.timeMs ?? Math.max(Math.floor(this.wallMs), parentTimeMs + 1);
    const request = { epoch: epoch.epoch, view, leader, parentHash, timeMs, isEmpty: false, validatorSet: epoch.set, evidence: [] };
    const built = this.chain.build(parentCertificate ? { ...request, parentCertificate } : request);
    this.chain.discard(built.hash);
    const block: Block = { ...built.block, header: { ...built.block.header, ...changes } };
    const proposal: Proposal = { epoch: epoch.epoch, view, parentView: parent?.proposal.view ?? 0, blockHash: blockHashOf(block.header) };
    return { proposal, id: proposalIdOf(proposal), block, message: this.message(proposal, block) };
  }

  /** A proposal message signed by the view's leader. */
  message(proposal: Proposal, block: Block, nullifications: readonly Certificate[] = []): Message {
    const leaderVote = this.makeVote(
      this.leaderOf(proposal.view),
      VOTE_KIND.notarize,
      proposal.view,
      proposalIdOf(proposal),
      proposal.epoch,
    );
    return { kind: "proposal", proposal, block, nullifications, leaderVote };
  }

  /** Own votes that left, as readable text. */
  get cast(): string[] {
    return this.votes.map((vote) => `${NAMES[vote.kind]} ${vote.epoch}:${vote.view}`);
  }

  /** Messages of a kind that left. */
  sentOf<K extends Message["kind"]>(kind: K): Extract<Message, { kind: K }>[] {
    return this.sent.flatMap(({ message }) => (isOfKind(message, kind) ? [message] : []));
  }

  /** Refusals so far. */
  get refusals(): string[] {
    return this.notices.flatMap((notice) => (notice.kind === "refused" ? [notice.code] : []));
  }

  #setAt(epoch: number): ValidatorSet {
    return this.chain.rules.setOf(epoch);
  }

  #time() {
    return { monotonicMs: this.nowMs, wallMs: this.wallMs };
  }

  #run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.trace.push(effect.kind);
      switch (effect.kind) {
        case "persist":
          this.journal.push(effect.record);
          break;
        case "sign":
          this.#sign(effect.statement, effect.signer);
          break;
        case "broadcast":
          this.sent.push({ to: "*", message: effect.message });
          if (effect.message.kind === "vote") this.votes.push(effect.message.vote);
          break;
        case "send":
          this.sent.push({ to: effect.to, message: effect.message });
          break;
        case "build":
          this.input({ kind: "built", request: effect.request, built: this.chain.build(effect.request) });
          break;
        case "check": {
          const checked: Input = { kind: "checked", hash: effect.hash, verdict: this.chain.check(effect.block) };
          if (this.answersChecks) this.input(checked);
          else this.unanswered.push(checked);
          break;
        }
        case "fetchBatches":
          this.fetchedBatches.push(...effect.digests);
          break;
        case "commit": {
          this.chain.commit(effect.blocks);
          const tip = this.chain.tip();
          const opened = effect.blocks.at(-1)?.block.header.nextValidatorSetHash ? this.chain.findEpoch(tip.epoch + 1) : undefined;
          this.input({ kind: "work", hasWork: this.chain.hasWork() });
          this.input({ kind: "committed", tip, ...(opened ? { opened } : {}) });
          break;
        }
        case "discard":
          this.chain.discard(effect.hash);
          break;
        case "prune":
          this.pruned.push(effect.floor);
          break;
        case "notice":
          this.notices.push(effect.notice);
          break;
        case "halt":
          this.halts.push(effect.reason);
          break;
        case "serveBlock":
        case "serveFinalBlocks":
          break;
      }
    }
  }

  #sign(statement: VoteStatement, signer: number): void {
    const records = [...this.journal, ...this.#replayed];
    const isJournaled = records.some((record) => record.kind === "vote" && isSame(record.statement, statement));
    if (!isJournaled) throw new Error("a vote is signed that was not journaled before");
    this.input({ kind: "ownVote", vote: this.makeVote(signer, statement.kind, statement.view, statement.proposalId, statement.epoch) });
  }
}

const NAMES = { 1: "NOTARIZE", 2: "NULLIFY", 3: "FINALIZE" } as const;

function isOfKind<K extends Message["kind"]>(message: Message, kind: K): message is Extract<Message, { kind: K }> {
  return message.kind === kind;
}

function isSame(a: VoteStatement, b: VoteStatement): boolean {
  const [x, y] = [a.proposalId, b.proposalId];
  return a.kind === b.kind && a.epoch === b.epoch && a.view === b.view && (x && y ? toHex(x) === toHex(y) : !x && !y);
}
