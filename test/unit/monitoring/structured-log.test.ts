import { expect, test } from "bun:test";
import { createLog, type LogLevel, REDACTED } from "../../../src/monitoring/index.ts";

function capture(level: LogLevel) {
  const lines: string[] = [];
  const clock = { nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), monotonicMs: () => 0 };
  const log = createLog({ level, clock, destination: { write: (line) => lines.push(line) }, fields: { node: "n1" } });
  return { log, lines, parsed: () => lines.map((line): unknown => JSON.parse(line)) };
}

test("log: an event with fields, one JSON object a line with level and RFC 3339 time", () => {
  const { log, lines, parsed } = capture("debug");
  log.info("block.final", { height: 7, amount: 2n ** 63n, isEmpty: false, absent: undefined });
  expect(parsed()).toEqual([
    {
      level: "info",
      time: "2026-01-02T03:04:05.006Z",
      node: "n1",
      height: 7,
      amount: "9223372036854775808",
      isEmpty: false,
      event: "block.final",
    },
  ]);
  expect(lines[0]).toEndWith("}\n");
});

test("log: levels below the least one, not written", () => {
  const { log, parsed } = capture("warn");
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  expect(parsed()).toMatchObject([
    { level: "warn", event: "c" },
    { level: "error", event: "d" },
  ]);
});

test("log: a secret by name or by form, masked; a reserved name, kept apart", () => {
  const { log, parsed } = capture("info");
  log.info("x", {
    passphrase: "p",
    apiToken: "t",
    privateKey: "k",
    note: "-----BEGIN PRIVATE KEY-----\nabc",
    header: "Bearer abc",
    level: 3,
    publicKey: "ok",
  });
  expect(parsed()).toMatchObject([
    {
      passphrase: REDACTED,
      apiToken: REDACTED,
      privateKey: REDACTED,
      note: REDACTED,
      header: REDACTED,
      level: "info",
      level_: 3,
      publicKey: "ok",
    },
  ]);
});

test("log: text with line breaks and of great length, stays one bounded line", () => {
  const { log, lines } = capture("info");
  log.info("x", { text: "a\nb".repeat(10_000) });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.split("\n")).toHaveLength(2);
  expect(lines[0]?.length).toBeLessThan(5_000);
});
