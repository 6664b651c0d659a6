import { localSigner, type SignatureClaim, type Signer, verifyEd25519 } from "../../../src/crypto/index.ts";
import { assert, Prng, present, silentLog, type Timers, toHex } from "../../../src/kernel/index.ts";
import {
  type BatchStore,
  Dissemination,
  type DisseminationMessage,
  type DisseminationTuning,
  decodeDisseminationMessage,
  encodeDisseminationMessage,
  LAN_DISSEMINATION,
  Mempool,
  type MempoolBounds,
  type PeerFault,
} from "../../../src/mempool/index.ts";
import { makeValidatorSet, type ValidatorSet } from "../../../src/protocol/index.ts";
import { createRecordLog, MemoryFileSystem, openRecordLog, type RecordLog } from "../../../src/storage/index.ts";
import { BALANCE, CHAIN_ID, keyOf, ManualTime, PARAMETERS, settled, TableChain } from "./mempool-world.ts";

/** How a simulated network treats messages. */
export type Weather = {
  /** Probability that a message is lost. */
  readonly loss: number;
  /** Each message takes between these, so that later ones overtake. */
  readonly delayMs: readonly [number, number];
};

const CALM: Weather = { loss: 0, delayMs: [1, 2] };

/** What a net is made with. */
export type NetOptions = {
  readonly weather?: Weather;
  readonly seed?: number;
  readonly bounds?: Partial<MempoolBounds>;
  readonly tuning?: Partial<DisseminationTuning>;
  /** What every box believes to be free on its disk. */
  readonly freeSpaceBytes?: number;
};

/** A validator's key by number. */
export function signerOf(index: number): Signer {
  return localSigner(new Uint8Array(32).fill(100 + index));
}

/** Transactions' stand-in signatures are bytes of 1, forged ones of 0xff; a batch's is real. */
async function verifyStandIns(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
  return claims.map(({ key, message, signature }) => {
    if (signature.every((byte) => byte === 1)) return true;
    return !signature.every((byte) => byte === 0xff) && verifyEd25519(key, message, signature);
  });
}

/** One validator's mempool and dissemination on a disk of its own. */
export class Box {
  readonly id: string;
  readonly signer: Signer;
  readonly fs = new MemoryFileSystem();
  readonly chain = new TableChain();
  readonly faults: { readonly peer: string; readonly fault: PeerFault }[] = [];
  readonly evidence: Uint8Array[] = [];
  /** Digests that consensus was told of, as becoming held here. */
  readonly heldTold: string[] = [];
  readonly #net: Net;
  #life = 0;
  #running: { readonly log: RecordLog; readonly mempool: Mempool; readonly dissemination: Dissemination } | undefined;

