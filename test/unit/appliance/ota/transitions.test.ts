import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  canOrder,
  compareVersions,
  freshUpdateState,
  onUpdateInput,
  type RunningRelease,
  type UpdateInput,
  type UpdateOrder,
  type UpdateState,
} from "../../../../appliance/ota/index.ts";
import { BoxUnderCuts, type Loss, type Release } from "./power-cuts.ts";

const ORDER: UpdateOrder = { source: { kind: "file", path: "/usb/new" }, isUnattended: false };
const OLD: RunningRelease = { version: "1.0.0", bootId: "one", canGoBack: true };
const NEW: RunningRelease = { version: "1.1.0", bootId: "two", canGoBack: true };
const BUNDLE = { version: "1.1.0", compatible: "board" };

/** Takes inputs in order; gives the state and the effects of the last one. */
function after(state: UpdateState, running: RunningRelease, ...inputs: readonly UpdateInput[]) {
  let effects: readonly string[] = [];
  let last = state;
  for (const input of inputs) {
    const step = onUpdateInput(last, input, running);
    last = step.state;
    effects = step.effects.map(({ kind }) => kind);
  }
  return { state: last, row: last.row, effects };
}

const ordered: UpdateInput = { kind: "ordered", order: ORDER };
const toInstalled: readonly UpdateInput[] = [
  ordered,
  { kind: "downloaded", path: "/data/new" },
  { kind: "verified", bundle: BUNDLE },
  { kind: "installed" },
];

