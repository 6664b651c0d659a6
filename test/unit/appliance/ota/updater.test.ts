import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type GateFacts,
  type Installer,
  InstallerFailed,
  type MoveFacts,
  UpdateRecord,
  Updater,
  type UpdateState,
} from "../../../../appliance/ota/index.ts";
import { type Log, silentLog } from "../../../../src/kernel/index.ts";
import { MemoryFileSystem } from "../../../../src/storage/index.ts";
import { SetTime } from "../supervisor/set-time.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-updater-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WELL: GateFacts = { hasNode: true, isDataLost: false, isRunning: true, healthyLooks: 3, isWorking: true, isAggregatorUp: true };
const LEVEL: MoveFacts = { isRunning: true, syncState: "synced", isValidator: true, missingValidators: 0 };

/** An installer that writes down what it was asked, and fails where a test says so. */
class ScriptedInstaller implements Installer {
  readonly asked: string[] = [];
  fails = new Set<string>();
  canGoBack = true;

  async slots() {
    this.#may("slots");
    return { canGoBack: this.canGoBack };
  }
  async inspect(path: string) {
    this.#note("inspect");
    return path.endsWith("stranger")
      ? ({ ok: false, error: { code: "foreignSignature", detail: "nobody we know" } } as const)
      : ({ ok: true, value: { compatible: "board", version: "1.1.0" } } as const);
  }
  async peek() {
    return undefined;
  }
  async install() {
    this.#note("install");
    return { ok: true, value: undefined } as const;
  }
  async commit() {
    this.#note("commit");
  }
  async turnBack() {
    this.#note("turnBack");
  }
  async stay() {
    this.#note("stay");
  }

  #note(what: string): void {
    this.asked.push(what);
    this.#may(what);
  }

  #may(what: string): void {
    if (this.fails.has(what)) throw new InstallerFailed(`${what}: no answer`);
  }
}

function rig(kept?: UpdateState, version = "1.0.0") {
  const time = new SetTime();
  const fs = new MemoryFileSystem();
  const record = new UpdateRecord(fs, "/update.json");
  if (kept) record.save(kept);
  const installer = new ScriptedInstaller();
  const facts = { gate: WELL, move: LEVEL, failure: undefined as string | undefined, wait: undefined as string | undefined };
  const reboots: number[] = [];
  const defects: unknown[] = [];
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (event) => void errors.push(event) };
  const open = (): Updater =>
    new Updater({
      ...{ stamp: { compatible: "board", version }, bootId: "one", installer, record, folder, log, slots: [], ask: fetch },
      node: {
        gate: () => Promise.resolve(facts.gate),
        move: () => Promise.resolve(facts.move),
        failure: () => facts.failure,
      },
      findReasonToWait: () => facts.wait,
      ...{ offlinePolicy: "asBefore", probationMs: 60_000, clock: time, timers: time },
      reboot: async () => void reboots.push(time.monotonicMs()),
      onDefect: (error) => void defects.push(error),
    });
  return { time, fs, record, installer, facts, reboots, defects, errors, open };
}

const onTrial: UpdateState = {
  row: { kind: "probation", version: "1.1.0", needsAggregator: true },
  floor: "1.0.0",
  failed: [],
};

