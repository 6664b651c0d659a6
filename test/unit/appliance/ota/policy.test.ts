import { describe, expect, test } from "bun:test";
import {
  afterLook,
  findReasonToWait,
  type LookState,
  openWindow,
  parseUpdatePolicy,
  planLook,
  type UpdatePolicy,
} from "../../../../appliance/ota/index.ts";
import { systemFilesOf } from "../../../../appliance/provisioning/system-files.ts";

const HOUR_MS = 3_600_000;
const MIDNIGHT_MS = Date.UTC(2026, 10, 23);
const at = (hours: number): number => MIDNIGHT_MS + hours * HOUR_MS;
const NIGHT: UpdatePolicy = { channel: "stable", window: { from: 120, to: 300 } };

describe("what a box was told of updates", () => {
  test("ota: what provisioning writes, is what is read", () => {
    const update = { window: "02:00-05:00", url: "https://releases.example/bizra" };
    const plan = { schema: 1, hostname: "mill-7", chain: { genesis: "0".repeat(64), role: "observer" }, update } as const;
    const written = systemFilesOf(plan)["update.json"] ?? "";
    expect(parseUpdatePolicy(written)).toEqual({ ok: true, value: { ...NIGHT, url: update.url } });
  });

  test("ota: provisioning's file, read; anything else is a sentence", () => {
    expect(parseUpdatePolicy('{"channel":"beta","window":"22:30-04:00"}')).toEqual({
      ok: true,
      value: { channel: "beta", window: { from: 1_350, to: 240 } },
    });
    expect(parseUpdatePolicy('{"channel":"stable","url":"https://releases.example/x"}')).toMatchObject({
      ok: true,
      value: { channel: "stable" },
    });
    for (const wrong of [
      "",
      "[]",
      "{}",
      '{"channel":"nightly"}',
      '{"channel":"beta","window":"24:00-25:00"}',
      '{"channel":"beta","url":"ftp://x"}',
      '{"channel":"beta","x":1}',
    ])
      expect([wrong, parseUpdatePolicy(wrong).ok]).toEqual([wrong, false]);
  });

  test("ota: a window, is open from its first minute to before its last, over midnight too", () => {
    const cases: readonly (readonly [number, number, number, boolean])[] = [
      [120, 300, 2, true],
      [120, 300, 4.99, true],
      [120, 300, 5, false],
      [120, 300, 1.99, false],
      [1_350, 240, 23, true],
      [1_350, 240, 3.9, true],
      [1_350, 240, 12, false],
    ];
    for (const [from, to, hours, isOpen] of cases)
      expect([from, hours, openWindow({ from, to }, at(hours)) !== undefined]).toEqual([from, hours, isOpen]);
    expect(openWindow({ from: 1_350, to: 240 }, at(3))).toEqual({ fromMs: at(-1.5), toMs: at(4) });
  });

  test("ota: nothing is done by nobody without a channel, outside the window, or by a clock that may be wrong", () => {
    expect(findReasonToWait({ channel: "none" }, at(3), true)).toContain("no channel");
    expect(findReasonToWait(NIGHT, at(12), true)).toContain("closed");
    expect(findReasonToWait(NIGHT, at(3), false)).toContain("clock");
    expect(findReasonToWait(NIGHT, at(3), true)).toBeUndefined();
    expect(findReasonToWait({ channel: "beta" }, at(12), false)).toBeUndefined();
  });
});

describe("looking for releases", () => {
  /** When a box that is looked at each minute asks its channel, in hours of the day. */
  function looks(policy: UpdatePolicy, draw: number, hours: number, isReached: (look: number) => boolean): number[] {
    let state: LookState | undefined;
    const found: number[] = [];
    for (let nowMs = at(0); nowMs < at(hours); nowMs += 60_000) {
      const facts = { monotonicMs: nowMs - at(0), nowMs, isClockTrusted: true, draw };
      const planned = planLook(state, policy, facts);
      state = planned.state;
      if (!planned.isDue || state === undefined) continue;
      found.push((nowMs - at(0)) / HOUR_MS);
      state = afterLook(state, isReached(found.length), facts);
    }
    return found;
  }

  test("ota: once in each window, spread over its first half by a draw", () => {
    expect(looks(NIGHT, 0, 48, () => true).map(Math.floor)).toEqual([2, 26]);
    const late = looks(NIGHT, 0.999, 48, () => true);
    expect(late.length).toBe(2);
    for (const hour of late) expect(hour % 24).toBeWithin(3.4, 3.6);
  });

  test("ota: a channel that is not reached, asked again within the window, less and less often", () => {
    const tries = looks(NIGHT, 0.5, 24, () => false);
    expect(tries.length).toBeWithin(4, 9);
    expect(tries.at(-1)).toBeLessThan(5);
    const waits = tries.slice(1).map((hour, i) => hour - (tries[i] ?? 0));
    expect(waits.at(-1)).toBeGreaterThan((waits[0] ?? 0) * 4);
  });

  test("ota: without a window, within an hour and then every few; never without a channel", () => {
    const asked = looks({ channel: "stable" }, 0.5, 48, () => true);
    expect(asked[0]).toBeWithin(0.4, 0.6);
    expect(asked.length).toBeWithin(8, 12);
    expect(looks({ channel: "none" }, 0, 48, () => true)).toEqual([]);
  });
});
