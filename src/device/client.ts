import type { Signer } from "../crypto/portable.ts";
import { assert, type Clock, type Entropy, err, ok, present, type Result, type Timers, toHex } from "../kernel/index.ts";
import type { Genesis, TransactionBody, ValidatorSet } from "../protocol/index.ts";
import { BackOff, type BackOffBounds } from "./back-off.ts";
import type { Carrier, LookUp, SubmitAnswer } from "./carrier.ts";
import { Journal } from "./journal.ts";
import { Outgoing } from "./outgoing.ts";
import { remedyOf } from "./refusals.ts";
import { Route } from "./route.ts";
import { Signing } from "./signing.ts";
import type { DeviceStorage } from "./storage.ts";
import type { Acceptance, DeviceEvent, End, OrderFault, Submission } from "./submission.ts";
import { checkBody } from "./transactions.ts";
import { genesisVerifier, type ReceiptVerifier, verifyReceipt } from "./trust.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** What a client is made of. Times in milliseconds. */
export type DeviceClientOptions = {
  readonly signer: Signer;
  /** The chain to send to, as `trustGenesis` gives it. */
  readonly chain: { readonly genesis: Pick<Genesis, "hash" | "parameters">; readonly set: ValidatorSet };
  /** Ways to nodes, the preferred first. */
  readonly carriers: readonly Carrier[];
  readonly storage: DeviceStorage;
  readonly ports: { readonly clock: Clock; readonly timers: Timers; readonly entropy: Entropy };
  /** Who decides that a proof holds; default from the genesis set. */
  readonly verifier?: ReceiptVerifier;
  /** Whether an owner pays: only anchors are taken, and nothing is sent before the device is registered. */
  readonly isSponsored?: boolean;
  /** Transactions on their way at most, default 256; and those of them that nodes hold, default 16. */
  readonly queueMax?: number;
  readonly inFlightMax?: number;
  /** Blocks from now in which a transaction may execute; default 10,000. */
  readonly validForBlocks?: bigint;
  /** Base units that a transaction pays at most; default ten times the minimum of genesis. */
  readonly feeMax?: bigint;
  /** Nonce to begin with where no carrier can ask a node; default 0. */
  readonly firstNonce?: bigint;
  /** Pauses between tries; default 250 to 30,000. */
  readonly backOff?: BackOffBounds;
  /** How long a carrier may wait for the end in one question; default 20,000. */
  readonly waitMs?: number;
  /** After which silence the same bytes go out again; default 30,000. */
  readonly resubmitMs?: number;
  /** Told of everything; must not throw. */
  readonly onEvent?: (event: DeviceEvent) => void;
  /** Told once when storage fails; the client is closed then. Without it the failure is an unhandled rejection. */
  readonly onFailure?: (error: unknown) => void;
};

/** A transaction on its way with those who wait for it. */
type Item = {
  readonly outgoing: Outgoing;
  readonly submission: Submission;
  readonly onAccepted: (what: Acceptance | End) => void;
  readonly onEnded: (end: End) => void;
  isWatched: boolean;
  /** Whether it was told that a node holds it. */
  isTold: boolean;
};

/**
 * Sends a device's transactions: signs, keeps the bytes, sends the same bytes again over any carrier until the network has
 * made them final, and believes that only of a proof it has verified itself.
 *
 * Invariants: bytes are kept before they are sent; a transaction is sent only when every earlier one is held by a node, so
 * that a refusal leaves no gap of nonces behind it; what moves value is signed anew only with the same nonce; `final` is
 * told only of a verified receipt. It never deletes what has not ended.
 */
export class DeviceClient {
  readonly #options: DeviceClientOptions;
  readonly #journal: Journal;
  readonly #route: Route;
  readonly #signing: Signing;
  readonly #verifier: ReceiptVerifier;
  /** Where the sender waits for something to send, and where everybody waits for time to pass. */
  readonly #idle: WaitingRoom;
  readonly #pauses: WaitingRoom;
  readonly #backOff: BackOff;
  readonly #bounds: BackOffBounds;
  readonly #items = new Map<number, Item>();
  #nextSequence = 0;
  #strangeRecords = 0;