describe("an updater", () => {
  test("ota: a release on probation that works, marked good, durable", async () => {
    const { time, record, installer, open, defects } = rig(onTrial, "1.1.0");
    const updater = open();
    await updater.start();
    await time.pass(2_000);
    expect(installer.asked).toEqual(["commit"]);
    expect(updater.status).toMatchObject({ row: { kind: "good", version: "1.1.0" }, floor: "1.1.0" });
    expect(record.load()).toMatchObject({ row: { kind: "good" }, floor: "1.1.0" });
    expect(defects).toEqual([]);
  });

  test("ota: a release that does not reach the aggregator, said while it waits, taken back when its time is over", async () => {
    const { time, installer, facts, reboots, open } = rig(onTrial, "1.1.0");
    facts.gate = { ...WELL, isAggregatorUp: false };
    const updater = open();
    await updater.start();
    await time.pass(58_000);
    expect(updater.status.waitsFor).toEqual(["the aggregator is not reached, and was before"]);
    await time.pass(6_000);
    expect(installer.asked).toEqual(["turnBack"]);
    expect(reboots.length).toBe(1);
    expect(updater.status.row).toMatchObject({ kind: "returning", trouble: { code: "gateFailed" } });
  });

  test("ota: supervision gives the node up, taken back at once; with nowhere to go, watched on", async () => {
    const first = rig(onTrial, "1.1.0");
    first.facts.gate = { ...WELL, isRunning: false };
    first.facts.failure = "the node ended with exit code 1";
    const updater = first.open();
    await updater.start();
    await first.time.pass(2_000);
    expect(updater.status.row).toMatchObject({ kind: "returning", trouble: { code: "nodeFailed" } });
    const alone = rig(onTrial, "1.1.0");
    alone.installer.canGoBack = false;
    alone.facts.gate = { ...WELL, isRunning: false };
    alone.facts.failure = "the node ended with exit code 1";
    const staying = alone.open();
    await staying.start();
    await alone.time.pass(10_000);
    expect(alone.reboots).toEqual([]);
    alone.facts.gate = WELL;
    await alone.time.pass(4_000);
    expect(staying.status.row.kind).toBe("good");
  });

  test("ota: a box without a node yet, committed as it starts; without its data, never committed and never sent back", async () => {
    const fresh = rig();
    fresh.facts.gate = { ...WELL, hasNode: false, isRunning: false, healthyLooks: 0, isWorking: false, isAggregatorUp: undefined };
    await fresh.open().start();
    await fresh.time.pass(2_000);
    expect(fresh.installer.asked).toEqual(["commit"]);
    const lost = rig();
    lost.facts.gate = { ...fresh.facts.gate, isDataLost: true };
    await lost.open().start();
    await lost.time.pass(600_000);
    expect([lost.installer.asked, lost.reboots]).toEqual([[], []]);
  });

  test("ota: the commit cannot be written down, tried again until it can", async () => {
    const { time, fs, record, open } = rig(onTrial, "1.1.0");
    const updater = open();
    await updater.start();
    fs.capacityBytes = 0;
    await time.pass(5_000);
    expect(updater.status.row.kind).toBe("probation");
    fs.capacityBytes = 1_000_000;
    await time.pass(5_000);
    expect(record.load()).toMatchObject({ row: { kind: "good" }, floor: "1.1.0" });
  });

  test("ota: the updater does not answer, the slot is marked good once it does", async () => {
    const { time, installer, open, errors } = rig(onTrial, "1.1.0");
    installer.fails.add("commit");
    const updater = open();
    await updater.start();
    await time.pass(5_000);
    expect(updater.status.row.kind).toBe("probation");
    expect(errors).toContain("update.installerFailed");
    installer.fails.clear();
    await time.pass(5_000);
    expect(updater.status.row.kind).toBe("good");
  });

  test("ota: an installed release waits until the node can be left, restarted then, and again when nothing came of it", async () => {
    const bundle = { version: "1.1.0", compatible: "board" };
    const waiting = { kind: "rebooting", bundle, bootId: "one", isAsked: false, hadAggregator: false } as const;
    const { time, facts, reboots, record, open } = rig({ row: waiting, floor: "1.0.0", failed: [] });
    facts.move = { ...LEVEL, missingValidators: 1 };
    const updater = open();
    await updater.start();
    await time.pass(30_000);
    expect(reboots).toEqual([]);
    expect(updater.status.waitsFor).toEqual(["1 other validators are away"]);
    facts.move = LEVEL;
    await time.pass(5_000);
    expect(reboots.length).toBe(1);
    expect(record.load()).toMatchObject({ row: { isAsked: true, hadAggregator: true } });
    await time.pass(60_000);
    expect(reboots.length).toBe(2);
    expect(updater.moveNow().ok).toBe(true);
  });

  test("ota: installed by nobody, it also waits for its window; a person's does not", async () => {
    const bundle = { version: "1.1.0", compatible: "board" };
    const waiting = { kind: "rebooting", bundle, bootId: "one", isAsked: false, hadAggregator: false, isUnattended: true } as const;
    const { time, facts, reboots, open } = rig({ row: waiting, floor: "1.0.0", failed: [] });
    facts.wait = "the window of time is closed";
    const updater = open();
    await updater.start();
    await time.pass(30_000);
    expect([reboots.length, updater.status.waitsFor]).toEqual([0, ["the window of time is closed"]]);
    facts.wait = undefined;
    await time.pass(5_000);
    expect(reboots.length).toBe(1);
    const { isUnattended: _, ...ordered } = waiting;
    const person = rig({ row: ordered, floor: "1.0.0", failed: [] });
    person.facts.wait = "the window of time is closed";
    await person.open().start();
    await person.time.pass(5_000);
    expect(person.reboots.length).toBe(1);
  });

  test("ota: an installed release is called off, the running slot comes next", async () => {
    const bundle = { version: "1.1.0", compatible: "board" };
    const waiting = { kind: "rebooting", bundle, bootId: "one", isAsked: false, hadAggregator: false } as const;
    const { time, facts, installer, open } = rig({ row: waiting, floor: "1.0.0", failed: [] });
    facts.move = { ...LEVEL, missingValidators: 1 };
    const updater = open();
    await updater.start();
    expect((await updater.back()).ok).toBe(true);
    await time.pass(60_000);
    expect(installer.asked).toEqual(["stay"]);
    expect(updater.status.row).toMatchObject({ kind: "idle", last: { code: "asked" } });
  });

  test("ota: a bundle by a stranger, refused, no slot touched; a second order meanwhile is busy", async () => {
    const { time, installer, open } = rig();
    const path = join(folder, "stranger");
    writeFileSync(path, "a bundle");
    const updater = open();
    await updater.start();
    expect(updater.order({ source: { kind: "file", path }, isUnattended: false }).ok).toBe(true);
    expect(updater.order({ source: { kind: "file", path }, isUnattended: false })).toMatchObject({ ok: false, error: { code: "busy" } });
    await time.settle();
    await time.settle();
    expect(updater.status.row).toMatchObject({ kind: "idle", last: { code: "foreignSignature" } });
    expect(installer.asked).toEqual(["inspect"]);
    expect(existsSync(path)).toBe(true); // an operator's file is not ours to remove
    expect(readFileSync(path, "utf8")).toBe("a bundle");
  });

  test("ota: the order cannot be made durable, refused and forgotten", async () => {
    const { fs, open, errors } = rig();
    const updater = open();
    await updater.start();
    fs.capacityBytes = 0;
    const ordered = updater.order({ source: { kind: "file", path: "/usb/new" }, isUnattended: false });
    expect(ordered).toMatchObject({ ok: false, error: { code: "diskFull" } });
    expect(updater.status.row.kind).toBe("idle");
    expect(errors).toEqual(["update.notKept"]);
  });

  test("ota: nothing to go back to, nothing to move to: said with their codes", async () => {
    const { installer, open } = rig();
    installer.canGoBack = false;
    const updater = open();
    await updater.start();
    expect(await updater.back()).toMatchObject({ ok: false, error: { code: "nothingBefore" } });
    expect(updater.moveNow()).toMatchObject({ ok: false, error: { code: "nothingBefore" } });
  });

  test("ota: a record that is damaged, told; what runs is the floor and is not left by itself", async () => {
    const { fs, time, facts, installer, open, errors } = rig(undefined, "1.1.0");
    const file = fs.open("/update.json", "createNew");
    file.write(0, new TextEncoder().encode("{"));
    facts.gate = { ...WELL, isRunning: false };
    facts.failure = "the node ended";
    const updater = open();
    await updater.start();
    await time.pass(120_000);
    expect(errors).toEqual(["update.recordDamaged"]);
    expect(updater.status.floor).toBe("1.1.0");
    expect(installer.asked).toEqual([]);
  });

  test("ota: stopped, nothing is looked at or done any more", async () => {
    const { time, installer, open } = rig(onTrial, "1.1.0");
    const updater = open();
    await updater.start();
    updater.stop();
    await time.pass(120_000);
    expect(installer.asked).toEqual([]);
  });
});