  constructor(net: Net, index: number) {
    this.#net = net;
    this.signer = signerOf(index);
    this.id = toHex(this.signer.publicKey);
    const entropy = { bytes: (count: number) => new Uint8Array(count).fill(index + 1) };
    createRecordLog(this.fs, "/batches", { ...TUNING, entropy }).close();
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  get mempool(): Mempool {
    return present(this.#running, "the box runs").mempool;
  }

  get dissemination(): Dissemination {
    return present(this.#running, "the box runs").dissemination;
  }

  /** The process starts on what the disk holds. */
  start(): void {
    const life = ++this.#life;
    const timers: Timers = { after: (delayMs, action) => this.#net.time.after(delayMs, () => this.#life === life && action()) };
    const opened = openRecordLog(this.fs, "/batches", TUNING);
    if (!opened.ok) throw new Error(opened.error.detail);
    const { set, time, options } = this.#net;
    const mempool = new Mempool({
      chainId: CHAIN_ID,
      signer: this.signer,
      log: opened.value,
      chain: this.chain,
      finalizedView: () => this.chain.state,
      tip: { height: this.chain.height, timeMs: this.chain.timeMs },
      parameters: PARAMETERS,
      verifyMany: verifyStandIns,
      clock: time,
      timers,
      journal: silentLog,
      bounds: options.bounds ?? {},
      freeSpaceBytes: () => options.freeSpaceBytes,
      epochs: () => [{ epoch: 0, validatorSet: set }],
      onBatchDurable: (batch) => this.#life === life && dissemination.onBatchDurable(batch),
      onBatchReleased: (release) => this.#life === life && dissemination.onBatchReleased(release),
      onEvidence: (evidence) => this.evidence.push(evidence),
      onWork: () => {},
      onFatal: (error) => {
        throw error;
      },
    });
    const dissemination = new Dissemination(
      {
        batches: this.#net.storeOf(mempool),
        send: (peer, message) => this.#net.send(this.id, peer, message),
        clock: time,
        timers,
        prng: new Prng(this.#net.prng.uint32()),
        validatorSet: () => set,
        onHeld: (digest) => this.heldTold.push(toHex(digest)),
        onFault: (peer, fault) => this.faults.push({ peer, fault }),
      },
      { self: this.signer.publicKey, tuning: { ...LAN_DISSEMINATION, ...options.tuning } },
    );
    this.#running = { log: opened.value, mempool, dissemination };
    mempool.start(this.chain.mark);
    dissemination.start();
  }

  /** The power is cut: un-synced writes are lost. */
  crash(): void {
    this.#life++;
    this.dissemination.stop();
    this.#running = undefined;
    this.fs.crash();
  }

  /** Its disk is exchanged for an empty one while it is down. */
  loseLog(): void {
    for (const path of this.fs.list("/batches")) this.fs.remove(`/batches/${path}`);
    createRecordLog(this.fs, "/batches", { ...TUNING, entropy: { bytes: (count: number) => new Uint8Array(count).fill(77) } }).close();
  }

  /** Digests that wait for a block here, in hexadecimal. */
  pending(): string[] {
    return this.mempool.pendingBatches().map(({ digest }) => toHex(digest));
  }

  /** Commits a block of these batches, which have to be held. */
  commit(digests: readonly Uint8Array[]): void {
    const batches = digests.map((digest) => present(this.mempool.find(digest), "a block's batches are held"));
    this.chain.commit(this.mempool, batches);
    this.dissemination.onEpoch();
  }
}

const TUNING = { name: "batches", segmentBytesMax: 256 * 1024 };

/** Several boxes, and a network between them that loses and reorders. */
export class Net {
  readonly time = new ManualTime();
  readonly prng: Prng;
  readonly options: NetOptions;
  readonly set: ValidatorSet;
  readonly boxes: Box[];
  weather: Weather;
  /** Messages that were sent, before anything was lost. */
  readonly sent: { readonly atMs: number; readonly from: string; readonly to: string; readonly message: DisseminationMessage }[] = [];
  /** How often a batch was sent over a link, by `from>to:digest`. */
  readonly crossings = new Map<string, number>();
  readonly #links = new Map<string, number>();
  #linkLife = 0;
  /** Changes the batches that boxes see, for tests of what the door says. */
  storeOf: (mempool: Mempool) => BatchStore = (mempool) => mempool;

  constructor(count: number, options: NetOptions = {}) {
    this.options = options;
    this.prng = new Prng(options.seed ?? 1);
    this.weather = options.weather ?? CALM;
    const members = Array.from({ length: count }, (_, i) => signerOf(i).publicKey);
    const set = makeValidatorSet(members.map((publicKey) => ({ publicKey, owner: publicKey, weight: 1n, reputation: 10_000 })));
    if (!set.ok) throw new Error(set.error);
    this.set = set.value;
    this.boxes = members.map((_, i) => new Box(this, i));
  }

  /** Starts every box and connects all of them. */
  start(): this {
    for (const box of this.boxes) box.start();
    for (const [i, box] of this.boxes.entries()) for (const other of this.boxes.slice(i + 1)) this.connect(box, other);
    return this;
  }

  box(index: number): Box {
    return present(this.boxes[index], "the box exists");
  }

  /** Funds accounts on every box's state and gives their keys. */
  fund(count: number): Uint8Array[] {
    const keys = Array.from({ length: count }, (_, i) => keyOf(i + 1));
    for (const box of this.boxes) for (const key of keys) box.chain.state.fund(key, BALANCE);
    return keys;
  }

  connect(a: Box, b: Box): void {
    if (this.#links.has(linkOf(a.id, b.id))) return;
    this.#links.set(linkOf(a.id, b.id), ++this.#linkLife);
    if (a.isUp) a.dissemination.onPeerUp(b.id);
    if (b.isUp) b.dissemination.onPeerUp(a.id);
  }

  disconnect(a: Box, b: Box): void {
    if (!this.#links.delete(linkOf(a.id, b.id))) return;
    if (a.isUp) a.dissemination.onPeerDown(b.id);
    if (b.isUp) b.dissemination.onPeerDown(a.id);
  }

  /** A box loses its power, and its connections. */
  crash(box: Box): void {
    box.crash();
    for (const other of this.boxes) this.disconnect(box, other);
  }

  /** A box starts again and is connected to all that run. */
  restart(box: Box): void {
    box.start();
    for (const other of this.boxes) if (other !== box && other.isUp) this.connect(box, other);
  }

  /** Submits to a box and gives the codes, moving time on. */
  async submit(box: Box, transactions: readonly Uint8Array[]): Promise<string[]> {
    let codes: string[] | undefined;
    void box.mempool.submit(transactions, "test").then((outcomes) => {
      codes = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.code : outcome.status));
    });
    for (let i = 0; i < 100 && codes === undefined; i++) await this.time.advance(1);
    return present(codes, "a submission is answered");
  }

  /** Moves time on in steps until something holds, at most so long; whether it does. */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < withinMs && !condition(); waitedMs += 5) await this.time.advance(5);
    await settled();
    return condition();
  }

  /** Takes a message on its way. */
  send(from: string, to: string, message: DisseminationMessage): boolean {
    const life = this.#links.get(linkOf(from, to));
    if (life === undefined) return false;
    this.sent.push({ atMs: this.time.nowMs(), from, to, message });
    const encoded = encodeDisseminationMessage(message);
    if (message.kind === "batch") {
      const key = `${from}>${to}:${toHex(message.digest)}`;
      this.crossings.set(key, (this.crossings.get(key) ?? 0) + 1);
    }
    if (this.prng.chance(this.weather.loss)) return true;
    const [leastMs, mostMs] = this.weather.delayMs;
    this.time.after(leastMs + this.prng.below(mostMs - leastMs + 1), () => {
      if (this.#links.get(linkOf(from, to)) === life) this.deliver(from, to, encoded);
    });
    return true;
  }

  /** Hands a box the bytes of a message, as from a peer. */
  deliver(from: string, to: string, encoded: Uint8Array): void {
    const box = this.boxes.find(({ id }) => id === to);
    const decoded = decodeDisseminationMessage(encoded);
    assert(decoded.ok, "what is encoded decodes");
    if (box?.isUp === true) box.dissemination.onMessage(from, decoded.value);
  }
}

function linkOf(a: string, b: string): string {
  return a < b ? `${a}:${b}` : `${b}:${a}`;
}
