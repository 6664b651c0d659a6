import { describe, expect, test } from "bun:test";
import {
  findGateLacks,
  findReasonToStay,
  type GateFacts,
  judgeBundle,
  type MoveFacts,
  parseBoxStamp,
  parseUpdateRecord,
} from "../../../../appliance/ota/index.ts";

const STAMP = { compatible: "bizra-amd64-cloud", version: "1.2.0" };
const BAR = { stamp: STAMP, floor: "1.2.0", failed: ["1.2.9"], isUnattended: true };

function codeOf(compatible: string, version: string, bar = BAR): string {
  const judged = judgeBundle({ compatible, version }, bar);
  return judged.ok ? "ok" : judged.error.code;
}

describe("a bundle is judged", () => {
  test.each([
    ["bizra-amd64-cloud", "1.2.1", "ok"],
    ["bizra-amd64-cloud", "1.2.0", "sameVersion"],
    ["bizra-amd64-cloud", "1.1.9", "downgrade"],
    ["bizra-amd64-cloud", "1.2.0-beta", "downgrade"],
    ["bizra-amd64-cloud", "latest", "malformed"],
    ["bizra-arm64-cloud", "1.3.0", "wrongBoard"],
    ["bizra-amd64-cloud-development", "1.3.0", "developmentSigned"],
    ["bizra-amd64-cloud", "1.2.9", "failedBefore"],
  ])("ota: %s %s, %s", (compatible, version, code) => {
    expect(codeOf(compatible, version)).toBe(code);
  });

  test("ota: back on an older release, nothing below the newest that was committed; that one by hand", () => {
    const back = { ...BAR, stamp: { ...STAMP, version: "1.1.0" }, isUnattended: false };
    expect(codeOf(STAMP.compatible, "1.1.5", back)).toBe("downgrade");
    expect(codeOf(STAMP.compatible, "1.2.0", back)).toBe("ok");
    expect(codeOf(STAMP.compatible, "1.2.9", back)).toBe("ok");
  });

  test("ota: a box's stamp, from its os-release", () => {
    const text = 'NAME="BIZRA Node"\nIMAGE_ID=bizra-amd64-cloud\nIMAGE_VERSION="1.2.0"\n';
    expect(parseBoxStamp(text)).toEqual({ ok: true, value: STAMP });
    expect(parseBoxStamp('NAME="Debian"\n').ok).toBe(false);
    expect(parseBoxStamp("IMAGE_ID=x\nIMAGE_VERSION=rolling\n").ok).toBe(false);
  });
});

describe("the commit gate", () => {
  const good: GateFacts = { hasNode: true, isDataLost: false, isRunning: true, healthyLooks: 3, isWorking: true, isAggregatorUp: true };
  test.each<[string, Partial<GateFacts>, boolean, number]>([
    ["all is well", {}, true, 0],
    ["no node", { isRunning: false }, true, 1],
    ["two looks", { healthyLooks: 2 }, true, 1],
    ["too old for the chain", { isWorking: false }, true, 1],
    ["the aggregator that was reached is not", { isAggregatorUp: false }, true, 1],
    ["the aggregator was not reached before either", { isAggregatorUp: false }, false, 0],
    ["none is configured any more", { isAggregatorUp: undefined }, true, 0],
    ["there is no node to run yet", { hasNode: false, isRunning: false, healthyLooks: 0, isWorking: false }, true, 0],
    ["the data partition is lost, and the node with it", { hasNode: false, isDataLost: true }, false, 1],
  ])("ota: %s, as before", (_name, change, needs, lacks) => {
    expect(findGateLacks({ ...good, ...change }, needs, "asBefore").length).toBe(lacks);
  });

  test("ota: the policy says that the aggregator need not be reached", () => {
    expect(findGateLacks({ ...good, isAggregatorUp: false }, true, "ignore")).toEqual([]);
  });
});

describe("the node can be left", () => {
  const level: MoveFacts = { isRunning: true, syncState: "synced", isValidator: true, missingValidators: 0 };
  test.each<[string, Partial<MoveFacts>, boolean]>([
    ["level, everybody is there", {}, true],
    ["another validator is away", { missingValidators: 1 }, false],
    ["it does not say who is there", { missingValidators: undefined }, false],
    ["an observer while validators are away", { isValidator: false, missingValidators: 3 }, true],
    ["it catches up", { syncState: "catchingUp" }, false],
    ["it recovers", { syncState: "recovering" }, false],
    ["it is silent", { syncState: undefined }, false],
    ["it is too old for the chain", { syncState: "outdated", missingValidators: 3 }, true],
    ["supervision has none that runs", { isRunning: false, syncState: undefined }, true],
  ])("ota: %s, %p", (_name, change, canLeave) => {
    expect(findReasonToStay({ ...level, ...change }) === undefined).toBe(canLeave);
  });
});

describe("the record", () => {
  test("ota: another schema, unknown fields, rows or codes, no JSON: damaged, never half believed", () => {
    const whole = { schema: 1, row: { kind: "idle" }, floor: "1.0.0", failed: [] };
    expect(parseUpdateRecord(JSON.stringify(whole))).toEqual({ row: { kind: "idle" }, floor: "1.0.0", failed: [] });
    for (const change of [{ schema: 2 }, { more: 1 }, { row: { kind: "resting" } }, { row: { kind: "probation" } }, { failed: "no" }])
      expect(parseUpdateRecord(JSON.stringify({ ...whole, ...change }))).toBeUndefined();
    expect(parseUpdateRecord(JSON.stringify(whole).slice(0, 20))).toBeUndefined();
  });
});
