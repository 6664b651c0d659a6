import type { SignatureClaim } from "../../../src/crypto/index.ts";
import { encodeCoseSign1, localSigner, sha256 } from "../../../src/crypto/index.ts";
import { type Clock, present, silentLog, type Timers, toHex } from "../../../src/kernel/index.ts";
import { executeBlock, type LedgerView } from "../../../src/ledger/index.ts";
import {
  type BlockOutcome,
  type ChainIndex,
  type CommittedBatch,
  type ExecutedAt,
  Mempool,
  type MempoolBounds,
  type SubmitOutcome,
} from "../../../src/mempool/index.ts";
import {
  type AccountEntry,
  type DeviceEntry,
  decodeTransaction,
  ENTRY_KIND,
  encodePayload,
  genesisParametersOf,
  makeValidatorSet,
  type StateEntry,
  type SupplyEntry,
  type TransactionBody,
  transactionAad,
} from "../../../src/protocol/index.ts";
import { createRecordLog, MemoryFileSystem, openRecordLog, type RecordLog } from "../../../src/storage/index.ts";

/** Genesis hash of the test chain. */
export const CHAIN_ID = new Uint8Array(32).fill(7);
/** external_aad of the test chain. */
export const AAD = transactionAad(CHAIN_ID);
/** Starting balance of every test account. */
export const BALANCE = 1_000_000n;
/** Parameters of the test chain. */
export const PARAMETERS = genesisParametersOf({
  minimumFee: "10",
  maxValidity: "1000",
  feePolicy: "burn",
  blockBytesMax: 1_048_576,
  blockTransactionsMax: 4_096,
  epochBlocks: 1_000,
  epochMs: 3_600_000,
});

const SIGNER = localSigner(new Uint8Array(32).fill(42));
const VALIDATOR_SET = (() => {
  const set = makeValidatorSet([{ publicKey: SIGNER.publicKey, owner: SIGNER.publicKey, weight: 1n, reputation: 10_000 }]);
  if (!set.ok) throw new Error(set.error);
  return set.value;
})();

/** A made-up 32-byte account key. */
export function keyOf(account: number): Uint8Array {
  return sha256(new TextEncoder().encode(`account ${account}`));
}

/** What a made-up transaction may say otherwise. */
export type Wish = {
  readonly fee?: bigint;
  readonly validUntil?: bigint;
  readonly body?: TransactionBody;
  readonly isForged?: boolean;
  readonly memo?: number;
};

/** COSE bytes of a transaction by a test account; the stand-in verifier accepts its signature unless it is forged. */
export function transactionOf(sender: Uint8Array, nonce: bigint, wish: Wish = {}): Uint8Array {
  const memo = wish.memo === undefined ? {} : { memo: new Uint8Array(8).fill(wish.memo) };
  const body = wish.body ?? { type: 1 as const, to: keyOf(0), amount: 1n, ...memo };
  const payload = encodePayload({ sender, nonce, fee: wish.fee ?? 10n, validUntil: wish.validUntil ?? 500n, body });
  return encodeCoseSign1(payload, new Uint8Array(64).fill(wish.isForged === true ? 0xff : 1));
}

/** Id of a transaction on the test chain. */
export function idOf(encoded: Uint8Array): Uint8Array {
  const decoded = decodeTransaction(AAD, encoded);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.id;
}

/** Time that moves when told to. */
export class ManualTime implements Clock, Timers {
  #nowMs: number;
  #due: { readonly atMs: number; readonly action: () => void }[] = [];

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((other) => other !== timer);
    };
  }

  /** Fires what is due up to then, in order, letting promises settle in between. */
  async advance(delayMs: number): Promise<void> {
    const endMs = this.#nowMs + delayMs;
    await settled();
    for (;;) {
      const next = this.#due.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
      await settled();
    }
    this.#nowMs = endMs;
  }
}

/** Lets all promise reactions run that do not wait for something outside. */
export async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Finalized state as plain tables. */
class TableState implements LedgerView {
  readonly accounts = new Map<string, AccountEntry>();
  readonly devices = new Map<string, DeviceEntry>();
  readonly #others = new Map<string, StateEntry>();
  #supply: SupplyEntry = { kind: "supply", issued: 1n << 60n, burned: 0n };

  find(key: Uint8Array): StateEntry | undefined {
    return this.#others.get(toHex(key));
  }

  findAccount(publicKey: Uint8Array): AccountEntry | undefined {
    return this.accounts.get(toHex(publicKey));
  }

