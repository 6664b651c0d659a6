import { drainMicrotasks } from "bun:jsc";
import { isChainDamaged } from "../../src/blocks/index.ts";
import { type FinalizedBlock, LAN_TIMERS, type Message, type Notice, type PeerId, type TimerProfile } from "../../src/consensus/index.ts";
import { type Signer, sha256 } from "../../src/crypto/index.ts";
import { Prng, present, toHex, utf8 } from "../../src/kernel/index.ts";
import { type DisseminationMessage, encodeDisseminationMessage, type PeerFault } from "../../src/mempool/index.ts";
import { StartRefused } from "../../src/node/start-refused.ts";
import type { ValidatorSet } from "../../src/protocol/index.ts";
import { isStorageError } from "../../src/storage/index.ts";
import { SimHost } from "./host.ts";
import { Ed25519Keys, type SimKeys, StandInKeys, setOf } from "./keys.ts";
import { ModelWorld } from "./model-world.ts";
import { batchParcel, openParcel, type Parcel, SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { Schedule } from "./schedule.ts";
import type { ChainRules } from "./sim-chain.ts";
import { SimNode } from "./sim-node.ts";
import { WholeWorld } from "./whole-world.ts";
import type { World, WorldParts } from "./world.ts";

/** How a run is set up; everything random comes from `seed`. */
export type ClusterOptions = {
  readonly seed: number;
  readonly weights: readonly bigint[];
  readonly profile?: TimerProfile;
  /** Boxes that are in no set and only follow. */
  readonly observerCount?: number;
  readonly epochBlocks?: number;
  /** Milliseconds a message takes, at least and at most. */
  readonly delayMs?: readonly [number, number];
  /**
   * Whether the last member leaves the set in every odd epoch (five members or more), or each in its turn for one epoch; or
   * whether, of seven, the first four and the first with the last three take turns.
   */
  readonly hasSetChanges?: boolean | "rotating" | "restaffed";
  /** Share of messages lost, 0..1. */
  readonly loss?: number;
  /** Validators whose key a second box runs too, by index; the boxes come after the validators and observers. */
  readonly clones?: readonly number[];
  /** Whether every other box, from the second on, prunes what lies a few blocks back; the others keep everything. */
  readonly hasPruners?: boolean;
  /** What runs in the boxes: real consensus over a cheap chain (default), or whole nodes. */
  readonly fidelity?: "model" | "whole";
  /** Whether signatures are Ed25519; default the stand-in. */
  readonly hasRealSignatures?: boolean;
};

/** A message's fate, by its ends and content, when it arrives. */
export type MessageRule = (from: number, to: number, message: Message) => boolean;

const GENESIS_TIME_MS = 1_700_000_000_000;
/** Boxes that stand by where whole nodes change their set: one takes over a key, one joins. */
const STANDBYS = 2;
/** So long a peer stays with one of two boxes that run the same key. */
const CLONE_SHIFT_MS = 1_500;

/** A whole network of real consensus under a simulated clock, network and disk. One seed gives one run. */
export class Cluster {
  readonly schedule = new Schedule();
  readonly oracle: Oracle;
  readonly network: SimNetwork;
  readonly nodes: SimNode[];
  readonly prng: Prng;
  readonly rules: ChainRules;
  readonly keys: SimKeys;
  readonly world: World;
  /** Notices of all nodes, in order, but for the everyday ones. */
  readonly notices: { readonly node: number; readonly notice: Notice }[] = [];
  /** Errors that stopped a node and were not planned. */
  readonly failures: unknown[] = [];
  /** What boxes said of each other's messages of dissemination. */
  readonly batchFaults: { readonly node: number; readonly peer: PeerId; readonly fault: PeerFault }[] = [];
  /** Messages delivered, by kind. */
  readonly delivered = new Map<Message["kind"], number>();
  /** Hash of all deliveries with their contents, of all commits, and of what the disks had written by then. */
  trace = 0x811c9dc5;
  /** Drops single messages on arrival, for tests; the network's own rule cuts links. */
  isLinkUp: MessageRule = () => true;
  /** Overhears every message that arrives. */
  onDelivery: (message: Message) => void = () => {};
  /** How long a crashed node stays down, given when a planned crash strikes. */
  restartDelayMs: readonly [number, number] = [10, 500];
  readonly #options: ClusterOptions;
  /** Boxes by the key they run; more than one when a key has clones. */
  readonly #boxesOf = new Map<PeerId, number[]>();
  readonly #validatorIds: PeerId[];

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.prng = new Prng(options.seed);
    this.keys = options.hasRealSignatures === true ? new Ed25519Keys() : new StandInKeys();
    const keys = options.weights.map((_, i) => this.keys.make(`validator ${i}`));
    const isRestaffed = options.fidelity === "whole" && options.hasSetChanges !== undefined && options.hasSetChanges !== false;
    const observerCount = options.observerCount ?? (isRestaffed ? STANDBYS : 0);
    const observers = Array.from({ length: observerCount }, (_, i) => this.keys.make(`observer ${i}`));
    this.world = makeWorld(options, this.keys, observers, { schedule: this.schedule, prng: this.prng, nodes: () => this.nodes });
    this.rules = this.world.rules;
    const clones = (options.clones ?? []).map((index) => present(keys[index], "a clone is of a validator"));
    this.oracle = new Oracle(this.rules, this.keys.suite, this.world.reexecution());
    this.network = new SimNetwork(this.schedule, this.prng.uint32(), (from, to, parcel) => this.#deliver(from, to, parcel));
    this.network.delayMs = options.delayMs ?? this.network.delayMs;
    this.network.loss = options.loss ?? 0;
    this.#validatorIds = (isRestaffed ? [...keys, ...observers] : keys).map((key) => toHex(key.publicKey));
    this.nodes = [...keys, ...observers, ...clones].map((key, i) => {
      const around = {
        host: new SimHost(this.schedule, GENESIS_TIME_MS + 5),
        prng: new Prng(this.prng.uint32()),
        keys: this.keys,
        profile: options.profile ?? LAN_TIMERS,
        isPruner: options.hasPruners === true && i % 2 === 1,
        send: (from: SimNode, to: PeerId, message: Message) => this.#send(from, to, message),
        sendBatchMessage: (from: SimNode, to: PeerId, message: DisseminationMessage) => this.#sendBatchMessage(from, to, message),
        onBatchFault: (at: SimNode, peer: PeerId, fault: PeerFault) => this.batchFaults.push({ node: this.nodes.indexOf(at), peer, fault }),
        fetchBatches: (at: SimNode, digests: readonly Uint8Array[]) => this.world.fetchBatches(at, digests),
        onNotice: (from: SimNode, notice: Notice) => this.#onNotice(from, notice),
        onCommit: (at: SimNode, blocks: readonly FinalizedBlock[]) => this.#onCommit(at, blocks),
        onFatal: (at: SimNode, error: unknown) => this.#onFatal(at, error),
        validators: () => this.#validatorIds,
      };
      const node = new SimNode(`node ${i}`, key, around, (box) => this.world.insidesOf(i, box));
      this.#boxesOf.set(node.id, [...(this.#boxesOf.get(node.id) ?? []), i]);
      return node;
    });
    this.schedule.onSettling = () => this.#settle();
    for (const node of this.nodes) node.sharesKey = (this.#boxesOf.get(node.id)?.length ?? 0) > 1;
  }

  /** After each event: what only waits for its turn has it, and processes that must end do. */
  #settle(): void {
    drainMicrotasks();
    for (const node of this.nodes) node.endIfDying();
  }

  /** Starts every node and connects them. */
  start(): void {
    for (const node of this.nodes) this.startNode(node);
  }

  /** Starts one node; it and the others that are up meet. */
  startNode(node: SimNode): void {
    node.start();
    for (const other of this.nodes) {
      if (other.id === node.id || !other.isUp || !node.isUp) continue;
      other.peers?.onPeerDown(node.id);
      other.peers?.onPeerUp(node.id);
      node.peers?.onPeerUp(other.id);
    }
    this.#settle();
  }

  /** Stops a node as a power cut (or a kill) does and starts it again later. */
  crashNode(node: SimNode, isPowerCut: boolean, downMs: number): void {
    node.crash(isPowerCut);
    const hasTwinUp = this.nodes.some((other) => other !== node && other.id === node.id && other.isUp);
    for (const other of this.nodes) {
      if (other.id === node.id) continue;
      other.peers?.onPeerDown(node.id);
      if (hasTwinUp) other.peers?.onPeerUp(node.id); // the connection now leads to the other box that runs the key
    }
    if (Number.isFinite(downMs)) this.schedule.after(downMs, () => this.startNode(node));
  }

  /** Gives something new to execute to these nodes (default one at random), a batch or a transaction; gives its id. */
  submit(to: readonly number[] = [this.prng.below(this.nodes.length)]): Uint8Array {
    const id = this.world.submit(to);
    this.#settle();
    return id;
  }

  /** Sees to it that what was submitted reaches every node after a while: announcements reach everyone in the end. */
  spread(id: Uint8Array, withinMs: number): void {
    this.world.spread(id, withinMs);
  }

  /** Runs for a simulated time or until a condition holds, the oracle watching. */
  run(forMs: number, isDone: () => boolean = () => false): boolean {
    const isOver = this.schedule.runUntil(this.schedule.nowMs + forMs, () => {
      if (this.failures.length > 0) throw this.failures[0];
      for (const node of this.nodes) {
        if (node.isTouched) this.oracle.observe(node);
        node.isTouched = false;
      }
      return this.oracle.findings.length > 0 || isDone();
    });
    this.oracle.conclude(this.nodes, this.schedule.nowMs, this.#options.profile ?? LAN_TIMERS);
    return isOver && this.oracle.findings.length === 0;
  }

  /** The run is over and looked at: databases are closed, which otherwise wait for the garbage collector. */
  end(): void {
    for (const node of this.nodes) node.insides.end();
  }

  /** Lowest committed height of the honest nodes that are up. */
  get lowestHeight(): number {
    return Math.min(...this.nodes.filter((node) => node.isUp && !node.tamper).map((node) => node.chain.committed.length));
  }

  /** Sends bytes that need be no message, as a broken or foreign program does. */
  sendRaw(from: SimNode, to: PeerId, parcel: Parcel): void {
    const target = this.#boxFor(from, to);
    if (target !== undefined) this.network.send(this.nodes.indexOf(from), target, parcel);
  }

  #send(from: SimNode, to: PeerId, message: Message): void {
    const target = this.#boxFor(from, to);
    if (target === undefined) return;
    const parcel = this.network.parcelOf(message);
    this.oracle.onSent(from, to, message, parcel.bytes.length);
    this.network.send(this.nodes.indexOf(from), target, parcel);
  }

  /** Uplinks are narrow or not; none refuses, as a queue of a few megabytes does not in a run. */
  #sendBatchMessage(from: SimNode, to: PeerId, message: DisseminationMessage): boolean {
    const target = this.#boxFor(from, to);
    if (target === undefined) return false;
    this.network.send(this.nodes.indexOf(from), target, batchParcel(encodeDisseminationMessage(message)));
    return true;
  }

  /** The box that a sender's connection to a key leads to; of a key's clones each serves its share of the others. */
  #boxFor(from: SimNode, to: PeerId): number | undefined {
    const all = this.#boxesOf.get(to);
    if (!all || all.length === 1) return all?.[0];
    const boxes = all.filter((box) => this.nodes[box]?.isUp);
    return boxes[(this.nodes.indexOf(from) + Math.floor(this.schedule.nowMs / CLONE_SHIFT_MS)) % boxes.length];
  }

  #deliver(from: number, to: number, parcel: Parcel): void {
    const node = present(this.nodes[to], "a parcel goes to a box");
    const source = present(this.nodes[from], "a parcel comes from a box");
    node.host.take(() => {
      if (!node.loop) return;
      this.#trace(from, to, parcel.hash);
      if (parcel.kind === "batches") {
        node.peers?.onBatchMessage(source.id, parcel.bytes);
        return;
      }
      const message = openParcel(parcel);
      if (!message && parcel.kind !== "unknown" && !source.tamper)
        throw new Error(`a ${parcel.kind} message does not survive its encoding`);
      if (!message || !this.isLinkUp(from, to, message)) return; // what does not decode goes no further than the network layer
      this.delivered.set(message.kind, (this.delivered.get(message.kind) ?? 0) + 1);
      this.onDelivery(message);
      node.peers?.onMessage(source.id, message);
    });
  }

  #onCommit(node: SimNode, blocks: readonly FinalizedBlock[]): void {
    this.oracle.onCommit(node, blocks);
    const { syncCount, writtenBytes } = node.disk;
    for (const { hash } of blocks) this.#stir(this.nodes.indexOf(node), new DataView(hash.buffer, hash.byteOffset).getUint32(0));
    this.#stir(syncCount, writtenBytes);
  }

  /** Every delivery, with its time, parties and content. */
  #trace(from: number, to: number, content: number): void {
    this.#stir(from * 64 + to, content);
  }

  /** Mixes two numbers and the time into the trace: equal runs have equal traces. */
  #stir(first: number, second: number): void {
    for (const word of [Math.round(this.schedule.nowMs * 1_000), first, second]) {
      this.trace = Math.imul(this.trace ^ word, 0x01000193) >>> 0;
      this.trace = (this.trace ^ (this.trace >>> 15)) >>> 0;
    }
  }

  #onNotice(from: SimNode, notice: Notice): void {
    if (notice.kind === "evidence" && !from.tamper) this.oracle.judgeEvidence(from, this.nodes, notice.encoded);
    if (notice.kind !== "entered" && notice.kind !== "certified") this.notices.push({ node: this.nodes.indexOf(from), notice });
  }

  #onFatal(node: SimNode, error: unknown): void {
    if (!node.isPlanned(error)) {
      this.failures.push(error);
      node.crash(false);
      return;
    }
    const [least, most] = this.restartDelayMs;
    this.crashNode(node, this.prng.chance(0.5), least + this.prng.below(most - least));
    if (node.hasLyingDisk && isDamage(error)) node.replaceDisk();
  }
}

