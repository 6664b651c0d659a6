import { LAN_TIMERS, type Message, type Notice, type PeerId, type TimerProfile } from "../../src/consensus/index.ts";
import { sha256 } from "../../src/crypto/index.ts";
import { Prng, present, toHex, u64be, utf8 } from "../../src/kernel/index.ts";
import { isStorageError } from "../../src/storage/index.ts";
import { ChainModel, type ChainRules } from "./chain-model.ts";
import { SimHost } from "./host.ts";
import { StandInKeys, setOf } from "./keys.ts";
import { openParcel, type Parcel, SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { Schedule } from "./schedule.ts";
import { SimNode, SimulatedCrash } from "./sim-node.ts";

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
  /** Whether the last member leaves the set in every odd epoch; needs five members or more. */
  readonly hasSetChanges?: boolean;
  /** Share of messages lost, 0..1. */
  readonly loss?: number;
  /** Validators whose key a second box runs too, by index; the boxes come after the validators and observers. */
  readonly clones?: readonly number[];
};

/** A message's fate, by its ends and content, when it arrives. */
export type MessageRule = (from: number, to: number, message: Message) => boolean;

const GENESIS_TIME_MS = 1_700_000_000_000;
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
  readonly keys = new StandInKeys();
  /** Notices of all nodes, in order, but for the everyday ones. */
  readonly notices: { readonly node: number; readonly notice: Notice }[] = [];
  /** Errors that stopped a node and were not planned. */
  readonly failures: unknown[] = [];
  /** Messages delivered, by kind. */
  readonly delivered = new Map<Message["kind"], number>();
  /** Hash of all deliveries so far, with their contents. */
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
  #batchCount = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.prng = new Prng(options.seed);
    const keys = options.weights.map((_, i) => this.keys.make(`validator ${i}`));
    const whole = setOf(keys, options.weights);
    const smaller = options.hasSetChanges ? setOf(keys.slice(0, -1), options.weights.slice(0, -1)) : whole;
    this.rules = {
      chainId: sha256(utf8("simulated chain")),
      genesisTimeMs: GENESIS_TIME_MS,
      epochBlocks: options.epochBlocks ?? 1_000_000,
      setOf: (epoch) => (epoch % 2 === 0 ? whole : smaller),
    };
    const observers = Array.from({ length: options.observerCount ?? 0 }, (_, i) => this.keys.make(`observer ${i}`));
    const clones = (options.clones ?? []).map((index) => present(keys[index], "a clone is of a validator"));
    this.oracle = new Oracle(this.rules, this.keys.suite);
    this.network = new SimNetwork(this.schedule, this.prng.uint32(), (from, to, parcel) => this.#deliver(from, to, parcel));
    this.network.delayMs = options.delayMs ?? this.network.delayMs;
    this.network.loss = options.loss ?? 0;
    this.#validatorIds = keys.map((key) => toHex(key.publicKey));
    this.nodes = [...keys, ...observers, ...clones].map((key, i) => {
      const node = new SimNode(`node ${i}`, key, new ChainModel(this.rules), {
        host: new SimHost(this.schedule, GENESIS_TIME_MS + 5),
        prng: new Prng(this.prng.uint32()),
        suite: this.keys.suite,
        profile: options.profile ?? LAN_TIMERS,
        send: (from, to, message) => this.#send(from, to, message),
        fetchBatches: (to, digests) => this.#serveBatches(to, digests),
        onNotice: (from, notice) => this.#onNotice(from, notice),
        onCommit: (at, blocks) => this.oracle.onCommit(at, blocks),
        onFatal: (at, error) => this.#onFatal(at, error),
        validators: () => this.#validatorIds,
      });
      this.#boxesOf.set(node.id, [...(this.#boxesOf.get(node.id) ?? []), i]);
      return node;
    });
    for (const node of this.nodes) node.sharesKey = (this.#boxesOf.get(node.id)?.length ?? 0) > 1;
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
      other.loop?.onPeerDown(node.id);
      other.loop?.onPeerUp(node.id);
      node.loop?.onPeerUp(other.id);
    }
  }

  /** Stops a node as a power cut (or a kill) does and starts it again later. */
  crashNode(node: SimNode, isPowerCut: boolean, downMs: number): void {
    node.crash(isPowerCut);
    for (const other of this.nodes) if (other !== node) other.loop?.onPeerDown(node.id);
    if (Number.isFinite(downMs)) this.schedule.after(downMs, () => this.startNode(node));
  }

  /** Gives a new batch to these nodes (default one at random); the others fetch it when a block names it. */
  submit(to: readonly number[] = [this.prng.below(this.nodes.length)]): Uint8Array {
    const digest = sha256(utf8("batch"), u64be(this.#batchCount++));
    for (const index of to) this.#give(this.nodes[index], digest);
    return digest;
  }

  /** Gives a batch to every node after a while: announcements reach everyone in the end. */
  spread(digest: Uint8Array, withinMs: number): void {
    for (const node of this.nodes) {
      this.schedule.after(this.prng.below(withinMs), () => this.#give(node, digest));
    }
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

  /** Lowest committed height of the honest nodes that are up. */
  get lowestHeight(): number {
    return Math.min(...this.nodes.filter((node) => node.isUp && !node.tamper).map((node) => node.chain.committed.length));
  }

  #give(node: SimNode | undefined, digest: Uint8Array): void {
    if (!node) return;
    node.isTouched = true;
    node.chain.hold(digest);
    node.loop?.onWork();
    node.loop?.onBatchesHeld();
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

  /** The box that a sender's connection to a key leads to; of a key's clones each serves its share of the others. */
  #boxFor(from: SimNode, to: PeerId): number | undefined {
    const boxes = this.#boxesOf.get(to);
    if (!boxes || boxes.length === 1) return boxes?.[0];
    return boxes[(this.nodes.indexOf(from) + Math.floor(this.schedule.nowMs / CLONE_SHIFT_MS)) % boxes.length];
  }

  #deliver(from: number, to: number, parcel: Parcel): void {
    const node = present(this.nodes[to], "a parcel goes to a box");
    const source = present(this.nodes[from], "a parcel comes from a box");
    node.host.take(() => {
      if (!node.loop) return;
      const message = openParcel(parcel);
      this.#trace(from, to, parcel.hash);
      if (!message || !this.isLinkUp(from, to, message)) return; // what does not decode goes no further than the network layer
      this.delivered.set(message.kind, (this.delivered.get(message.kind) ?? 0) + 1);
      this.onDelivery(message);
      node.isTouched = true;
      node.loop.onMessage(source.id, message);
    });
  }

  /** Every delivery, with its time, parties and content, stirred into one number: equal runs have equal traces. */
  #trace(from: number, to: number, content: number): void {
    for (const word of [Math.round(this.schedule.nowMs * 1_000), from * 64 + to, content]) {
      this.trace = Math.imul(this.trace ^ word, 0x01000193) >>> 0;
      this.trace = (this.trace ^ (this.trace >>> 15)) >>> 0;
    }
  }

  #onNotice(from: SimNode, notice: Notice): void {
    if (notice.kind === "evidence" && !from.tamper) this.oracle.judgeEvidence(from, this.nodes, notice.encoded);
    if (notice.kind !== "entered" && notice.kind !== "certified") this.notices.push({ node: this.nodes.indexOf(from), notice });
  }

  #serveBatches(to: SimNode, digests: readonly Uint8Array[]): void {
    this.schedule.after(1 + this.prng.below(20), () => {
      for (const digest of digests)
        if (this.nodes.some((node) => node.isUp && node.chain.batches.has(toHex(digest)))) to.chain.hold(digest);
      to.isTouched = true;
      to.loop?.onBatchesHeld();
    });
  }

  #onFatal(node: SimNode, error: unknown): void {
    const isPlanned = error instanceof SimulatedCrash || (isStorageError(error) && node.hasDiskTrouble);
    if (!isPlanned) {
      this.failures.push(error);
      return;
    }
    const [least, most] = this.restartDelayMs;
    // The loop is on the stack: let it unwind before the node goes.
    this.crashNode(node, this.prng.chance(0.5), least + this.prng.below(most - least));
  }
}