  findDevice(publicKey: Uint8Array): DeviceEntry | undefined {
    return this.devices.get(toHex(publicKey));
  }

  supply(): SupplyEntry {
    return this.#supply;
  }

  /** Sets an account as if by genesis. */
  fund(publicKey: Uint8Array, balance: bigint, nonce = 0n): void {
    this.accounts.set(toHex(publicKey), { kind: "account", nonce, balance });
  }

  /** Folds in what a block changed. */
  apply(changes: ReturnType<typeof executeBlock>["changes"]): void {
    for (const { key, entry } of changes) {
      const hex = toHex(key.subarray(1));
      if (key[0] === ENTRY_KIND.supply && entry?.kind === "supply") this.#supply = entry;
      else if (key[0] === ENTRY_KIND.account && entry?.kind === "account") this.accounts.set(hex, entry);
      else if (key[0] === ENTRY_KIND.device && entry?.kind === "device") this.devices.set(hex, entry);
      else if (key[0] === ENTRY_KIND.device) this.devices.delete(hex);
      else if (entry !== undefined) this.#others.set(toHex(key), entry);
      else this.#others.delete(toHex(key));
    }
  }
}

/** A committed chain as a table: durable by definition, it survives every crash. */
export class TableChain implements ChainIndex {
  readonly state = new TableState();
  readonly executed = new Map<string, ExecutedAt>();
  readonly batches = new Map<string, CommittedBatch>();
  /** Nonces in the order of execution, by sender. */
  readonly nonces = new Map<string, bigint[]>();
  height = 0;
  timeMs = 900_000;
  mark = 0;

  findExecuted(id: Uint8Array): ExecutedAt | undefined {
    return this.executed.get(toHex(id));
  }

  findBatch(digest: Uint8Array): CommittedBatch | undefined {
    return this.batches.get(toHex(digest));
  }

  /** Commits a block of these batches and of transactions that came by other validators' batches. */
  commit(mempool: Mempool, batches: readonly ReturnType<Mempool["select"]>[number][], foreign: readonly Uint8Array[] = []): BlockOutcome {
    const height = this.height + 1;
    const mark = mempool.replayMark();
    const transactions = batches.flatMap((batch) => batch.transactions);
    for (const encoded of foreign) {
      const decoded = decodeTransaction(AAD, encoded);
      if (decoded.ok) transactions.push(decoded.value);
    }
    const timeMs = this.timeMs + 1_000;
    const context = {
      chainId: CHAIN_ID,
      height,
      epoch: 0,
      timeMs,
      leader: 0,
      validatorSet: VALIDATOR_SET,
      parameters: PARAMETERS,
      verifySignature: () => true,
      epochStart: { height: 0, timeMs },
      view: height,
      parentView: 0,
      parentBitmap: new Uint8Array(0),
      evidence: [],
      findEpoch: () => undefined,
    };
    const done = executeBlock(this.state, context, transactions);
    this.state.apply(done.changes);
    for (const [index, { id, sender, nonce }] of done.executed.entries()) {
      const hex = toHex(id);
      if (this.executed.has(hex)) throw new Error("a transaction executed twice");
      this.executed.set(hex, { height, index });
      const used = this.nonces.get(toHex(sender)) ?? [];
      used.push(nonce);
      this.nonces.set(toHex(sender), used);
    }
    const skippedSet = new Set(done.skipped.map(({ transaction }) => transaction));
    for (const { digest, location, transactions: inBatch } of batches) {
      const skipped = inBatch.flatMap((transaction, position) => (skippedSet.has(transaction) ? [position] : []));
      this.batches.set(toHex(digest), { location, skipped });
    }
    this.height = height;
    this.timeMs = timeMs;
    this.mark = mark;
    const skipped = done.skipped.map(({ transaction }) => transaction);
    const outcome = {
      height,
      hash: new Uint8Array(32),
      timeMs,
      batchDigests: batches.map(({ digest }) => digest),
      executed: done.executed,
      skipped,
    };
    mempool.onCommitted(outcome);
    return outcome;
  }
}

/** What a world may be made with. */
export type WorldOptions = {
  readonly bounds?: Partial<MempoolBounds>;
  readonly fs?: MemoryFileSystem;
  readonly chain?: TableChain;
  readonly verifyMany?: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  readonly segmentBytesMax?: number;
  readonly freeSpaceBytes?: () => number | undefined;
  readonly isSyncing?: () => boolean;
};