  private constructor(options: DeviceClientOptions, journal: Journal, route: Route, signing: Signing) {
    this.#options = options;
    this.#journal = journal;
    this.#route = route;
    this.#signing = signing;
    this.#verifier = options.verifier ?? genesisVerifier(options.chain);
    this.#idle = new WaitingRoom(options.ports.timers);
    this.#pauses = new WaitingRoom(options.ports.timers);
    this.#bounds = options.backOff ?? { leastMs: 250, mostMs: 30_000 };
    this.#backOff = new BackOff(this.#bounds, options.ports.entropy);
  }

  /** Opens a client on its storage and goes on with what is kept there. Rejects when the storage cannot be read. */
  static async open(options: DeviceClientOptions): Promise<DeviceClient> {
    const { signer, chain, storage, ports, isSponsored = false, firstNonce = 0n } = options;
    const { genesis } = chain;
    const journal = new Journal(storage, genesis.hash);
    const { outgoing, place, strange } = await journal.load();
    const route = new Route(options.carriers);
    const feeMax = options.feeMax ?? 10n * (genesis.parameters.minimumFee > 0n ? genesis.parameters.minimumFee : 1n);
    const policy = { isSponsored, validForBlocks: options.validForBlocks ?? 10_000n, feeMax, firstNonce };
    const client = new DeviceClient(options, journal, route, new Signing(signer, genesis, policy, route, ports.clock, place?.proven));
    for (const each of outgoing) client.#add(each);
    client.#strangeRecords = strange;
    client.#nextSequence = Math.max(client.#nextSequence, place?.nextSequence ?? 0);
    client.#run(() => client.#sendAll());
    return client;
  }

