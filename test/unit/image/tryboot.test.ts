import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layOut, partitionsOf } from "../../../image/layout/partitions.ts";
import { autobootText, BOOT_PARTITIONS, TRYBOOT_BACKEND } from "../../../image/raspberry-pi/tryboot.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-tryboot-"));
const backend = join(folder, "backend");
writeFileSync(backend, TRYBOOT_BACKEND);
chmodSync(backend, 0o755);
const boot = join(folder, "boot");
const cmdline = join(folder, "cmdline");

beforeEach(() => {
  rmSync(boot, { recursive: true, force: true });
  mkdirSync(boot);
  writeFileSync(join(boot, "autoboot.txt"), autobootText("A"));
  writeFileSync(cmdline, "console=ttyAMA0 rauc.slot=A quiet\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Calls the backend as the updater does; what it printed, or the fault. */
function call(...words: readonly string[]): string {
  const environment = { PATH: "/usr/bin:/bin", BIZRA_BOOT_DIR: boot, BIZRA_CMDLINE: cmdline };
  const { exitCode, stdout, stderr } = Bun.spawnSync({ cmd: ["sh", backend, ...words], env: environment, stdout: "pipe", stderr: "pipe" });
  return exitCode === 0 ? stdout.toString().trim() : `FAILED ${stderr.toString().trim()}`;
}

/** What the firmware does at a restart: which slot starts, and that a trial is for once. */
function restart(): "A" | "B" {
  const isTrial = call("restart-word") === "0 tryboot";
  const text = readFileSync(join(boot, "autoboot.txt"), "utf8");
  const part = isTrial ? text.split("[tryboot]")[1] : text.split("[tryboot]")[0];
  const slot = part?.includes(`boot_partition=${BOOT_PARTITIONS.A}`) ? "A" : "B";
  writeFileSync(cmdline, `rauc.slot=${slot}\n`);
  return slot;
}

describe("Raspberry Pi", () => {
  test("image: the firmware's partitions, are the boot partitions of the layout", () => {
    const { partitions } = layOut(partitionsOf("arm64"));
    for (const slot of ["A", "B"] as const)
      expect(partitions.find(({ label }) => label === `boot-${slot}`)?.number).toBe(BOOT_PARTITIONS[slot]);
  });

  test("image: a new box, runs its first slot and can start either", () => {
    expect([call("get-primary"), call("get-current"), call("get-state", "A"), call("get-state", "B")]).toEqual(["A", "A", "good", "good"]);
    expect(call("restart-word")).toBe("");
  });

  test("image: an update that is good, is tried once and then stays", () => {
    call("set-state", "B", "bad"); // what the updater does before it writes a slot
    expect(call("get-state", "B")).toBe("bad");
    call("set-primary", "B");
    expect([call("get-primary"), call("get-state", "B")]).toEqual(["B", "good"]);
    expect(restart()).toBe("B");
    call("set-state", "B", "good");
    expect(call("restart-word")).toBe("");
    expect([restart(), restart(), call("get-primary")]).toEqual(["B", "B", "B"]);
  });

  test("image: an update whose start fails, leads back at the next start by itself", () => {
    call("set-primary", "B");
    expect(restart()).toBe("B");
    // A watchdog or a pulled plug: no word to the firmware, so the trial is over.
    const text = readFileSync(join(boot, "autoboot.txt"), "utf8");
    expect(text).toBe(autobootText("A"));
  });

  test("image: an update that the gate refuses, is marked bad and not tried again", () => {
    call("set-primary", "B");
    expect(restart()).toBe("B");
    call("set-state", "B", "bad");
    expect([call("restart-word"), call("get-primary"), call("get-state", "B")]).toEqual(["", "A", "bad"]);
    expect(restart()).toBe("A");
  });

  test("image: a rollback to the committed slot, takes the trial back", () => {
    call("set-primary", "B");
    call("set-primary", "A");
    expect([call("restart-word"), restart()]).toEqual(["", "A"]);
  });

  test("image: good of the slot that does not run, commits nothing", () => {
    call("set-state", "B", "bad");
    call("set-state", "B", "good");
    expect(readFileSync(join(boot, "autoboot.txt"), "utf8")).toBe(autobootText("A"));
    expect(call("get-state", "B")).toBe("good");
  });

  test("image: both slots, never become bad", () => {
    call("set-state", "B", "bad");
    expect(call("set-state", "A", "bad")).toContain("FAILED");
    expect(call("get-state", "A")).toBe("good");
  });

  test("image: wrong words, a missing or a broken file, are refused and change nothing", () => {
    for (const words of [[], ["set-primary"], ["set-primary", "C"], ["set-state", "A", "odd"], ["get-state", "../A"], ["what"]])
      expect(call(...words)).toContain("FAILED");
    expect(readFileSync(join(boot, "autoboot.txt"), "utf8")).toBe(autobootText("A"));
    expect(existsSync(join(boot, "try"))).toBe(false);
    writeFileSync(join(boot, "autoboot.txt"), "[all]\n");
    expect(call("get-primary")).toContain("names no slot");
    rmSync(join(boot, "autoboot.txt"));
    expect(call("get-primary")).toContain("there is no");
  });
});
