import { afterEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodePayload } from "../../../src/events/index.ts";
import { carryHandAudit, type HandAct, noteByHand } from "../../../src/node/hand-audit.ts";
import { EventBench } from "../events/event-fixture.ts";

const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), "bizra-audit-"));
  homes.push(home);
  return home;
}

const act = (target: string): HandAct => ({ actor: "operator", action: "bindKey", target, outcome: "done", detail: "on a person's word" });

/** A home's vital lane. */
function makeLane() {
  const events = new EventBench().open();
  const read = () => {
    const records = events.read("crit", { epoch: 1, sequence: 0 }, 100);
    return (records.ok ? records.value : []).map(({ type, payload }) => {
      const decoded = decodePayload(type, payload);
      return decoded.ok ? decoded.value : {};
    });
  };
  return { events, read };
}

test("audit by hand: what was noted, is carried into the vital lane once, however often a node starts", () => {
  const home = makeHome();
  const { events, read } = makeLane();
  carryHandAudit(home, events);
  expect(read()).toEqual([]);
  noteByHand(home, act("one"));
  noteByHand(home, { ...act("two"), outcome: "refused" });
  carryHandAudit(home, events);
  carryHandAudit(home, events);
  noteByHand(home, act("three"));
  carryHandAudit(home, events);
  expect(read()).toMatchObject([
    { actor: "operator", action: "bindKey", target: "one", outcome: "done" },
    { target: "two", outcome: "refused" },
    { target: "three", outcome: "done" },
  ]);
  expect(read()[0]?.["detail"]).toMatch(/^on a person's word \(at \d{4}-\d\d-\d\dT/);
});

test("audit by hand: a line that a power cut broke off, is told as one and holds up nothing", () => {
  const home = makeHome();
  const { events, read } = makeLane();
  noteByHand(home, act("one"));
  appendFileSync(join(home, "audit.jsonl"), '{"atMs":17900');
  carryHandAudit(home, events);
  expect(read()).toHaveLength(1);
  noteByHand(home, act("two"));
  carryHandAudit(home, events);
  expect(read()).toMatchObject([{ target: "one" }, { action: "unknown", detail: "a line that was cut off" }, { target: "two" }]);
});

test("audit by hand: lines of anything, never throw", () => {
  const home = makeHome();
  const { events, read } = makeLane();
  writeFileSync(join(home, "audit.jsonl"), ["", "null", "[]", '"x"', '{"atMs":-1}', '{"atMs":1,"actor":"thief"}', ""].join("\n"));
  carryHandAudit(home, events);
  expect(read().map((payload) => payload["action"])).toEqual(Array(6).fill("unknown"));
});

test("audit by hand: its file, is for its owner's eyes alone", () => {
  const home = makeHome();
  noteByHand(home, act("one"));
  expect(statSync(join(home, "audit.jsonl")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(home, "audit.jsonl"), "utf8").endsWith("\n")).toBe(true);
});
