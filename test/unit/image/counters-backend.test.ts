import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMIT_WORDS, COUNTERS_BACKEND } from "../../../image/boot/counters-backend.ts";
import { ATTEMPTS, encodeCounters, FIRST_COUNTERS } from "../../../image/boot/grub-config.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-counters-"));
const backend = join(folder, "backend");
writeFileSync(backend, COUNTERS_BACKEND);
chmodSync(backend, 0o755);
const block = join(folder, "grubenv");
const cmdline = join(folder, "cmdline");
const consoleFile = join(folder, "console");

beforeEach(() => {
  writeFileSync(block, encodeCounters(FIRST_COUNTERS));
  runs("A");
  writeFileSync(consoleFile, "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Slot = "A" | "B";

function runs(slot: Slot): void {
  writeFileSync(cmdline, `console=ttyS0 rauc.slot=${slot} bizra.verity=1:aa:bb\n`);
}

/** Calls the backend as the updater does; what it printed, or the fault. */
function call(...words: readonly string[]): string {
  const env = { PATH: "/usr/bin:/bin", BIZRA_COUNTERS: block, BIZRA_CMDLINE: cmdline, BIZRA_CONSOLE: consoleFile };
  const { exitCode, stdout, stderr } = Bun.spawnSync({ cmd: ["sh", backend, ...words], env, stdout: "pipe", stderr: "pipe" });
  return exitCode === 0 ? stdout.toString().trim() : `FAILED ${stderr.toString().trim()}`;
}

/** The block's values, as GRUB takes them: only behind its mark, over what it begins with. */
function counters(): Record<string, string> {
  const values: Record<string, string> = { ORDER: "A B", A_OK: "0", A_TRY: "0", B_OK: "0", B_TRY: "0", GOOD: "A" };
  const text = existsSync(block) ? readFileSync(block, "latin1") : "";
  if (!text.startsWith("# GRUB Environment Block\n")) return values;
  for (const line of text.split("\n")) {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values[name] = value;
  }
  return values;
}

/** What the boot loader's configuration does at a start: counts the attempt, and starts the first slot that has some left. */
function start(): Slot {
  const env = counters();
  const limitOf = (slot: string): number => (slot === env["GOOD"] ? ATTEMPTS.committed : ATTEMPTS.fresh);
  const found = (env["ORDER"] ?? "").split(" ").find((slot) => env[`${slot}_OK`] === "1" && Number(env[`${slot}_TRY`]) < limitOf(slot));
  if (found !== undefined) env[`${found}_TRY`] = String(Math.min(3, Number(env[`${found}_TRY`]) + 1));
  else Object.assign(env, { A_TRY: "0", B_TRY: "0" });
  if (readFileSync(block, "latin1").startsWith("# GRUB Environment Block\n")) writeFileSync(block, encodeCounters(env));
  const slot = (found ?? env["GOOD"]) === "B" ? "B" : "A";
  runs(slot);
  return slot;
}

/** What the updater does around an installation into a slot. */
function install(slot: Slot): void {
  call("set-state", slot, "bad");
  call("set-primary", slot);
}

describe("boot counters", () => {
  test("image: a new box, runs its first slot and has nothing else to start", () => {
    expect([call("get-primary"), call("get-current"), call("get-state", "A"), call("get-state", "B")]).toEqual(["A", "A", "good", "bad"]);
    expect(call("is-uncommitted")).toStartWith("FAILED");
  });

  test("image: an update that is good, is tried once, stays and is the committed one from then on", () => {
    start();
    install("B");
    expect([call("get-primary"), call("get-state", "B")]).toEqual(["B", "good"]);
    expect(start()).toBe("B");
    expect(call("is-uncommitted")).toBe("");
    expect(call("get-state", "A")).toBe("good"); // there is a way back
    call("set-state", "B", "good");
    expect(counters()).toEqual({ ORDER: "B A", A_OK: "1", A_TRY: "1", B_OK: "1", B_TRY: "0", GOOD: "B" });
    expect(call("is-uncommitted")).toStartWith("FAILED");
    expect([start(), start(), start()]).toEqual(["B", "B", "B"]);
    expect(readFileSync(consoleFile, "utf8")).toContain(`${COMMIT_WORDS} B is good after `);
  });

  test("image: an update that nobody commits, is started once, then the committed slot again and again", () => {
    start();
    call("set-state", "A", "good");
    install("B");
    expect([start(), start()]).toEqual(["B", "A"]);
    expect([call("get-state", "B"), call("get-primary")]).toEqual(["bad", "A"]);
    for (let i = 0; i < 5; i++) {
      call("set-state", "A", "good");
      expect(start()).toBe("A");
    }
    expect(counters()["ORDER"]).toBe("A B");
  });

  test("image: the running slot is committed while an update waits for its restart, and the update is still tried", () => {
    start();
    install("B");
    call("set-state", "A", "good");
    expect(start()).toBe("B");
  });

  test("image: an update that the gate refuses, is marked bad, and the box is back", () => {
    start();
    call("set-state", "A", "good");
    install("B");
    expect(start()).toBe("B");
    call("set-primary", "A");
    call("set-state", "B", "bad");
    expect([call("get-primary"), call("get-state", "B"), start()]).toEqual(["A", "bad", "A"]);
    expect(counters()["GOOD"]).toBe("A");
  });

  test("image: a committed slot, has three starts that were not good; with none left it is still the one that starts", () => {
    expect([start(), start(), start(), start()]).toEqual(["A", "A", "A", "A"]);
    expect(counters()["A_TRY"]).toBe("0");
  });

  test("image: a restart on purpose, is taken back for the committed slot only", () => {
    start();
    expect(counters()["A_TRY"]).toBe("1");
    expect(call("forget-attempt")).toBe("");
    expect(counters()["A_TRY"]).toBe("0");
    install("B");
    expect(start()).toBe("B");
    call("forget-attempt");
    expect(counters()["B_TRY"]).toBe("1");
    expect(start()).toBe("A");
  });

  test("image: good of the slot that does not run, commits nothing", () => {
    call("set-state", "B", "good");
    expect(counters()).toMatchObject({ B_OK: "1", GOOD: "A" });
    expect(readFileSync(consoleFile, "utf8")).toBe("");
  });

  test("image: the running slot, never becomes bad while the other one cannot be started", () => {
    expect(call("set-state", "A", "bad")).toContain("FAILED");
    expect(call("get-state", "A")).toBe("good");
    expect(call("set-state", "B", "bad")).toBe("");
  });

  test("image: any block, is read as GRUB reads it and made whole by the next commit", () => {
    const good = new TextDecoder().decode(encodeCounters({ ...FIRST_COUNTERS, A_TRY: "2" }));
    const blocks: readonly (readonly [string, string])[] = [
      ["empty", ""],
      ["zeros", "\0".repeat(1024)],
      ["ones", "\u00ff".repeat(1024)],
      ["short", good.slice(0, 40)],
      ["first sector of another", `${good.slice(0, 512)}${"\0".repeat(512)}`],
      ["no mark", good.slice(10).padEnd(1024, "#")],
      ["too long", good + "#".repeat(5_000)],
      ["commands", `# GRUB Environment Block\nGOOD=$(touch ${folder}/pwned)\nORDER=B A;reboot\nA_OK=\`id\`\n`.padEnd(1024, "#")],
      ["odd values", "# GRUB Environment Block\nORDER=A A\nA_OK=2\nA_TRY=-1\nGOOD=C\nB_TRY=99\n".padEnd(1024, "#")],
      ["one long line", `# GRUB Environment Block\nORDER=${"A ".repeat(490)}`],
    ];
    for (const [name, text] of blocks) {
      writeFileSync(block, Buffer.from(text, "latin1"));
      expect([name, call("get-primary")]).toEqual([name, "A"]);
      expect([name, call("set-state", "A", "good")]).toEqual([name, ""]);
      expect([name, counters()["A_OK"], counters()["A_TRY"], counters()["GOOD"], statSync(block).size]).toEqual([
        name,
        "1",
        "0",
        "A",
        1024,
      ]);
      expect([name, start()]).toEqual([name, "A"]);
    }
    expect(existsSync(join(folder, "pwned"))).toBe(false);
    rmSync(block);
    expect([call("get-primary"), call("get-state", "A")]).toEqual(["A", "bad"]);
    expect(call("set-primary", "A")).toBe("");
    expect(counters()).toMatchObject({ A_OK: "1", ORDER: "A B", GOOD: "A" });
  });

  test("image: the loader's mark of this start, is kept", () => {
    writeFileSync(block, encodeCounters({ ...FIRST_COUNTERS, BOOT: "2026-1-2-3-4-5" }));
    call("set-primary", "B");
    expect(counters()).toEqual({ ...FIRST_COUNTERS, ORDER: "B A", B_OK: "1", BOOT: "2026-1-2-3-4-5" });
  });

  test("image: what changes nothing, writes nothing", () => {
    const before = statSync(block, { bigint: true }).mtimeNs;
    for (const words of [["get-primary"], ["get-state", "B"], ["set-state", "A", "good"], ["forget-attempt"], ["set-primary", "A"]])
      expect(call(...words)).not.toContain("FAILED");
    expect(statSync(block, { bigint: true }).mtimeNs).toBe(before);
  });

  test("image: wrong words, and a command line without a slot, are refused and change nothing", () => {
    const before = readFileSync(block);
    for (const words of [
      [],
      ["set-primary"],
      ["set-primary", "C"],
      ["set-state", "A", "odd"],
      ["get-state", "../A"],
      ["what"],
      ["set-state"],
    ])
      expect(call(...words)).toContain("FAILED");
    writeFileSync(cmdline, "rauc.slot=C quiet\n");
    for (const words of [["get-current"], ["set-state", "A", "good"], ["forget-attempt"], ["is-uncommitted"]])
      expect(call(...words)).toContain("FAILED");
    expect(readFileSync(block)).toEqual(before);
  });
});
