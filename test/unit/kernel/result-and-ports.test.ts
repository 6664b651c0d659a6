import { describe, expect, test } from "bun:test";
import { err, ok, type Result, silentLog } from "../../../src/kernel/index.ts";

describe("result and ports", () => {
  test("result: ok and err, told apart by one field", () => {
    const half = (n: number): Result<number, "odd"> => (n % 2 === 0 ? ok(n / 2) : err("odd"));
    expect(half(8)).toEqual({ ok: true, value: 4 });
    expect(half(7)).toEqual({ ok: false, error: "odd" });
  });

  test("silentLog: every level, keeps nothing and returns nothing", () => {
    for (const level of ["debug", "info", "warn", "error"] as const) expect(silentLog[level]("a.b", { n: 1n })).toBeUndefined();
  });
});
