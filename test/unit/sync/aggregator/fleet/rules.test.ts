import { expect, test } from "bun:test";
import { leafHash, merkleRoot } from "../../../../../src/crypto/index.ts";
import { u32be } from "../../../../../src/kernel/index.ts";
import { ATTEMPTS, LoginAttempts } from "../../../../../src/page/index.ts";
import { visibleRange } from "../../../../../sync/aggregator/console/virtual-rows.ts";
import { paceOf } from "../../../../../sync/aggregator/fleet/chain-fold.ts";
import { listRows } from "../../../../../sync/aggregator/fleet/listing.ts";
import { coverRange, rootOfSubtrees } from "../../../../../sync/aggregator/fleet/merkle-range.ts";
import { rowOf } from "../../../../../sync/aggregator/fleet/rows.ts";
import { SERIES_POINTS_MAX, seriesOf } from "../../../../../sync/aggregator/fleet/series.ts";
import type { NodeWord } from "../../../../../sync/aggregator/fleet/word.ts";
import type { EnrolledNode } from "../../../../../sync/aggregator/index.ts";

const word = (receivedAtMs: number, over: Partial<NodeWord> = {}): NodeWord => ({
  height: 100,
  epoch: 0,
  view: 101,
  state: "voting",
  isReady: true,
  reason: "",
  peers: 3,
  unacknowledgedMs: 20,
  sequence: 1,
  bootId: "00",
  timeMs: receivedAtMs - 5,
  receivedAtMs,
  figures: { temperatureCelsius: 40 },
  complaints: [],
  ...over,
});

const node = (name: string, site = ""): EnrolledNode => ({
  network: "ab".repeat(32),
  node: name,
  identityKey: new Uint8Array(32),
  software: "0.1.0",
  profile: "unmetered",
  site,
  status: "enrolled",
  enrolledAtMs: 0,
  lastHelloAtMs: 0,
});

test("fleet rows: lag against the best height known, age by the aggregator's clock, nothing made up for the never heard", () => {
  const row = rowOf({ node: node("a"), word: word(10_000) }, 12_000, 107);
  expect(row).toMatchObject({ heightLag: 7, rpoMs: 20, clockOffsetMs: -5, status: { state: "online", ageMs: 2_000 } });
  expect(rowOf({ node: node("a"), word: word(10_000) }, 9_000, 90)).toMatchObject({ heightLag: 0, status: { ageMs: 0 } });
  const silent = rowOf({ node: node("b"), word: undefined }, 12_000, 107);
  expect(silent.status).toEqual({ state: "unknown", reasons: [], lateMs: 60_000, silentMs: 90_000 });
  expect("height" in silent).toBe(false);
});

test("fleet listing: filters, orders and counts; what is not known stands last either way", () => {
  const rows = [
    rowOf({ node: node("a", "berlin"), word: word(100_000, { figures: { temperatureCelsius: 70 } }) }, 100_000, 100),
    rowOf({ node: node("b", "paris"), word: word(30_000) }, 100_000, 100),
    rowOf({ node: node("c", "berlin"), word: undefined }, 100_000, 100),
  ];
  const query = { sort: "node", order: "ascending", state: undefined, network: undefined, text: "" } as const;
  const names = (over: object): string[] => listRows(rows, { ...query, ...over }).rows.map((row) => row.node);
  expect(names({})).toEqual(["a", "b", "c"]);
  expect(names({ order: "descending" })).toEqual(["c", "b", "a"]);
  expect(names({ sort: "temperature", order: "ascending" })).toEqual(["b", "a", "c"]);
  expect(names({ sort: "temperature", order: "descending" })).toEqual(["a", "b", "c"]);
  expect(names({ sort: "status", order: "descending" })).toEqual(["c", "b", "a"]);
  expect(names({ text: "BERLIN" })).toEqual(["a", "c"]);
  expect(names({ state: "degraded" })).toEqual(["b"]);
  expect(listRows(rows, { ...query, text: "berlin", state: "online" }).counts).toEqual({ online: 1, degraded: 0, unknown: 1 });
});