/** A mempool on a simulated disk with a chain of tables. */
export class World {
  readonly fs: MemoryFileSystem;
  readonly chain: TableChain;
  time = new ManualTime();
  readonly fatal: unknown[] = [];
  workCount = 0;
  verifiedCount = 0;
  log: RecordLog;
  mempool: Mempool;
  readonly #options: WorldOptions;
  #life = 0;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.fs = options.fs ?? new MemoryFileSystem();
    this.chain = options.chain ?? new TableChain();
    if (this.fs.stat("/batches") === undefined) {
      createRecordLog(this.fs, "/batches", { ...this.#tuning(), entropy: { bytes: (count) => new Uint8Array(count).fill(3) } }).close();
    }
    this.log = this.#openLog();
    this.mempool = this.#start();
  }

  /** Funds the first accounts and gives their keys. */
  fund(count: number, balance = BALANCE): Uint8Array[] {
    const keys = Array.from({ length: count }, (_, i) => keyOf(i + 1));
    for (const key of keys) this.chain.state.fund(key, balance);
    return keys;
  }

  /** Submits and waits until the answer is there, moving time on. */
  async submit(transactions: readonly Uint8Array[], source = "test"): Promise<readonly SubmitOutcome[]> {
    const answer = this.mempool.submit(transactions, source);
    let outcomes: readonly SubmitOutcome[] | undefined;
    let failure: unknown;
    answer.then(
      (value) => {
        outcomes = value;
      },
      (error: unknown) => {
        failure = error;
      },
    );
    for (let i = 0; i < 100 && outcomes === undefined && failure === undefined; i++) await this.time.advance(5);
    if (failure !== undefined) throw failure;
    return present(outcomes, "a submission is answered");
  }

  /** Submits one and gives `accepted` or the code. */
  async verdict(transaction: Uint8Array, source = "test"): Promise<string> {
    const [outcome] = await this.submit([transaction], source);
    return outcome?.status === "rejected" ? outcome.code : (outcome?.status ?? "nothing");
  }

  /** Commits a block of what the mempool selects. */
  block(foreign: readonly Uint8Array[] = [], room = { bytes: 1 << 20, transactions: 4_096 }): BlockOutcome {
    return this.chain.commit(
      this.mempool,
      this.mempool.select(room, () => false),
      foreign,
    );
  }

  /** Cuts the power and starts again on what the disk and the chain hold. */
  powerCut(): void {
    this.fs.crash();
    this.restart();
  }

  /** Opens the log again and replays it. */
  restart(): void {
    this.time = new ManualTime(this.time.nowMs()); // the timers of the old life never fire
    this.log = this.#openLog();
    this.mempool = this.#start();
  }

  #tuning(): { readonly name: string; readonly segmentBytesMax: number } {
    return { name: "batches", segmentBytesMax: this.#options.segmentBytesMax ?? 64 * 1024 };
  }

  #openLog(): RecordLog {
    const opened = openRecordLog(this.fs, "/batches", this.#tuning());
    if (!opened.ok) throw new Error(`${opened.error.kind}: ${opened.error.detail}`);
    return opened.value;
  }

  #start(): Mempool {
    const { bounds, freeSpaceBytes, isSyncing } = this.#options;
    this.#life++;
    const life = this.#life;
    const mempool = new Mempool({
      chainId: CHAIN_ID,
      signer: SIGNER,
      log: this.log,
      chain: this.chain,
      finalizedView: () => this.chain.state,
      tip: { height: this.chain.height, timeMs: this.chain.timeMs },
      parameters: PARAMETERS,
      verifyMany: this.#options.verifyMany ?? ((claims) => this.#verify(claims)),
      clock: this.time,
      timers: this.time,
      journal: silentLog,
      onWork: () => {
        this.workCount++;
      },
      onFatal: (error) => {
        if (life === this.#life) this.fatal.push(error);
      },
      ...(bounds === undefined ? {} : { bounds }),
      ...(freeSpaceBytes === undefined ? {} : { freeSpaceBytes }),
      ...(isSyncing === undefined ? {} : { isSyncing }),
    });
    mempool.start(this.chain.mark);
    return mempool;
  }

  /** A stand-in for signatures: those of `transactionOf` are good unless forged. */
  async #verify(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    this.verifiedCount += claims.length;
    return claims.map(({ signature }) => signature[0] === 1);
  }
}
