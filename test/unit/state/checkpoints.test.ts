import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err, ok, present, type Result, silentLog, toHex } from "../../../src/kernel/index.ts";
import type { CheckpointFailure, CheckpointJob, CheckpointWriter } from "../../../src/state/checkpoint.ts";
import {
  CHECKPOINT_RETRY_MS,
  type CheckpointPolicy,
  InlineCheckpointWriter,
  isCheckpointDue,
  State,
  WorkerCheckpointWriter,
} from "../../../src/state/index.ts";
import { MemoryFileSystem, nodeFileSystem } from "../../../src/storage/index.ts";
import { account, CHAIN_ID, publicKeyOf } from "./state-fixture.ts";

const PATH = "/state.db";
const EVERY_BLOCK: CheckpointPolicy = { changedEntriesMin: 1_000, blocksMax: 1, intervalMs: 1_000_000 };

/** A writer that finishes when it is told to. */
class HeldWriter implements CheckpointWriter {
  readonly jobs: CheckpointJob[] = [];
  #finish: ((outcome: Result<number, CheckpointFailure>) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;

  write(job: CheckpointJob): Promise<Result<number, CheckpointFailure>> {
    expect(this.#finish).toBeUndefined();
    this.jobs.push(job);
    const { promise, resolve, reject } = Promise.withResolvers<Result<number, CheckpointFailure>>();
    this.#finish = resolve;
    this.#fail = reject;
    return promise;
  }

  finish(outcome: Result<number, CheckpointFailure>): void {
    const finish = present(this.#finish, "a checkpoint is being written");
    this.#finish = undefined;
    finish(outcome);
  }

  break(error: unknown): void {
    present(this.#fail, "a checkpoint is being written")(error);
  }
}

function world(writer: CheckpointWriter, policy = EVERY_BLOCK) {
  const clock = { timeMs: 0, nowMs: () => 0, monotonicMs: () => clock.timeMs };
  const defects: unknown[] = [];
  const parts = { writer, policy, clock, log: silentLog, onDefect: (error: unknown) => void defects.push(error) };
  const state = State.ofGenesis(CHAIN_ID, [account(1, 1n)], parts);
  const addBlock = (balance: bigint): void => state.fold(state.stack(undefined, [account(1, balance)]), state.height + 1);
  return { clock, defects, parts, state, addBlock };
}

describe("when a checkpoint is due", () => {
  const policy: CheckpointPolicy = { changedEntriesMin: 100, blocksMax: 50, intervalMs: 1_000 };
  const due = (changedEntries: number, blocks: number, elapsedMs: number, entryCount = 0): boolean =>
    isCheckpointDue({ changedEntries, blocks, elapsedMs, entryCount }, policy);

  test("state: each bound reached or just not, due or not", () => {
    expect([due(99, 49, 999), due(100, 1, 0), due(0, 50, 0), due(1, 1, 1_000)]).toEqual([false, true, true, true]);
  });

  test("state: time alone without changes, or no block at all, not due", () => {
    expect([due(0, 49, 1e9), due(1_000, 0, 1e9)]).toEqual([false, false]);
  });

  test("state: a large state, due only when changes make up a quarter of it", () => {
    expect([due(100, 1, 0, 401), due(101, 1, 0, 401)]).toEqual([false, true]);
  });
});

describe("checkpoints of a running state", () => {
  test("state: blocks folded while a checkpoint is written, it holds the moment it began and a second one waits", async () => {
    const writer = new HeldWriter();
    const { state, addBlock } = world(writer);
    addBlock(10n);
    const rootThen = toHex(state.root);
    const bucketsThen = state.findEntry(account(1, 0n).key);
    expect(state.checkpointIfDue()).toBe(true);
    addBlock(11n);
    addBlock(12n);
    expect(state.checkpointIfDue()).toBe(false);
    const [job] = writer.jobs;
    expect(job?.mark.height).toBe(1);
    expect(toHex(present(job, "a job").mark.stateRoot)).toBe(rootThen);
    const fs = new MemoryFileSystem();
    await new InlineCheckpointWriter(fs, PATH).write(present(job, "a job"));
    const loaded = State.load(fs, PATH, CHAIN_ID);
    expect(loaded.ok && loaded.value.findEntry(account(1, 0n).key)).toEqual(bucketsThen as never);
    expect(state.gauges.checkpointHeight).toBeUndefined();
    writer.finish(ok(500));
    await state.settled();
    expect(state.gauges.checkpointHeight).toBe(1);
    expect(state.checkpointIfDue()).toBe(true);
    expect(writer.jobs[1]?.mark.height).toBe(3);
    writer.finish(ok(500));
    await state.settled();
    expect(state.checkpointCounters).toMatchObject({ written: 2, failed: 0, sizeBytes: 1_000 });
    expect(state.checkpointIfDue()).toBe(false);
  });

  test("state: a checkpoint asked for while one is written, written after it and once", async () => {
    const writer = new HeldWriter();
    const { state, addBlock } = world(writer);
    addBlock(10n);
    state.checkpointIfDue();
    addBlock(11n);
    const asked = state.checkpoint();
    writer.finish(ok(1));
    while (writer.jobs.length < 2) await Promise.resolve();
    expect(writer.jobs.map(({ mark }) => mark.height)).toEqual([1, 2]);
    writer.finish(ok(1));
    expect(await asked).toBe(true);
  });

  test("state: a checkpoint asked for twice without a block between, written once", async () => {
    const fs = new MemoryFileSystem();
    const { state, addBlock } = world(new InlineCheckpointWriter(fs, PATH));
    expect(await state.checkpoint()).toBe(true);
    expect(await state.checkpoint()).toBe(true);
    addBlock(10n);
    expect(await state.checkpoint()).toBe(true);
    expect(state.checkpointCounters?.written).toBe(2);
  });

  test("state: a checkpoint that fails, tried again after a while with what was due", async () => {
    const writer = new HeldWriter();
    const { state, addBlock, clock } = world(writer);
    addBlock(10n);
    state.checkpointIfDue();
    writer.finish(err({ code: "diskFull", detail: "no room" }));
    await state.settled();
    expect(state.gauges.checkpointHeight).toBeUndefined();
    expect(state.checkpointIfDue()).toBe(false);
    clock.timeMs += CHECKPOINT_RETRY_MS;
    expect(state.checkpointIfDue()).toBe(true);
    writer.finish(ok(1));
    await state.settled();
    expect(state.checkpointCounters).toMatchObject({ written: 1, failed: 1 });
  });

  test("state: a writer that breaks instead of answering, reported as a defect", async () => {
    const writer = new HeldWriter();
    const { state, addBlock, defects } = world(writer);
    addBlock(10n);
    state.checkpointIfDue();
    writer.break(new Error("a bug"));
    await state.settled();
    expect(defects).toEqual([new Error("a bug")]);
  });

  test("state: loaded from a checkpoint, the same state that goes on from its height", async () => {
    const fs = new MemoryFileSystem();
    const { state, addBlock, parts } = world(new InlineCheckpointWriter(fs, PATH));
    for (let i = 0; i < 5; i++) addBlock(BigInt(i));
    expect(await state.checkpoint()).toBe(true);
    const loaded = State.load(fs, PATH, CHAIN_ID, parts);
    if (!loaded.ok) throw new Error(loaded.error.detail);
    expect(loaded.value.height).toBe(5);
    expect(loaded.value.gauges.checkpointHeight).toBe(5);
    expect(toHex(loaded.value.root)).toBe(toHex(state.root));
    addBlock(99n);
    loaded.value.fold(loaded.value.stack(undefined, [account(1, 99n)]), 6);
    expect(toHex(loaded.value.root)).toBe(toHex(state.root));
  });
});

describe("the worker that writes", () => {
  const folder = mkdtempSync(join(tmpdir(), "bizra-state-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("state: a checkpoint of several parts written by the worker, read back as the same state, nothing left beside it", async () => {
    const path = join(folder, "state.db");
    const parts = { ...world(new WorkerCheckpointWriter(path)).parts, writer: new WorkerCheckpointWriter(path) };
    const entries = Array.from({ length: 30_000 }, (_, i) => account(i, BigInt(i)));
    const state = State.ofGenesis(CHAIN_ID, entries, parts);
    expect(await state.checkpoint()).toBe(true);
    state.fold(state.stack(undefined, [account(1, 77n)]), 1);
    expect(await state.checkpoint()).toBe(true);
    const loaded = State.load(nodeFileSystem, path, CHAIN_ID);
    expect(loaded.ok && toHex(loaded.value.root)).toBe(toHex(state.root));
    expect(readdirSync(folder)).toEqual(["state.db"]);
  });

  test("state: a folder that is not there, the worker answers unavailable", async () => {
    const writer = new WorkerCheckpointWriter(join(folder, "absent", "state.db"));
    const job = { mark: { chainId: CHAIN_ID, height: 1, stateRoot: publicKeyOf(1) }, buckets: [] };
    expect(await writer.write(job)).toMatchObject({ ok: false, error: { code: "unavailable", detail: expect.stringContaining("absent") } });
  });
});