test("fleet series: many words, bounded slots with least, mean and greatest; a gap has no point", () => {
  const words = Array.from({ length: 10_000 }, (_, i) => word(i * 100, { peers: i % 2 === 0 ? 2 : 4 })).filter(
    ({ receivedAtMs }) => receivedAtMs < 400_000 || receivedAtMs > 600_000,
  );
  const { peers } = seriesOf(words, 0, 1_000_000, 10);
  expect(peers).toHaveLength(8);
  expect(peers?.every(({ min, mean, max }) => min === 2 && max === 4 && Math.abs(mean - 3) < 0.01)).toBe(true);
  for (const points of [1, 7, 100_000]) {
    const drawn = seriesOf(words, 0, 1_000_000, points)["temperatureCelsius"] ?? [];
    expect(drawn.length).toBeLessThanOrEqual(Math.min(points, SERIES_POINTS_MAX));
  }
  expect(seriesOf([], 0, 1_000, 10)).toEqual({});
});

test("fleet proofs: any range of any tree, the root put together from the subtrees around it is RFC 6962's", () => {
  for (let size = 1; size <= 40; size++) {
    const contents = Array.from({ length: size }, (_, i) => u32be(i));
    const root = merkleRoot(contents);
    const partsOf = (start: number, end: number) =>
      coverRange(start, end).map((part) => ({ ...part, hash: merkleRoot(contents.slice(part.start, part.start + part.size)) }));
    for (let from = 0; from < size; from++)
      for (let to = from + 1; to <= size; to++) {
        const leaves = contents.slice(from, to).map((content, i) => ({ start: from + i, size: 1, hash: leafHash(content) }));
        expect(rootOfSubtrees([...partsOf(0, from), ...leaves, ...partsOf(to, size)])).toEqual(root);
      }
  }
  expect(coverRange(5, 5)).toEqual([]);
});

test("fleet pace: interval and views without a block, not across epochs", () => {
  const block = (height: number, epoch: number, view: number) => ({ height, epoch, view, timeMs: height * 500 });
  const blocks = [block(1, 0, 1), block(2, 0, 2), block(3, 0, 5), block(4, 1, 1), block(5, 1, 2)];
  expect(paceOf(blocks)).toEqual({ blocks: 5, intervalMs: 500, missedViews: 2 });
  expect(paceOf([])).toEqual({ blocks: 0, intervalMs: undefined, missedViews: 0 });
});

test("fleet attempts: five failures are free, then each costs twice the one before, another address nothing; a success forgives", () => {
  let nowMs = 0;
  const attempts = new LoginAttempts({ nowMs: () => nowMs, monotonicMs: () => nowMs });
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    waits.push(attempts.waitMs("a"));
    nowMs += attempts.waitMs("a");
    attempts.onFailure("a");
  }
  expect(waits).toEqual([0, 0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000]);
  expect(attempts.waitMs("b")).toBe(0);
  for (let i = 0; i < 40; i++) attempts.onFailure("a");
  expect(attempts.waitMs("a")).toBe(ATTEMPTS.waitMaxMs);
  attempts.onSuccess("a");
  expect(attempts.waitMs("a")).toBe(0);
});

test("console rows: only those in sight and a few beyond, at any scroll", () => {
  expect(visibleRange(0, 400, 40, 10_000)).toEqual({ from: 0, to: 22 });
  expect(visibleRange(200_000, 400, 40, 10_000)).toEqual({ from: 4_988, to: 5_022 });
  expect(visibleRange(399_600, 400, 40, 10_000)).toEqual({ from: 9_978, to: 10_000 });
  expect(visibleRange(399_600, 400, 40, 3)).toEqual({ from: 3, to: 3 });
});
