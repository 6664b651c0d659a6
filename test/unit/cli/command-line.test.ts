import { describe, expect, spyOn, test } from "bun:test";
import { parseAmount, parseCount, UsageError } from "../../../src/cli/command.ts";
import { COMMANDS, runCommandLine } from "../../../src/cli/index.ts";

/** Runs a line and gives its exit code and what it printed. */
async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: "", err: "" };
  const out = spyOn(process.stdout, "write").mockImplementation((text) => {
    printed.out += String(text);
    return true;
  });
  const err = spyOn(process.stderr, "write").mockImplementation((text) => {
    printed.err += String(text);
    return true;
  });
  try {
    return { code: await runCommandLine(COMMANDS, words), ...printed };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

describe("command line", () => {
  test("cli: every command, has help with its usage and every flag", async () => {
    for (const command of COMMANDS) {
      const { code, out } = await run(...command.name.split(" "), "--help");
      expect([command.name, code]).toEqual([command.name, 0]);
      expect(out).toContain(`Usage: bizra ${command.name}`);
      for (const flag of Object.keys(command.flags)) expect(out).toContain(`--${flag}`);
    }
  });

  test("cli: no words or help, lists every command; a group lists its own", async () => {
    for (const words of [[], ["--help"], ["help"]]) {
      const { code, out } = await run(...words);
      expect(code).toBe(0);
      for (const { name } of COMMANDS) expect(out).toContain(`bizra ${name}`);
    }
    const group = await run("tx", "--help");
    expect(group.out).toContain("bizra tx transfer");
    expect(group.out).not.toContain("bizra genesis new");
  });

  test("cli: an unknown command or half of one, exit 2 with what there is", async () => {
    expect(await run("frobnicate")).toMatchObject({ code: 2, out: "" });
    const half = await run("genesis");
    expect(half.code).toBe(2);
    expect(half.err).toContain("bizra genesis new");
  });

  test("cli: unknown, valueless or repeated flags and wrong counts of arguments, exit 2 with the usage", async () => {
    for (const words of [
      ["status", "--frobnicate"],
      ["genesis", "validate"],
      ["genesis", "validate", "a", "b"],
      ["testnet", "--out"],
      ["testnet", "--out", "/nowhere", "--validators", "1", "--validators", "2"],
      ["testnet", "--out", "/nowhere", "--validators", "0"],
      ["testnet"],
      ["tx", "transfer", "--to", "nobody", "--amount", "1"],
      ["proof", "verify", "/nowhere"],
    ]) {
      const { code, err } = await run(...words);
      expect([words.join(" "), code]).toEqual([words.join(" "), 2]);
      expect(err).toContain("Usage: bizra");
    }
  });

  test("cli: validators, stake and votes asked for wrongly, exit 2 before any key or node is asked", async () => {
    const id = "a".repeat(64);
    for (const words of [
      ["tx", "stake", "--validator", "x", "--amount", "1"],
      ["tx", "stake", "--validator", id, "--amount", "all"],
      ["tx", "unstake", "--validator", id, "--amount", "0"],
      ["tx", "withdraw", "--validator", id],
      ["tx", "validator-register"],
      ["tx", "validator-register", "--public-key", id],
      ["tx", "validator-register", "--public-key", id, "--proof", "00"],
      ["tx", "validator-update", "--validator", id],
      ["tx", "validator-update", "--validator", id, "--commission", "10001"],
      ["tx", "validator-update", "--validator", id, "--metadata", "m".repeat(257)],
      ["tx", "rotate-key", "--validator", id, "--validator-key", "a", "--public-key", id],
      ["tx", "propose", "--name", "", "--value", "1"],
      ["tx", "vote", "--proposal", id],
      ["tx", "vote", "--proposal", id, "--approve", "--reject"],
      ["keys", "prove", "file", "--chain-id", id, "--owner", "nobody"],
      ["proof", "get", "bz1", "--validator"],
      ["genesis", "new", "--chain", "c", "--out", "/nowhere", "--parameter", "slashPerMyriad=10000"],
      ["genesis", "new", "--chain", "c", "--out", "/nowhere", "--parameter", "surprise=1"],
    ]) {
      const { code, err } = await run(...words);
      expect([words.join(" "), code]).toEqual([words.join(" "), 2]);
      expect(err).toContain("Usage: bizra");
    }
  });

  test("cli: a failure, exit 1 with a sentence, and JSON for machines", async () => {
    const plain = await run("genesis", "show", "/nowhere/genesis.json");
    expect(plain).toMatchObject({ code: 1, out: "" });
    expect(plain.err).toContain("/nowhere/genesis.json");
    const json = await run("genesis", "show", "/nowhere/genesis.json", "--json");
    expect(JSON.parse(json.out)).toHaveProperty("error");
  });

  test("cli: amounts and counts, bounded and exact", () => {
    expect(parseAmount("18446744073709551615", "--amount")).toBe(2n ** 64n - 1n);
    for (const text of ["18446744073709551616", "-1", "1.5", "1e3", "", " 1", "0x10"])
      expect(() => parseAmount(text, "--amount")).toThrow(UsageError);
    expect(parseCount("4", "--validators", 1, 128)).toBe(4);
    for (const text of ["0", "129", "four", "1.0"]) expect(() => parseCount(text, "--validators", 1, 128)).toThrow(UsageError);
  });
});