describe("the table of an update", () => {
  test("ota: ordered to committed, durable before each thing it is for", () => {
    let { state, effects } = after(freshUpdateState(OLD), OLD, ordered);
    expect(effects).toEqual(["keep", "fetch"]);
    ({ state, effects } = after(state, OLD, { kind: "downloaded", path: "/data/new" }));
    expect(effects).toEqual(["keep", "check"]);
    ({ state, effects } = after(state, OLD, { kind: "verified", bundle: BUNDLE }));
    expect(effects).toEqual(["keep", "install"]);
    ({ state, effects } = after(state, OLD, { kind: "installed" }));
    expect(effects).toEqual(["keep", "discard", "askNode"]);
    ({ state, effects } = after(state, OLD, { kind: "mayMove", hadAggregator: true }));
    expect(effects).toEqual(["keep", "reboot"]);
    ({ state, effects } = after(state, NEW, { kind: "started" }));
    expect([state.row.kind, ...effects]).toEqual(["probation", "keep", "watchGate"]);
    ({ state, effects } = after(state, NEW, { kind: "gatePassed" }));
    expect(effects).toEqual(["commit"]);
    ({ state, effects } = after(state, NEW, { kind: "committed" }));
    expect(effects).toEqual(["keep"]);
    expect(state).toEqual({ row: { kind: "good", version: "1.1.0" }, floor: "1.1.0", failed: [] });
  });

  test("ota: nothing is restarted before the node can be left, not even by a start of the main process", () => {
    const installed = after(freshUpdateState(OLD), OLD, ...toInstalled);
    expect(installed.row).toMatchObject({ kind: "rebooting", isAsked: false });
    expect(after(installed.state, OLD, { kind: "started" }).effects).toEqual(["askNode"]);
    const asked = after(installed.state, OLD, { kind: "mayMove", hadAggregator: true });
    expect(after(asked.state, OLD, { kind: "started" }).effects).toEqual(["reboot"]);
  });

  test.each(["downloaded", "verified", "installed"])("ota: refused after %s minus one, idle with the code, nothing left over", (kind) => {
    const upTo = toInstalled.slice(
      0,
      toInstalled.findIndex((input) => input.kind === kind),
    );
    const trouble = { code: "tampered", detail: "its bytes were changed" } as const;
    const refused = after(freshUpdateState(OLD), OLD, ...upTo, { kind: "refused", trouble });
    expect(refused.row).toEqual({ kind: "idle", last: trouble });
    expect(refused.effects).toEqual(["keep", "discard"]);
    expect(refused.state.floor).toBe("1.0.0");
  });

  test("ota: the gate fails, back to the other slot, remembered; nothing to go back to, watched on", () => {
    const trouble = { code: "gateFailed", detail: "no block" } as const;
    const onTrial = after(after(freshUpdateState(OLD), OLD, ...toInstalled, { kind: "mayMove", hadAggregator: true }).state, NEW, {
      kind: "started",
    }).state;
    const back = after(onTrial, NEW, { kind: "gateFailed", trouble });
    expect([back.row.kind, ...back.effects]).toEqual(["returning", "keep", "turnBack", "reboot"]);
    const home = after(back.state, { ...OLD, bootId: "three" }, { kind: "started" });
    expect(home.state).toEqual({ row: { kind: "rolledBack", version: "1.1.0", trouble }, floor: "1.0.0", failed: ["1.1.0"] });
    expect(home.effects).toEqual(["keep", "watchGate"]); // the boot loader counts this start until it is marked good
    const alone = after(onTrial, { ...NEW, canGoBack: false }, { kind: "gateFailed", trouble });
    expect([alone.row.kind, ...alone.effects]).toEqual(["probation", "watchGate"]);
  });

  test("ota: comes up again and again with what it was to leave, given up and said", () => {
    const trouble = { code: "nodeFailed", detail: "" } as const;
    let { state } = after({ row: { kind: "probation", version: "1.1.0", needsAggregator: false }, floor: "1.0.0", failed: [] }, NEW, {
      kind: "gateFailed",
      trouble,
    });
    for (let boot = 3; boot < 5; boot++) {
      const again = after(state, { ...NEW, bootId: String(boot) }, { kind: "started" });
      expect(again.effects).toEqual(["keep", "turnBack", "reboot"]);
      state = again.state;
    }
    const given = after(state, { ...NEW, bootId: "9" }, { kind: "started" });
    expect(given.row).toMatchObject({ kind: "idle", last: { code: "cannotGoBack" } });
  });

  test("ota: called off before the restart, the running slot comes next again", () => {
    const installed = after(freshUpdateState(OLD), OLD, ...toInstalled);
    expect(after(installed.state, OLD, { kind: "backAsked" }).effects).toEqual(["stay"]);
    expect(after(installed.state, OLD, { kind: "backAsked" }, { kind: "stayed" }).row).toMatchObject({
      kind: "idle",
      last: { code: "asked" },
    });
  });

  test("ota: a person goes back from a committed release, the floor stays", () => {
    const good: UpdateState = { row: { kind: "good", version: "1.1.0" }, floor: "1.1.0", failed: [] };
    const back = after(good, { ...NEW }, { kind: "backAsked" });
    expect(back.effects).toEqual(["keep", "turnBack", "reboot"]);
    const home = after(back.state, { ...OLD, bootId: "three" }, { kind: "started" });
    expect([home.row.kind, home.state.floor]).toEqual(["rolledBack", "1.1.0"]);
  });

  test("ota: whatever runs after a start, marked good once it works; the way back is not", () => {
    const rows = ["idle", "good", "rolledBack", "downloading", "rebooting"] as const;
    for (const kind of rows) expect(after(stateIn(kind), OLD, { kind: "gatePassed" }).effects).toEqual(["commit"]);
    expect(after(freshUpdateState(OLD), OLD, { kind: "started" }).effects).toEqual(["watchGate"]);
    const trouble = { code: "asked", detail: "" } as const;
    const returning: UpdateState = {
      ...freshUpdateState(OLD),
      row: { kind: "returning", version: "1.0.0", trouble, bootId: "one", attempts: 1 },
    };
    expect(after(returning, OLD, { kind: "gatePassed" }).effects).toEqual([]);
  });

  test("ota: a committed release whose node fails is left alone: another one would not mend what ails it", () => {
    const trouble = { code: "nodeFailed", detail: "" } as const;
    expect(after(stateIn("good"), OLD, { kind: "gateFailed", trouble }).effects).toEqual([]);
  });

  test("ota: the fleet was reached before the restart, so it must be after it", () => {
    const asked = after(freshUpdateState(OLD), OLD, ...toInstalled, { kind: "mayMove", hadAggregator: true }).state;
    expect(after(asked, NEW, { kind: "started" }).row).toMatchObject({ kind: "probation", needsAggregator: true });
  });

  test("ota: a second order while one is under way, passed over", () => {
    const under = after(freshUpdateState(OLD), OLD, ordered).state;
    expect(canOrder(under)).toBe(false);
    expect(onUpdateInput(under, ordered, OLD)).toEqual({ state: under, effects: [] });
  });
});

