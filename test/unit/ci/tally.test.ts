import { expect, test } from "bun:test";
import { closingLine, readBunTestCounts, sum, withoutCounts } from "../../../.ci/tally.mjs";

const good = "\n 3 pass\n 1 skip\n 1 todo\n 0 fail\n 9 expect() calls\nRan 5 tests across 2 files. [115.00ms]\n";

test("tally: a good run, its counts are read and todo counts as skipped", () => {
  const { tally, complaint } = readBunTestCounts(good, true, 2);
  expect(tally).toEqual({ passed: 3, failed: 0, skipped: 2 });
  expect(complaint).toBeUndefined();
});

test("tally: one test, the singular wording is read", () => {
  const one = " 1 pass\n 0 fail\nRan 1 test across 1 file. [1.00ms]\n";
  expect(readBunTestCounts(one, true, 1).tally).toEqual({ passed: 1, failed: 0, skipped: 0 });
});

test("tally: failures and an error between tests, the failures are counted", () => {
  const bad = " 1 pass\n 1 skip\n 3 fail\n 1 error\n 2 expect() calls\nRan 5 tests across 2 files. [115.00ms]\n";
  const { tally, complaint } = readBunTestCounts(bad, false, 2);
  expect(tally).toEqual({ passed: 1, failed: 3, skipped: 1 });
  expect(complaint).toBeUndefined();
});

test("tally: no closing counts, one failure with the reason", () => {
  const { tally, complaint } = readBunTestCounts("\ntest/a.test.ts:\n", true, 1);
  expect(tally.failed).toBe(1);
  expect(complaint).toContain("before printing its counts");
});

test("tally: fewer files than given, one failure", () => {
  const { tally, complaint } = readBunTestCounts(good, true, 3);
  expect(tally.failed).toBe(1);
  expect(complaint).toBe("it ran 2 of 3 test files");
});

test("tally: no test in the files, one failure", () => {
  const { tally, complaint } = readBunTestCounts(" 0 pass\n 0 fail\nRan 0 tests across 1 file. [1.00ms]\n", true, 1);
  expect(tally.failed).toBe(1);
  expect(complaint).toContain("no test in them");
});

test("tally: exit code at odds with the counts, a failure either way", () => {
  expect(readBunTestCounts(good, false, 2).tally.failed).toBe(1);
  const failing = good.replace("0 fail", "2 fail");
  expect(readBunTestCounts(failing, true, 2)).toEqual({
    tally: { passed: 3, failed: 2, skipped: 2 },
    complaint: "its exit code does not agree with its counts",
  });
});

test("tally: counts printed by a test itself, only the last ones are believed", () => {
  expect(readBunTestCounts(` 99 pass\n 0 fail\nRan 99 tests across 9 files. [1ms]\n${good}`, true, 2).tally.passed).toBe(3);
});

test("tally: several stages, one closing line", () => {
  const stages = [
    { passed: 1, failed: 0, skipped: 0 },
    { passed: 3, failed: 2, skipped: 1 },
  ];
  expect(closingLine(sum(stages))).toBe("4 passed, 2 failed, 1 skipped");
});

test("tally: what a file's tests say themselves, kept without heading and counts", () => {
  const heading = "bun test v1.4.5 (abc)\n\ntest/e2e/x.test.ts:\n";
  expect(withoutCounts(`${heading}x: 3 kills, 4 pass through\nand more\n${good}`)).toBe("x: 3 kills, 4 pass through\nand more");
  expect(withoutCounts(`${heading}${good}`)).toBe("");
});
