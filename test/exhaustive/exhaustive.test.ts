import { describe, expect, test } from "bun:test";
import { BROKEN_RULES, searchApart } from "./broken-rules.ts";
import { SMALL_SCOPES } from "./scope.ts";

/** More than any of these scopes has; a scope that grows beyond it must be said to. */
const STATES_MAX = 2_000_000;
/** A busy machine is slow, not wrong. */
const SLOW_MS = 180_000;

describe("exhaustive search", () => {
  for (const scope of SMALL_SCOPES) {
    test(
      `exhaustive: every state of the scope ${scope.name}, breaks nothing`,
      async () => {
        const { isComplete, violation, states } = await searchApart(scope.name, STATES_MAX);
        expect({ isComplete, violation }).toEqual({ isComplete: true, violation: undefined });
        expect(states).toBeGreaterThan(10_000);
      },
      SLOW_MS,
    );
  }

  for (const { mutant, scope, property } of BROKEN_RULES) {
    test(
      `exhaustive: ${mutant}, found unsafe in the scope ${scope}`,
      async () => {
        const { violation } = await searchApart(scope, STATES_MAX, mutant);
        expect(violation?.property).toStartWith(`${property}:`);
        expect(violation?.way).not.toContain("unknown");
      },
      SLOW_MS,
    );
  }
});
