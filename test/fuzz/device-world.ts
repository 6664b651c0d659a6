/** A chain in memory for device clients: honest nodes, ways to them that lose and delay, and nodes that lie. */
import type { AccountTerms, Carrier, ChainTerms, LookUp, SubmitAnswer } from "../../src/device/index.ts";
import { type Clock, ok, type Prng, type Result, type Timers, toHex } from "../../src/kernel/index.ts";
import {
  blockHashOf,
  decodeTransaction,
  encodeProofBundle,
  genesisParametersOf,
  proposalIdOf,
  REJECTION_CODES,
  type Receipt,
  receiptRootOf,
  type Transaction,
  transactionAad,
} from "../../src/protocol/index.ts";
import { certify, sampleChainId, sampleHeader, sampleReceipt, sampleSet } from "../vectors/protocol-samples.ts";

const PARAMETERS = genesisParametersOf({
  minimumFee: "100",
  maxValidity: "1000",
  feePolicy: "burn",
  blockBytesMax: 1_048_576,
  blockTransactionsMax: 4_096,
  epochBlocks: 100,
  epochMs: 60_000,
});

/** The chain as a client is told of it. */
export const worldChain = { genesis: { hash: sampleChainId, parameters: PARAMETERS }, set: sampleSet };

/** A proof that a transaction is final, signed by these members of the sample set; a quorum is three. */
export function proofOf(transactionId: Uint8Array, signers: readonly number[] = [0, 2, 3]): Uint8Array {
  const receipt: Receipt = { ...sampleReceipt, height: sampleHeader.height, index: 0, transactionId, code: "applied" };
  const header = { ...sampleHeader, receiptRoot: receiptRootOf([receipt]) };
  const proposal = { epoch: header.epoch, view: header.view, parentView: header.view - 1, blockHash: blockHashOf(header) };
  const finalization = certify({ kind: 3, epoch: header.epoch, view: header.view, proposalId: proposalIdOf(proposal), proposal }, signers);
  return encodeProofBundle({ hops: [], headers: [header], finalization, content: { kind: "receipt", receipt, path: [] } });
}

/** A clock that stands still while anything runs, and jumps to the next timer when nothing does. */
export class JumpingTime implements Clock, Timers {
  #nowMs = 0;
  #serial = 0;
  readonly #due = new Set<{ readonly atMs: number; readonly serial: number; readonly action: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, serial: this.#serial++, action };
    this.#due.add(timer);
    return () => void this.#due.delete(timer);
  }

  /** Lets everything run until this holds or so much time has passed; says whether it holds. */
  async until(holds: () => boolean, limitMs: number): Promise<boolean> {
    for (;;) {
      for (let i = 0; i < 60; i++) await Promise.resolve();
      if (holds()) return true;
      const [next] = [...this.#due].sort((a, b) => a.atMs - b.atMs || a.serial - b.serial);
      if (!next || next.atMs > limitMs) return false;
      this.#due.delete(next);
      this.#nowMs = next.atMs;
      next.action();
    }
  }
}

/** What every honest node of the chain agrees on at once. */
export class World {
  height = 5n;
  /** Every transaction that was executed, by its id. */
  readonly executed = new Map<string, Transaction>();
  readonly #nonces = new Map<string, bigint>();
  readonly #pool = new Map<string, Transaction>();
  readonly #gone = new Map<string, "expired" | "superseded">();

