import { describe, expect, test } from "bun:test";
import { assert, InvariantViolation, present, unreachable } from "../../../src/kernel/index.ts";

describe("assert", () => {
  test("assert: the condition holds, nothing happens", () => {
    expect(() => assert(true, "the sky is up")).not.toThrow();
  });

  test("assert: the condition fails, the invariant is the message", () => {
    expect(() => assert(false, "the floor never moves back")).toThrow(new InvariantViolation("the floor never moves back"));
  });

  test("present: a falsy value that is there, returned", () => {
    expect(present(0, "a count is there")).toBe(0);
    expect(present("", "a name is there")).toBe("");
    expect(present(false, "a flag is there")).toBe(false);
  });

  test("present: null or undefined, refused by the invariant", () => {
    expect(() => present(null, "a row is there")).toThrow(InvariantViolation);
    expect(() => present(undefined, "a row is there")).toThrow("a row is there");
  });

  test("unreachable: any value, an invariant violation that shows it", () => {
    const reach = (value: unknown) => () => unreachable(value as never);
    expect(reach("nope")).toThrow(new InvariantViolation('unreachable value "nope"'));
    expect(reach({ kind: 7 })).toThrow(new InvariantViolation('unreachable value {"kind":7}'));
    expect(reach(5n)).toThrow(new InvariantViolation('unreachable value "5n"'));
    expect(reach({ amount: 5n })).toThrow(InvariantViolation);
    expect(reach(undefined)).toThrow(InvariantViolation);
  });
});
