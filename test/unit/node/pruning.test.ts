import { describe, expect, test } from "bun:test";
import { horizonOf, PRUNE_TUNING, type PrunePolicy } from "../../../src/node/prune-policy.ts";

const policy = (change: Partial<PrunePolicy>): PrunePolicy => ({ archive: false, keepBlocks: 0, keepEpochs: 0, ...change });
/** Epochs of a hundred blocks. */
const epochStart = (epoch: number): number => 100 * epoch;
const at = (change: Partial<PrunePolicy>, tip: number): number => horizonOf(policy(change), tip, Math.floor(tip / 100), epochStart);

describe("node: what pruning keeps", () => {
  test("policy: no bound, or an archive, keeps everything", () => {
    expect(at({}, 1_000_000)).toBe(0);
    expect(at({ archive: true, keepBlocks: 1, keepEpochs: 1 }, 1_000_000)).toBe(0);
  });

  test("policy: by blocks, by epochs, and by both whichever keeps more", () => {
    expect(at({ keepBlocks: 1_000 }, 5_050)).toBe(4_050);
    expect(at({ keepEpochs: 5 }, 5_050)).toBe(4_500);
    expect(at({ keepBlocks: 1_000, keepEpochs: 5 }, 5_050)).toBe(4_050);
    expect(at({ keepBlocks: 300, keepEpochs: 5 }, 5_050)).toBe(4_500);
    expect(at({ keepEpochs: 100 }, 5_050)).toBe(0);
    expect(at({ keepBlocks: 10_000 }, 5_050)).toBe(0);
  });

  test("policy: some blocks stay whatever it says", () => {
    expect(at({ keepBlocks: 1 }, 5_000)).toBe(5_000 - PRUNE_TUNING.keepBlocksLeast);
    expect(at({ keepBlocks: 1 }, 100)).toBe(0);
  });
});