/** Whether a process ended over something on its disk that is not what was written. */
function isDamage(error: unknown): boolean {
  const cause = error instanceof StartRefused ? (error.cause ?? error) : error;
  return cause instanceof StartRefused || isStorageError(cause, "damaged") || isChainDamaged(cause);
}

function makeWorld(options: ClusterOptions, keys: SimKeys, observers: readonly Signer[], parts: WorldParts): World {
  const { weights, epochBlocks = 1_000_000 } = options;
  const validators = weights.map((_, i) => keys.make(`validator ${i}`));
  if (options.fidelity === "whole") {
    const hasSetChanges = options.hasSetChanges !== undefined && options.hasSetChanges !== false;
    const people = { keys, genesisTimeMs: GENESIS_TIME_MS, validators, weights, observers, epochBlocks, hasSetChanges };
    return new WholeWorld(people, parts);
  }
  const setOfEpoch = setsOf(validators, options);
  const chainId = sha256(utf8("simulated chain"));
  return new ModelWorld({ chainId, genesisTimeMs: GENESIS_TIME_MS, epochBlocks, setOf: setOfEpoch }, parts);
}

/** The set of each epoch of a modelled chain. */
function setsOf(validators: readonly Signer[], { weights, hasSetChanges }: ClusterOptions): (epoch: number) => ValidatorSet {
  const whole = setOf(validators, weights);
  if (!hasSetChanges) return () => whole;
  const without = (absent: number): ValidatorSet =>
    setOf(
      validators.filter((_, i) => i !== absent),
      weights.filter((_, i) => i !== absent),
    );
  if (hasSetChanges === "restaffed")
    return (epoch) => setOf([...validators.slice(0, 1), ...validators.slice(...shiftOf(epoch))], weights.slice(0, 4));
  const sets = hasSetChanges === "rotating" ? validators.map((_, i) => without(i)) : [whole, without(validators.length - 1)];
  return (epoch) => present(sets[epoch % sets.length], "a set for each epoch");
}

/** Which of seven validators an epoch has beside the first. */
function shiftOf(epoch: number): readonly [number, number] {
  return epoch % 2 === 0 ? [1, 4] : [4, 7];
}
