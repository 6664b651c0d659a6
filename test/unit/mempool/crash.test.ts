import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Prng, toHex } from "../../../src/kernel/index.ts";
import { MempoolFailed, type SubmitOutcome } from "../../../src/mempool/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { keyOf, transactionOf, type Wish, World } from "./mempool-world.ts";

/** Thrown by the simulated disk to stop the process just before an effect. */
class PowerCut extends Error {}

const ACCOUNTS = 4;

type Step =
  | { readonly kind: "submit"; readonly items: readonly { readonly account: number; readonly ahead: number; readonly wish: Wish }[] }
  | { readonly kind: "block" }
  | { readonly kind: "foreign"; readonly account: number; readonly memo: number }
  | { readonly kind: "rob"; readonly account: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "cut"; readonly afterEffects: number }
  | { readonly kind: "failSync" }
  | { readonly kind: "fill"; readonly bytes: number }
  | { readonly kind: "free" };

const wish: fc.Arbitrary<Wish> = fc.record({
  fee: fc.constantFrom(10n, 11n, 400_000n),
  validUntil: fc.constantFrom(3n, 6n, 400n, 400n, 400n),
  memo: fc.integer({ min: 0, max: 2 }),
  isForged: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
const account = fc.integer({ min: 1, max: ACCOUNTS });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("submit" as const),
      items: fc.array(fc.record({ account, ahead: fc.integer({ min: -1, max: 3 }), wish }), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: "block" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("foreign" as const), account, memo: fc.integer({ min: 3, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rob" as const), account }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(0, 5, 8, 30, 1_500) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("cut" as const), afterEffects: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "failSync" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill" as const), bytes: fc.integer({ min: 0, max: 700 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: "free" as const }) },
);

/** A run of steps with what must hold. */
class Run {
  readonly accepted = new Map<string, Uint8Array>();
  #cutIn = Number.POSITIVE_INFINITY;
  readonly world: World;

  constructor(seed: number) {
    const onEffect = (): void => {
      if (this.#cutIn-- <= 0) throw new PowerCut("the power went");
    };
    // Syncs take longer than anything else, so that blocks come and requests pile up while one runs.
    const afterSyncTime = (complete: () => void): void => void this.world.time.after(7, complete);
    const fs = new MemoryFileSystem({ prng: new Prng(seed), onEffect, afterSyncTime });
    // Short replays and tiny segments, so that records move forward and segments roll over within a run.
    this.world = new World({ fs, bounds: { replaySizeBytesMax: 1_500, freeSpaceBytesMin: 0 }, segmentBytesMax: 4_096 });
    this.world.fund(ACCOUNTS);
  }

  async take(step: Step): Promise<void> {
    const { world } = this;
    if (step.kind === "submit") this.submit(step.items);
    else if (step.kind === "block") world.block();
    else if (step.kind === "foreign") world.block([transactionOf(keyOf(step.account), this.nonceOf(step.account), { memo: step.memo })]);
    else if (step.kind === "rob") {
      // Takes the balance as a sponsor's devices may, without the account's own doing.
      world.chain.state.fund(keyOf(step.account), 5n, this.nonceOf(step.account));
    } else if (step.kind === "wait") await world.time.advance(step.ms);
    else if (step.kind === "cut") this.#cutIn = step.afterEffects;
    else if (step.kind === "failSync") world.fs.failingSyncCount = 1;
    else world.fs.capacityBytes = step.kind === "free" ? Number.POSITIVE_INFINITY : this.usedBytes() + step.bytes;
    if (world.fatal.length > 0) this.restart();
  }

  usedBytes(): number {
    return this.world.fs.files().reduce((sum, path) => sum + (this.world.fs.stat(path)?.sizeBytes ?? 0), 0);
  }

  nonceOf(account: number): bigint {
    return this.world.chain.state.findAccount(keyOf(account))?.nonce ?? 0n;
  }

  /** Answers are noted when they come, which may be during later steps. */
  submit(items: readonly { readonly account: number; readonly ahead: number; readonly wish: Wish }[]): void {
    const transactions = items.map(({ account, ahead, wish }) => {
      const nonce = this.world.mempool.pendingNonce(keyOf(account)) + BigInt(ahead);
      return transactionOf(keyOf(account), nonce < 0n ? 0n : nonce, wish);
    });
    const onFailed = (error: unknown): void => {
      if (!(error instanceof MempoolFailed)) throw error; // a failed log answers nothing
    };
    void this.world.mempool.submit(transactions, "test").then((outcomes) => this.note(outcomes), onFailed);
  }

  note(outcomes: readonly SubmitOutcome[]): void {
    for (const outcome of outcomes) if (outcome.status === "accepted") this.accepted.set(toHex(outcome.id), outcome.id);
  }

  restart(): void {
    const { world } = this;
    this.#cutIn = Number.POSITIVE_INFINITY;
    world.fs.failingSyncCount = 0;
    world.fs.capacityBytes = Number.POSITIVE_INFINITY;
    world.fatal.length = 0;
    world.powerCut();
    this.checkNothingLost();
  }

  checkNothingLost(): void {
    const lost = [...this.accepted].filter(
      ([hex, id]) => !this.world.chain.executed.has(hex) && this.world.mempool.status(id) === "unknown",
    );
    expect(lost).toEqual([]);
  }

  /** With funds and blocks, what can go on goes on by itself; with the gaps filled, everything accepted comes to an end. */
  async finish(): Promise<void> {
    const { world } = this;
    this.restart();
    const keys = Array.from({ length: ACCOUNTS }, (_, i) => keyOf(i + 1));
    for (const [i, key] of keys.entries()) world.chain.state.fund(key, 1n << 40n, this.nonceOf(i + 1));
    await this.letBlocksCome(12);
    for (const [i, key] of keys.entries()) expect(world.mempool.pendingNonce(key)).toBe(this.nonceOf(i + 1));
    for (let round = 0; round < 8; round++) {
      for (const key of keys) await world.verdict(transactionOf(key, world.mempool.pendingNonce(key), { memo: 9 }));
      await this.letBlocksCome(1);
    }
    await this.letBlocksCome(20);
    this.checkNothingLost();
    const open = [...this.accepted].filter(([hex, id]) => !world.chain.executed.has(hex) && world.mempool.status(id) === "accepted");
    expect(open).toEqual([]);
    for (const nonces of world.chain.nonces.values()) expect(nonces).toEqual(nonces.map((_, i) => BigInt(i)));
    world.powerCut();
    this.checkNothingLost();
  }

  async letBlocksCome(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.world.time.advance(1_100);
      if (this.world.mempool.hasIncludable()) this.world.block();
      if (this.world.fatal.length > 0) throw this.world.fatal[0];
    }
  }
}

describe("crashes", () => {
  test("mempool: crashed, starved and cut off at any effect, what was accepted ends final, expired or superseded", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 1, maxLength: 40 }), async (seed, steps) => {
        const run = new Run(seed);
        for (const one of steps) await run.take(one);
        await run.finish();
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