  /** What is on its way, in the order of the queue. */
  get pending(): readonly Submission[] {
    return [...this.#items.values()].map(({ submission }) => submission);
  }

  /** Records of the storage that are damaged or of another chain; they are left alone. */
  get strangeRecords(): number {
    return this.#strangeRecords;
  }

  /** Takes an order once it is in the storage. Rejects when the storage fails. */
  async submit(body: TransactionBody): Promise<Result<Submission, OrderFault>> {
    const { queueMax = 256, isSponsored = false } = this.#options;
    if (this.#idle.isClosed) return err("closed");
    if (isSponsored && body.type !== 2) return err("notSponsored");
    if (!checkBody(body).ok) return err("malformed");
    if (this.#items.size >= queueMax) return err("queueFull");
    const item = this.#add(new Outgoing(this.#nextSequence, body));
    try {
      await this.#journal.keep(item.outgoing);
    } catch (error) {
      this.#items.delete(item.outgoing.sequence); // whatever the storage met, the order is not taken
      if (this.#idle.isClosed) return err("closed");
      throw error;
    }
    this.#idle.wake();
    return ok(item.submission);
  }

  /**
   * Stops sending; what has not ended is told `closed` and goes on after the next start. Resolves when the storage is at
   * rest; questions that carriers wait for are not, and are not listened to any more.
   */
  async close(): Promise<void> {
    this.#idle.close();
    this.#pauses.close();
    for (const { onAccepted, onEnded } of this.#items.values()) {
      onAccepted({ kind: "closed" });
      onEnded({ kind: "closed" });
    }
    await this.#journal.close();
  }

  #add(outgoing: Outgoing): Item {
    assert(outgoing.sequence >= this.#nextSequence, "a queue grows at its end");
    this.#nextSequence = outgoing.sequence + 1;
    const accepted = promised<Acceptance | End>();
    const ended = promised<End>();
    const submission: Submission = {
      sequence: outgoing.sequence,
      get ids() {
        return outgoing.ids;
      },
      accepted: accepted.promise,
      ended: ended.promise,
    };
    const item = { outgoing, submission, onAccepted: accepted.resolve, onEnded: ended.resolve, isWatched: false, isTold: false };
    this.#items.set(outgoing.sequence, item);
    return item;
  }

  /** Runs a loop whose only failure is the storage's: then nothing is sent any more. */
  #run(loop: () => Promise<void>): void {
    loop().catch((error: unknown) => {
      if (this.#idle.isClosed) return;
      void this.close();
      if (!this.#options.onFailure) throw error;
      this.#options.onFailure(error);
    });
  }

  async #sendAll(): Promise<void> {
    while (!this.#idle.isClosed) {
      const item = this.#nextToSend();
      const pauseMs = item && (await this.#sendOnce(item));
      if (pauseMs === undefined) await this.#idle.wait();
      else if (pauseMs > 0) await this.#pauses.wait(pauseMs);
    }
  }

  /** The oldest that no node holds, while not too many are held. */
  #nextToSend(): Item | undefined {
    const items = [...this.#items.values()];
    const inFlight = items.filter(({ outgoing }) => outgoing.isAccepted).length;
    return inFlight >= (this.#options.inFlightMax ?? 16) ? undefined : items.find(({ outgoing }) => !outgoing.isAccepted);
  }

  /** One try; the pause before the next one. */
  async #sendOnce(item: Item): Promise<number> {
    const { outgoing } = item;
    const carrier = this.#route.current;
    if (!outgoing.signed) {
      const held = [...this.#items.values()].flatMap(({ outgoing: { nonce } }) => (nonce === undefined ? [] : [nonce]));
      const signed = await this.#signing.sign(outgoing, held);
      if (!signed.ok) return this.#onTrouble(item, carrier, "notReady", signed.error);
      outgoing.onSigned(signed.value);
      await this.#journal.keep(outgoing);
    }
    if (this.#idle.isClosed) return 0;
    const answer = await carrier.submit(present(outgoing.signed, "what is sent is signed"));
    return this.#idle.isClosed ? 0 : this.#onAnswer(item, carrier, answer);
  }

  async #onAnswer(item: Item, carrier: Carrier, answer: SubmitAnswer): Promise<number> {
    switch (answer.kind) {
      case "accepted":
      case "executed":
        return this.#onHeld(item, carrier.name);
      case "noAnswer":
        return this.#onTrouble(item, carrier, "noAnswer", answer.detail);
      case "refused":
        return this.#onRefused(item, carrier, answer);
    }
  }

  async #onRefused(item: Item, carrier: Carrier, refusal: Extract<SubmitAnswer, { kind: "refused" }>): Promise<number> {
    const { code, detail, retryAfterMs } = refusal;
    const remedy = remedyOf(code, this.#options.isSponsored ?? false);
    if (remedy === "again") return this.#onTrouble(item, carrier, code, detail, retryAfterMs);
    if (await this.#isKnownElsewhere(item)) return 0;
    const { outgoing } = item;
    if (remedy === "renew" && outgoing.mayRenew) {
      this.#signing.onTermsRefused(code);
      return this.#renew(item, carrier, true, code, detail);
    }
    if (remedy === "nonce" && outgoing.mayRenew && outgoing.body.type === 2) {
      this.#signing.onNonceDoubt(code === "nonceTooLow" ? outgoing.nonce : undefined);
      return this.#renew(item, carrier, false, code, detail);
    }
    await this.#end(item, { kind: "rejected", code, detail });
    return 0;
  }

  /** Whether any carrier knows better than a refusal: that the transaction, in one of its forms, is final or on its way. */
  async #isKnownElsewhere(item: Item): Promise<boolean> {
    const look = await this.#route.lookUpEverywhere(item.outgoing.ids);
    if (this.#idle.isClosed) return true;
    if (look?.kind === "proof") return this.#isFinished(item, this.#route.current, look.bundle);
    if (look?.kind !== "pending") return false;
    this.#onHeld(item, "another form");
    return true;
  }

  /** Has it signed anew and tells so; the pause before it is sent. */
  async #renew(item: Item, carrier: Carrier, keepsNonce: boolean, code: string, detail: string): Promise<number> {
    item.outgoing.onGivenUp(keepsNonce);
    await this.#journal.keep(item.outgoing);
    return this.#onTrouble(item, carrier, code, `${detail}; it is signed anew`);
  }

  #onHeld(item: Item, carrier: string): number {
    const { outgoing, submission } = item;
    const [id] = outgoing.ids;
    const acceptance: Acceptance = { kind: "accepted", id: present(id, "what a node holds has an id"), carrier };
    this.#backOff.reset();
    outgoing.isAccepted = true;
    item.onAccepted(acceptance);
    if (!item.isTold) this.#options.onEvent?.({ kind: "accepted", sequence: submission.sequence, acceptance });
    item.isTold = true;
    if (!item.isWatched) this.#run(() => this.#watch(item));
    return 0;
  }

  #onTrouble(item: Item, carrier: Carrier, code: string, detail: string, retryAfterMs?: number): number {
    this.#options.onEvent?.({ kind: "trouble", sequence: item.submission.sequence, carrier: carrier.name, code, detail });
    this.#route.leave(carrier);
    return this.#backOff.next(retryAfterMs);
  }

  /** Asks for the end of what a node holds until there is one, and sends the bytes again when nobody knows them. */
  async #watch(item: Item): Promise<void> {
    const { waitMs = 20_000, resubmitMs = 30_000, ports } = this.#options;
    const { outgoing } = item;
    const backOff = new BackOff(this.#bounds, ports.entropy);
    let sentMs = ports.clock.monotonicMs();
    item.isWatched = true;
    while (this.#isOnItsWay(item)) {
      const carrier = this.#route.current;
      const look = await this.#route.lookUp(carrier, outgoing.ids, waitMs);
      if (!this.#isOnItsWay(item) || (await this.#isSettledBy(item, carrier, look))) break;
      if (look.kind === "unknown" || ports.clock.monotonicMs() - sentMs >= resubmitMs) {
        sentMs = ports.clock.monotonicMs();
        await this.#sendAgain(item, this.#route.current);
      }
      await this.#pauses.wait(backOff.next());
    }
    item.isWatched = false;
    if (this.#isOnItsWay(item)) this.#run(() => this.#watch(item)); // taken by a node again before this watch was over
  }

  /** Sends what a node was thought to hold. A refusal that time does not heal is for the sender to deal with. */
  async #sendAgain({ outgoing }: Item, carrier: Carrier): Promise<void> {
    const answer = await carrier.submit(present(outgoing.signed, "what a node holds is signed"));
    if (answer.kind === "noAnswer") this.#route.leave(carrier);
    if (answer.kind !== "refused" || remedyOf(answer.code, this.#options.isSponsored ?? false) === "again") return;
    outgoing.isAccepted = false;
    this.#idle.wake();
  }

  #isOnItsWay({ outgoing }: Item): boolean {
    return !this.#idle.isClosed && this.#items.has(outgoing.sequence) && outgoing.isAccepted;
  }

  /** Whether what a node says ends the watch. */
  async #isSettledBy(item: Item, carrier: Carrier, look: LookUp): Promise<boolean> {
    const { outgoing } = item;
    switch (look.kind) {
      case "proof":
        return this.#isFinished(item, carrier, look.bundle);
      case "noAnswer":
        this.#onTrouble(item, carrier, "noAnswer", look.detail);
        return false;
      case "expired":
      case "superseded": {
        const isRenewable = outgoing.mayRenew && (look.kind === "expired" || outgoing.body.type === 2);
        this.#signing.onNonceDoubt(look.kind === "superseded" ? outgoing.nonce : undefined);
        if (isRenewable) await this.#renew(item, carrier, look.kind === "expired", "renewed", `a node says that it is ${look.kind}`);
        else await this.#end(item, { kind: look.kind, id: present(outgoing.ids[0], "what a node holds has an id") });
        this.#idle.wake();
        return true;
      }
      default:
        return false;
    }
  }

  /** Verifies a proof and ends the transaction by it; a proof that does not hold is somebody's lie and ends nothing. */
  async #isFinished(item: Item, carrier: Carrier, proof: Uint8Array): Promise<boolean> {
    const { outgoing } = item;
    const proven = verifyReceipt(this.#verifier, outgoing.ids, proof, this.#options.ports.clock.nowMs());
    if (!proven.ok) {
      this.#onTrouble(item, carrier, proven.error.code, proven.error.detail);
      return false;
    }
    const { receipt, header } = proven.value;
    const isNewest = outgoing.signed !== undefined && toHex(outgoing.signed.id) === toHex(receipt.transactionId);
    this.#signing.onProven(BigInt(header.height), isNewest ? outgoing.nonce : undefined);
    await this.#end(item, { kind: "final", id: receipt.transactionId, proof, ...proven.value });
    return true;
  }

  /** Tells the end, then forgets it: a restart in between tells it once more. */
  async #end(item: Item, end: End): Promise<void> {
    const { outgoing, submission } = item;
    if (!this.#items.delete(outgoing.sequence)) return;
    if (end.kind !== "final") this.#signing.onNonceDoubt();
    item.onAccepted(end);
    item.onEnded(end);
    this.#options.onEvent?.({ kind: "ended", sequence: submission.sequence, end });
    this.#idle.wake();
    const place = { proven: this.#signing.proven, nextSequence: this.#nextSequence };
    await Promise.all([this.#journal.keepPlace(place), this.#journal.forget(outgoing)]);
  }
}

/** A promise with its resolver; the platform's own way to it is too new for Node 20. */
function promised<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((take) => {
    resolve = take;
  });
  return { promise, resolve };
}
