import { describe, expect, test } from "bun:test";
import { judgeHealth, type NodeWord } from "../../../../appliance/supervisor/index.ts";

const word = (syncState: string, time = "12:00:01"): NodeWord => ({ role: "validator", height: 12, syncState, time });

describe("health", () => {
  test.each([
    ["synced", true],
    ["catchingUp", true],
    ["recovering", true],
    ["outdated", false],
  ])("supervisor: a node that answers and is %s, healthy, working: %p", (syncState, isWorking) => {
    expect(judgeHealth(word("synced", "12:00:00"), { isLive: true, word: word(syncState) })).toMatchObject({ isHealthy: true, isWorking });
  });

  test.each([
    ["silence", undefined, undefined, "does not answer"],
    ["a no at /livez", false, undefined, "does not work"],
    ["no status", true, undefined, "not what it is doing"],
    ["a state that nobody knows", true, word("dreaming"), "no state of a node"],
    ["a name that every object has", true, word("constructor"), "no state of a node"],
  ])("supervisor: %s, sick", (_name, isLive, said, detail) => {
    const verdict = judgeHealth(undefined, { isLive, word: said });
    expect(verdict).toMatchObject({ isHealthy: false, isWorking: false, detail: expect.stringContaining(detail) });
  });

  test("supervisor: the same answer twice, sick, for its loop stands still", () => {
    expect(judgeHealth(word("synced"), { isLive: true, word: word("synced") }).isHealthy).toBe(false);
    expect(judgeHealth(word("synced"), { isLive: true, word: word("synced", "12:00:02") }).isHealthy).toBe(true);
  });
});