/** A state in a row of this kind. */
function stateIn(kind: "idle" | "good" | "rolledBack" | "downloading" | "rebooting"): UpdateState {
  const rows = {
    idle: { kind: "idle" },
    good: { kind: "good", version: "1.0.0" },
    rolledBack: { kind: "rolledBack", version: "1.1.0", trouble: { code: "gateFailed", detail: "" } },
    downloading: { kind: "downloading", order: ORDER },
    rebooting: { kind: "rebooting", bundle: BUNDLE, bootId: "one", isAsked: false, hadAggregator: false },
  } as const;
  return { ...freshUpdateState(OLD), row: rows[kind] };
}

/** Every kind of release. */
const RELEASES: readonly (Release & { readonly name: string; readonly ends: readonly string[] })[] = [
  { name: "a good release", version: "1.1.0", boots: true, passesGate: true, ends: ["1.0.0", "1.1.0"] },
  { name: "one whose node never works", version: "1.1.0", boots: true, passesGate: false, ends: ["1.0.0"] },
  { name: "one that does not start", version: "1.1.0", boots: false, passesGate: true, ends: ["1.0.0"] },
];

describe("the power goes, or the process", () => {
  /** Runs one schedule of cuts and checks where the box ends. */
  function check(release: (typeof RELEASES)[number], cuts: readonly number[], loss: Loss = "power"): BoxUnderCuts {
    const box = new BoxUnderCuts(release, cuts, loss);
    box.run();
    const place = `cuts after ${cuts.join(", ")}: ${box.trace.join(" ")}`;
    expect(release.ends, place).toContain(box.runningVersion);
    const slot = box.slots[box.booted];
    expect(slot?.isGood, place).toBe(true);
    const state = box.record;
    if (state === undefined) return box; // cut before the order was durable: it never was
    // nothing is left half done: the box would take the next order
    expect(canOrder(state), place).toBe(true);
    expect(state.floor, place).toBe(box.runningVersion);
    return box;
  }

  test.each(RELEASES)("ota: $name, no cut, ends where it should", (release) => {
    expect(check(release, []).runningVersion).toBe(release.passesGate && release.boots ? "1.1.0" : "1.0.0");
  });

  test.each(RELEASES)("ota: $name, cut after every step, and again after every later step, it goes on or goes back", (release) => {
    const steps = new BoxUnderCuts(release, []);
    steps.run();
    let schedules = 0;
    for (let first = 1; first <= steps.steps; first++) {
      const once = check(release, [first]);
      for (let second = first + 1; second <= once.steps; second++) {
        check(release, [first, second]);
        check(release, [first, second], "process");
        schedules++;
      }
    }
    expect(schedules).toBeGreaterThan(100);
  });

  test("ota: any number of cuts anywhere, it goes on or goes back", () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom(...RELEASES), cuts, fc.constantFrom<Loss>("power", "process"), (release, after, loss) => {
        check(release, after, loss);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("versions", () => {
  test.each([
    ["1.0.0", "1.0.1", -1],
    ["1.9.0", "1.10.0", -1],
    ["2.0.0", "1.99.99", 1],
    ["1.0.0-next", "1.0.0", -1],
    ["1.0.0-a", "1.0.0-b", -1],
    ["1.0.0", "1.0.0", 0],
    ["newest", "0.0.0", -1],
    ["01.0.0", "0.0.0", -1],
  ])("ota: %s against %s, %p", (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
    expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
  });
});
