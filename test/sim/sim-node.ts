import { isChainDamaged } from "../../src/blocks/index.ts";
import type { ConsensusLoop, CoreStatus, FinalizedBlock, Message, Notice, PeerId, TimerProfile } from "../../src/consensus/index.ts";
import type { Signer } from "../../src/crypto/index.ts";
import { Prng, type Timers, toHex } from "../../src/kernel/index.ts";
import type { DisseminationMessage, PeerFault } from "../../src/mempool/index.ts";
import { StartRefused } from "../../src/node/start-refused.ts";
import { isStorageError, MemoryFileSystem } from "../../src/storage/index.ts";
import type { SimHost } from "./host.ts";
import { type BoxParts, type EffectKind, HOME, type Insides, JOURNAL, type LifeParts, type Process, SimulatedCrash } from "./insides.ts";
import type { SimKeys } from "./keys.ts";
import type { SimChain } from "./sim-chain.ts";

export { type EffectKind, HOME, JOURNAL } from "./insides.ts";

/** What a node is wired to. */
export type NodeSurroundings = {
  readonly host: SimHost;
  readonly prng: Prng;
  readonly keys: SimKeys;
  readonly profile: TimerProfile;
  readonly isPruner: boolean;
  readonly send: (from: SimNode, to: PeerId, message: Message) => void;
  /** Sends a message of dissemination; false when there is no room for it. */
  readonly sendBatchMessage: (from: SimNode, to: PeerId, message: DisseminationMessage) => boolean;
  readonly onBatchFault: (node: SimNode, peer: PeerId, fault: PeerFault) => void;
  readonly fetchBatches: (node: SimNode, digests: readonly Uint8Array[]) => void;
  readonly onNotice: (node: SimNode, notice: Notice) => void;
  /** Called before final blocks are committed. */
  readonly onCommit: (node: SimNode, blocks: readonly FinalizedBlock[]) => void;
  /** Called when the process gave up, once its stack is unwound; a SimulatedCrash is a planned end. */
  readonly onFatal: (node: SimNode, error: unknown) => void;
  /** Who may be in a set, whom a broadcast goes to. */
  readonly validators: () => readonly PeerId[];
};

/** What a home holds: files by path, and the content of databases by path. */
export type HomeImage = { readonly files: ReadonlyMap<string, Uint8Array>; readonly databases: ReadonlyMap<string, Uint8Array> };

/** One box: a node, or as much of it as its insides are, over a simulated disk, clock and network. */
export class SimNode {
  readonly name: string;
  readonly key: Signer;
  readonly id: PeerId;
  readonly insides: Insides;
  readonly disk: MemoryFileSystem;
  readonly host: SimHost;
  readonly #around: NodeSurroundings;
  #process: Process | undefined;
  #life = 0;
  /** Why the process is ending, until it has; no effect of it happens any more. */
  #dyingOf: { readonly error: unknown } | undefined;
  /** Effects until the next planned crash; negative for none. */
  crashAfterEffects = -1;
  /** Effects into the next start until a planned crash; negative for none. */
  crashAfterStartEffects = -1;
  /** Stops just before the n-th effect of a kind from now, 1 being the next. */
  crashBefore: { readonly kind: EffectKind; left: number } | undefined;
  /** Whether its disk fails on purpose, so that a loop that gives up over it is no finding. */
  hasDiskTrouble = false;
  /** Changes what leaves the box; a traitor's. */
  tamper: ((to: PeerId, message: Message) => Message[]) | undefined;
  /** Votes that left this box in any life, as `kind:epoch:view`. */
  readonly votesSent = new Set<string>();
  /** Whether an old journal was put back: such a box may contradict itself and counts toward F (docs/limits.md). */
  hasRolledBack = false;
  /** Whether another box runs the same key: the two contradict each other and count toward F. */
  sharesKey = false;
  /** Whether its disk ever lied about a sync: what it remembers is then no better than a guess, and it counts toward F. */
  hasLyingDisk = false;
  /** Journals lost or put back so far. */
  journalLosses = 0;
  /** Times that its whole home went back in time, or was lost. */
  homeLosses = 0;
  /** Whether something happened to it that the oracle has not looked at. */
  isTouched = false;
  /** Lives begun. */
  startCount = 0;