  /** A block: what is next of each sender executes, what is too late goes. */
  tick(): void {
    this.height += 1n;
    for (const [id, transaction] of [...this.#pool].sort(([, a], [, b]) => Number(a.nonce - b.nonce))) {
      const sender = toHex(transaction.sender);
      const expected = this.#nonces.get(sender) ?? 0n;
      if (transaction.validUntil < this.height) this.#gone.set(id, "expired");
      else if (transaction.nonce < expected) this.#gone.set(id, "superseded");
      else if (transaction.nonce > expected) continue;
      else {
        this.#nonces.set(sender, expected + 1n);
        this.executed.set(id, transaction);
      }
      this.#pool.delete(id);
    }
  }

  /** Spends a sender's next nonce on something else, as another program with the same key does. */
  spendNonce(sender: Uint8Array): void {
    this.#nonces.set(toHex(sender), (this.#nonces.get(toHex(sender)) ?? 0n) + 1n);
  }

  submit(encoded: Uint8Array): SubmitAnswer {
    const decoded = decodeTransaction(transactionAad(sampleChainId), encoded);
    if (!decoded.ok) return refuse("malformed");
    const { id, sender, nonce, fee, validUntil } = decoded.value;
    const key = toHex(id);
    if (this.#pool.has(key)) return { kind: "accepted" };
    if (this.executed.has(key)) return { kind: "executed" };
    if (fee < PARAMETERS.minimumFee) return refuse("feeTooLow");
    if (validUntil <= this.height) return refuse("expired");
    if (validUntil > this.height + PARAMETERS.maxValidity) return refuse("validityTooLong");
    const isTaken = [...this.#pool.values()].some((each) => each.nonce === nonce && toHex(each.sender) === toHex(sender));
    if (isTaken || nonce < (this.#nonces.get(toHex(sender)) ?? 0n)) return refuse("nonceTooLow");
    this.#pool.set(key, decoded.value);
    this.#gone.delete(key);
    return { kind: "accepted" };
  }

  lookUp(id: Uint8Array): LookUp {
    const key = toHex(id);
    if (this.executed.has(key)) return { kind: "proof", bundle: proofOf(id) };
    return { kind: this.#pool.has(key) ? "pending" : (this.#gone.get(key) ?? "unknown") };
  }

  terms(): ChainTerms {
    return { height: this.height, minimumFee: PARAMETERS.minimumFee };
  }

  account(sender: Uint8Array): AccountTerms {
    return { balance: 1_000_000n, pendingNonce: this.#freeNonce(sender), isSponsored: false };
  }

  #freeNonce(sender: Uint8Array): bigint {
    let free = this.#nonces.get(toHex(sender)) ?? 0n;
    const held = new Set([...this.#pool.values()].filter((each) => toHex(each.sender) === toHex(sender)).map(({ nonce }) => nonce));
    while (held.has(free)) free += 1n;
    return free;
  }
}

function refuse(code: string): SubmitAnswer {
  return { kind: "refused", code, detail: code };
}

const NO_ANSWER = { kind: "noAnswer", detail: "lost" } as const;

/** A way to an honest node that loses questions and answers, delivers twice, and delivers late. */
export function lossyCarrier(world: World, time: Timers, prng: Prng, loss: number): Carrier {
  const pass = (): Promise<void> => new Promise((resolve) => void time.after(prng.below(400), resolve));
  const through = async <T>(ask: () => T): Promise<T | undefined> => {
    await pass();
    if (prng.chance(loss)) return undefined;
    const answer = ask();
    if (prng.chance(loss)) time.after(prng.below(60_000), () => void ask()); // the network kept a copy
    await pass();
    return prng.chance(loss) ? undefined : answer;
  };
  const asked = async <T>(ask: () => T): Promise<Result<T, string>> => {
    const answer = await through(ask);
    return answer === undefined ? { ok: false, error: "lost" } : ok(answer);
  };
  return {
    name: "lossy",
    submit: async ({ encoded }) => (await through(() => world.submit(encoded))) ?? NO_ANSWER,
    lookUp: async (id) => (await through(() => world.lookUp(id))) ?? NO_ANSWER,
    terms: () => asked(() => world.terms()),
    account: (publicKey) => asked(() => world.account(publicKey)),
  };
}

/** A node that knows the truth, passes on what it is given when it likes to, and says anything. */
export function lyingCarrier(world: World, prng: Prng): Carrier {
  const anything = (): bigint => BigInt(prng.below(4)) * BigInt(prng.below(2_000));
  const lie = (id: Uint8Array): Uint8Array => {
    if (prng.chance(0.2)) return proofOf(prng.bytes(32)); // valid, of something else
    const bytes = prng.chance(0.3) ? proofOf(id, [0, 2]) : proofOf(id);
    const at = prng.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 + prng.below(255));
    return prng.chance(0.2) ? bytes.subarray(0, at) : bytes;
  };
  return {
    name: "liar",
    async submit({ encoded }) {
      if (prng.chance(0.5)) world.submit(encoded);
      if (prng.chance(0.4)) return prng.chance(0.5) ? { kind: "accepted" } : { kind: "executed" };
      return prng.chance(0.2) ? NO_ANSWER : refuse(REJECTION_CODES[prng.below(REJECTION_CODES.length)] ?? "malformed");
    },
    async lookUp(id) {
      if (prng.chance(0.4)) return { kind: "proof", bundle: lie(id) };
      const kinds = ["pending", "unproven", "expired", "superseded", "unknown"] as const;
      return { kind: kinds[prng.below(kinds.length)] ?? "unknown" };
    },
    terms: async () => ok({ height: anything(), minimumFee: anything() }),
    account: async () => ok({ balance: anything(), pendingNonce: anything(), isSponsored: false }),
  };
}
