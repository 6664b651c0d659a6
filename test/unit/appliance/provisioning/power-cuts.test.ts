import { describe, expect, test } from "bun:test";
import { MEDIUM, parseProgress } from "../../../../appliance/provisioning/index.ts";
import { type Cut, FakeBox, planText, TOKEN } from "./fake-box.ts";

/** Writes after a cut within which another one may come: more than any effect has. */
const REACH = 5;

/** A whole life: a mistake, its correction, a new code asked for, another plan. */
async function live(cuts: readonly Cut[]): Promise<FakeBox> {
  const box = new FakeBox();
  box.disk.cuts = cuts;
  let validator: string | undefined;
  box.disk.onWrite = (path) => {
    const { files } = box.disk;
    const made = files.get("/home/validator");
    if (validator !== undefined && made !== validator) throw new Error("the validator's key was made twice");
    validator = made;
    if (box.statusText.includes(TOKEN)) throw new Error("the token is in status.txt");
    const state = parseProgress(files.get("/record") ?? "")?.state;
    if (path === `/medium/${MEDIUM.document}` && state !== "enrolled") throw new Error(`the plan was touched in state ${state}`);
    if (path.startsWith("/system/") && !(files.get("/record") ?? "").includes('"plan"'))
      throw new Error("something was set up without a plan");
  };
  box.put(MEDIUM.document, planText({ hostname: "Mill 7" }));
  await box.rest();
  if (box.disk.files.has("/system/hostname")) throw new Error("a plan with a mistake changed something");
  box.put(MEDIUM.document, planText());
  await box.rest();
  box.put("new-code.txt", "");
  await box.rest();
  const { aggregator: _aggregator, token: _token, ...alone } = JSON.parse(planText({ hostname: "mill-8" })) as Record<string, unknown>;
  box.put(MEDIUM.document, JSON.stringify(alone));
  await box.rest();
  return box;
}

/** Everything that is durable at the end but for what chance decides: keys, codes, the number of a request. */
function outcomeOf(box: FakeBox): Record<string, unknown> {
  const byChance = /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}|\b0{8}\w+|(?:[0-9a-f]{4}-){7}[0-9a-f]{4}/g;
  const kept = [...box.disk.files].filter(([path]) => path !== "/home/validator" && path !== "/home/identity");
  const shown = kept.map(([path, text]): [string, string] => [path, text.replace(byChance, "#")]).sort();
  return Object.fromEntries(shown.map(([path, text]) => [path, path === "/record" ? JSON.parse(text) : text]));
}

describe("provisioning: power cuts", () => {
  test("provisioning: no cut, the whole way to ready twice, and what is left says so", async () => {
    const box = await live([]);
    expect(Object.keys(outcomeOf(box))).toEqual([
      "/home/enrolled",
      "/home/genesis",
      "/home/settings",
      "/medium/provision.done.json",
      "/medium/status.txt",
      "/record",
      "/system/hostname",
      "/system/ssh/authorized_keys",
      "/system/systemd/network/10-bizra.network",
      "/system/systemd/timesyncd.conf.d/10-bizra.conf",
      "/system/update.json",
    ]);
    expect(box.disk.files.get("/system/hostname")).toBe("mill-8\n");
    expect([...box.disk.files.values()].some((text) => text.includes(TOKEN))).toBe(false);
    expect(box.statusText).toContain("State: ready\r\n");
  });

  test("provisioning: the power cut at every write, before, in and after it, the same end and no key made twice", async () => {
    const whole = await live([]);
    const wanted = outcomeOf(whole);
    const { writes } = whole.disk;
    expect(writes).toBeGreaterThan(30);
    for (let at = 1; at <= writes; at++) {
      for (const done of ["nothing", "half", "all"] as const) {
        const box = await live([{ at, done }]);
        expect([at, done, box.disk.cutsDone, outcomeOf(box)]).toEqual([at, done, 1, wanted]);
      }
    }
  }, 60_000);

  test("provisioning: the power cut twice, at every pair of writes, the same end", async () => {
    const whole = await live([]);
    const wanted = outcomeOf(whole);
    for (let first = 1; first <= whole.disk.writes; first++) {
      for (let second = first + 1; second <= Math.min(first + REACH, whole.disk.writes); second++) {
        const done = (first + second) % 2 === 0 ? "half" : "all";
        const box = await live([
          { at: first, done },
          { at: second, done: "nothing" },
        ]);
        expect([first, second, box.disk.cutsDone, outcomeOf(box)]).toEqual([
          first,
          second,
          box.disk.writes < second ? 1 : 2, // after a cut near the end fewer writes are left
          wanted,
        ]);
      }
    }
  }, 60_000);
});