  constructor(name: string, key: Signer, around: NodeSurroundings, insidesOf: (box: BoxParts) => Insides) {
    this.name = name;
    this.key = key;
    this.id = toHex(key.publicKey);
    this.#around = around;
    this.host = around.host;
    this.disk = new MemoryFileSystem({
      prng: new Prng(around.prng.uint32()),
      onEffect: ({ operation }) => this.#effect(operation === "write" ? "append" : operation === "sync" ? "sync" : "other"),
      afterSyncTime: (complete) => this.#afterSyncTime(complete),
    });
    this.disk.makeDirectory(HOME);
    this.disk.syncDirectory("/");
    const { keys, prng, host, profile, isPruner } = around;
    this.insides = insidesOf({ key, keys, disk: this.disk, host, prng, profile, isPruner, onEffect: (kind) => this.#effect(kind) });
  }

  /** Its chain as it is on its disk. */
  get chain(): SimChain {
    return this.insides.chain;
  }

  /** Whether the process runs. */
  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** Whether it may contradict itself: a traitor, a clone, or a box whose journal went back in time. */
  get isFaulty(): boolean {
    return this.tamper !== undefined || this.hasRolledBack || this.sharesKey || this.hasLyingDisk;
  }

  /** Where its agreement stands; undefined while down. */
  status(): CoreStatus | undefined {
    return this.#process?.loop.status();
  }

  /** The loop of the current life; undefined while down. */
  get loop(): ConsensusLoop | undefined {
    return this.#process?.loop;
  }

  /** Where the network hands in what peers do and say; undefined while down. */
  get peers(): Process["peers"] | undefined {
    return this.#process?.peers;
  }

  /** The process starts on what its disk holds. */
  start(): void {
    const life = ++this.#life;
    this.isTouched = true;
    this.startCount++;
    if (this.crashAfterStartEffects >= 0) this.crashAfterEffects = this.crashAfterStartEffects;
    this.crashAfterStartEffects = -1;
    const isAlive = (): boolean => this.#life === life && this.#dyingOf === undefined;
    const fail = (error: unknown): void => {
      if (isAlive()) this.#dyingOf = { error };
    };
    this.enter(() => {
      const { loop, peers } = this.insides.open(this.#lifeParts(isAlive, fail));
      this.#process = { loop, peers: this.#guarded(peers) };
      this.insides.run();
    });
  }

  /** Lets something happen to the process from outside; what it throws ends it. */
  enter(action: () => void): void {
    this.isTouched = true;
    try {
      action();
    } catch (error) {
      this.#dyingOf ??= { error };
    }
  }

  /** Ends the process when something in it said that it must; called once nothing of it is on the stack. */
  endIfDying(): void {
    if (this.#dyingOf) this.#around.onFatal(this, this.#dyingOf.error);
  }

  /** Whether an error that ended the process was asked for. */
  isPlanned(error: unknown): boolean {
    const isOfDisk = isStorageError(error) || isChainDamaged(error) || error instanceof StartRefused;
    return error instanceof SimulatedCrash || (isOfDisk && (this.hasDiskTrouble || this.hasLyingDisk));
  }

  /** The process dies; with `isPowerCut` un-synced writes meet their fate. */
  crash(isPowerCut: boolean): void {
    this.#process?.loop.stop();
    this.#process = undefined;
    this.#life++;
    this.#dyingOf = undefined;
    this.crashAfterEffects = -1;
    this.crashBefore = undefined;
    if (isPowerCut) this.disk.crash();
    else this.disk.kill();
    this.insides.crash(isPowerCut);
  }

  /** Loses the journal, as a wiped disk does. */
  wipeJournal(): void {
    this.disk.wipe(JOURNAL);
    this.journalLosses++;
  }

  /** Puts the journal back as it was when an image was taken. */
  restoreJournal(image: ReadonlyMap<string, Uint8Array>): void {
    this.disk.restore(image, JOURNAL);
    this.hasRolledBack = true;
    this.journalLosses++;
  }

  /** Everything that lies on its disk durably; put back by `restoreHome`. */
  homeImage(): HomeImage {
    return { files: this.disk.image(), databases: this.insides.databaseImages() };
  }

  /** Puts the whole home back as it was, while nothing runs: what restoring a backup does. */
  restoreHome({ files, databases }: HomeImage): void {
    this.disk.restore(files, HOME);
    this.insides.restoreDatabases(databases);
    this.hasRolledBack = true;
    this.journalLosses++;
    this.homeLosses++;
  }

  /** The operator puts in a new disk: the key is there, nothing else is. */
  replaceDisk(): void {
    this.disk.liesAboutSync = false;
    this.disk.healReads();
    this.disk.wipe(HOME);
    this.disk.makeDirectory(HOME);
    this.disk.syncDirectory("/");
    this.insides.restoreDatabases(new Map());
    this.journalLosses++;
    this.homeLosses++;
  }

  #lifeParts(isAlive: () => boolean, fail: (error: unknown) => void): LifeParts {
    const around = this.#around;
    return {
      timers: this.#timers(isAlive),
      network: {
        broadcast: (message) => {
          for (const peer of around.validators()) if (peer !== this.id) this.#send(peer, message);
        },
        send: (peer, message) => this.#send(peer, message),
        fetchBatches: (digests) => around.fetchBatches(this, digests),
        sendBatchMessage: (peer, message) => {
          this.#effect("send");
          return around.sendBatchMessage(this, peer, message);
        },
        onBatchFault: (peer, fault) => around.onBatchFault(this, peer, fault),
      },
      onNotice: (notice) => around.onNotice(this, notice),
      onCommit: (blocks) => around.onCommit(this, blocks),
      onFatal: fail,
    };
  }

  #guarded(peers: Process["peers"]): Process["peers"] {
    return {
      onPeerUp: (peer) => this.enter(() => peers.onPeerUp(peer)),
      onPeerDown: (peer) => this.enter(() => peers.onPeerDown(peer)),
      onMessage: (from, message) => this.enter(() => peers.onMessage(from, message)),
      onBatchMessage: (from, payload) => this.enter(() => peers.onBatchMessage(from, payload)),
    };
  }

  #timers(isAlive: () => boolean): Timers {
    const timers = this.host.timers(isAlive, () => {});
    return { after: (delayMs, action) => timers.after(delayMs, () => this.enter(action)) };
  }

  /** A sync off the thread takes up to a few milliseconds, in which the power may go. */
  #afterSyncTime(complete: () => void): void {
    this.host.after(0.1 + this.#around.prng.below(4_000) / 1_000, () => {
      this.isTouched = true;
      complete();
    });
  }

  #send(to: PeerId, message: Message): void {
    this.#effect("send");
    if (message.kind === "vote") this.votesSent.add(`${message.vote.kind}:${message.vote.epoch}:${message.vote.view}`);
    for (const each of this.tamper?.(to, message) ?? [message]) this.#around.send(this, to, each);
  }

  #effect(kind: EffectKind): void {
    if (this.#dyingOf) throw new SimulatedCrash(this.name);
    const planned = this.crashBefore;
    if (planned?.kind === kind && --planned.left === 0) this.#strike(`${this.name} before ${kind}`);
    if (this.crashAfterEffects < 0) return;
    if (this.crashAfterEffects-- === 0) this.#strike(this.name);
  }

  /** From here on the process does nothing more, whoever on its stack catches what. */
  #strike(message: string): never {
    const error = new SimulatedCrash(message);
    this.#dyingOf = { error };
    throw error;
  }
}
