import {
  ConsensusLoop,
  type ConsensusPorts,
  type CoreStatus,
  type JournalPort,
  laterRound,
  type Message,
  type Notice,
  type PeerId,
  type Round,
  type TimerProfile,
  type VoteSigner,
} from "../../src/consensus/index.ts";
import type { CryptoSuite } from "../../src/crypto/index.ts";
import { type Clock, Prng, type Timers, toHex } from "../../src/kernel/index.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { MemoryFileSystem } from "../../src/storage/index.ts";
import { createJournal, openJournal, VoteGuard, type VoteKey } from "../../src/validator/index.ts";
import type { ChainModel } from "./chain-model.ts";

/** Thrown by a port to stop a node at an effect boundary. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

/** What a node is wired to. */
export type NodeSurroundings = {
  readonly clock: Clock;
  readonly timers: (isAlive: () => boolean) => Timers;
  readonly prng: Prng;
  readonly suite: CryptoSuite;
  readonly profile: TimerProfile;
  readonly send: (from: SimNode, to: PeerId, message: Message) => void;
  readonly fetchBatches: (node: SimNode, digests: readonly Uint8Array[]) => void;
  readonly onNotice: (node: SimNode, notice: Notice) => void;
  /** Called when the loop gave up; a SimulatedCrash is a planned one. */
  readonly onFatal: (node: SimNode, error: unknown) => void;
  /** Who may be in a set, whom a broadcast goes to. */
  readonly validators: () => readonly PeerId[];
};

const HOME = "/home";
const JOURNAL = `${HOME}/journal`;

/** One box: the real loop, journal and guard over a simulated disk, chain and network. */
export class SimNode {
  readonly name: string;
  readonly key: VoteKey;
  readonly id: PeerId;
  readonly chain: ChainModel;
  readonly disk: MemoryFileSystem;
  readonly #around: NodeSurroundings;
  #loop: ConsensusLoop | undefined;
  #life = 0;
  /** Effects until the next planned crash; negative for none. */
  crashAfterEffects = -1;
  /** Changes what leaves the box; a traitor's. */
  tamper: ((to: PeerId, message: Message) => Message[]) | undefined;
  /** Encoded votes that left this box in any life, as `kind:epoch:view` -> proposal id hex, for the oracle. */
  readonly votesSent = new Map<string, Set<string>>();
  /** Highest round of a vote that left in any life, but for FINALIZE, which may be for a view already left. */
  highestVoted: Round = { epoch: 0, view: 0 };
  /** Whether an old journal was put back: such a box may contradict itself and counts toward F (docs/limits.md). */
  hasRolledBack = false;
  /** Whether something happened to it that the oracle has not looked at. */
  isTouched = false;
  /** Lives begun. */
  startCount = 0;

  constructor(name: string, key: VoteKey, chain: ChainModel, around: NodeSurroundings) {
    this.name = name;
    this.key = key;
    this.id = toHex(key.publicKey);
    this.chain = chain;
    this.#around = around;
    this.disk = new MemoryFileSystem({ prng: new Prng(around.prng.uint32()), onEffect: () => this.#effect() });
    this.disk.makeDirectory(HOME);
    this.disk.syncDirectory("/");
    createJournal(this.#files(), key.publicKey);
  }

  /** Whether the process runs. */
  get isUp(): boolean {
    return this.#loop !== undefined;
  }

  /** Where its agreement stands; undefined while down. */
  status(): CoreStatus | undefined {
    return this.#loop?.status();
  }

  /** The loop of the current life; undefined while down. */
  get loop(): ConsensusLoop | undefined {
    return this.#loop;
  }

  /** The process starts on what its disk holds. */
  start(): void {
    const life = ++this.#life;
    this.isTouched = true;
    this.startCount++;
    this.chain.restart();
    const isAlive = (): boolean => this.#life === life && this.#loop !== undefined;
    try {
      const journal = openJournal(this.#files(), { publicKey: this.key.publicKey, isBlocking: true });
      const ports: ConsensusPorts = {
        blocks: this.#crashing(this.chain),
        journal: journal satisfies JournalPort,
        signer: new VoteGuard(journal, this.key, this.chain.rules.chainId) satisfies VoteSigner,
        network: {
          broadcast: (message) => {
            for (const peer of this.#around.validators()) if (peer !== this.id) this.#send(peer, message);
          },
          send: (peer, message) => this.#send(peer, message),
          fetchBatches: (digests) => this.#around.fetchBatches(this, digests),
        },
        clock: this.#around.clock,
        timers: this.#around.timers(() => {
          this.isTouched = true;
          return isAlive();
        }),
        onNotice: (notice) => this.#around.onNotice(this, notice),
        onFatal: (error) => this.#around.onFatal(this, error),
      };
      const options = { chainId: this.chain.rules.chainId, suite: this.#around.suite, profile: this.#around.profile };
      this.#loop = new ConsensusLoop(ports, { ...options, seed: this.#around.prng.uint32() });
      this.#loop.start();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error; // a crash while opening
      this.#around.onFatal(this, error);
    }
  }

  /** The process dies; with `isPowerCut` un-synced writes meet their fate. */
  crash(isPowerCut: boolean): void {
    this.#loop?.stop();
    this.#loop = undefined;
    this.#life++;
    this.crashAfterEffects = -1;
    if (isPowerCut) this.disk.crash();
    else this.disk.kill();
  }

  /** Loses the journal, as a wiped disk does. */
  wipeJournal(): void {
    this.disk.wipe(JOURNAL);
    this.highestVoted = { epoch: 0, view: 0 };
  }

  /** Puts the journal back as it was when an image was taken. */
  restoreJournal(image: ReadonlyMap<string, Uint8Array>): void {
    this.disk.restore(image, JOURNAL);
    this.hasRolledBack = true;
    this.highestVoted = { epoch: 0, view: 0 };
  }

  #files() {
    return { fs: this.disk, directory: JOURNAL, entropy: { bytes: (count: number) => this.#around.prng.bytes(count) } };
  }

  #send(to: PeerId, message: Message): void {
    this.#effect();
    if (message.kind === "vote") this.#noteVote(message);
    for (const each of this.tamper?.(to, message) ?? [message]) this.#around.send(this, to, each);
  }

  #noteVote({ vote }: Extract<Message, { kind: "vote" }>): void {
    if (vote.kind !== VOTE_KIND.finalize) this.highestVoted = laterRound(this.highestVoted, { epoch: vote.epoch, view: vote.view });
    const key = `${vote.kind}:${vote.epoch}:${vote.view}`;
    const ids = this.votesSent.get(key) ?? new Set();
    this.votesSent.set(key, ids.add(vote.proposalId ? toHex(vote.proposalId) : ""));
  }

  #crashing(chain: ChainModel): ChainModel {
    return new Proxy(chain, {
      get: (target, property, receiver) => {
        if (property === "commit") this.#effect();
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : Reflect.get(target, property, receiver);
      },
    });
  }

  #effect(): void {
    if (this.crashAfterEffects < 0) return;
    if (this.crashAfterEffects-- === 0) throw new SimulatedCrash(this.name);
  }
}
