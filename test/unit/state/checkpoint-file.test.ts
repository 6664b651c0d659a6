import { describe, expect, test } from "bun:test";
import { Prng, toHex } from "../../../src/kernel/index.ts";
import { SUPPLY_KEY } from "../../../src/protocol/index.ts";
import type { CheckpointJob, CheckpointMark } from "../../../src/state/checkpoint.ts";
import { InlineCheckpointWriter, State } from "../../../src/state/index.ts";
import { readCheckpoint } from "../../../src/state/store.ts";
import { buildTree } from "../../../src/state/tree.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { account, CHAIN_ID, publicKeyOf } from "./state-fixture.ts";

const PATH = "/state.db";

function jobOf(height: number, count = 20): CheckpointJob {
  const entries = Array.from({ length: count }, (_, i) => account(i, BigInt(1000 * height + i), BigInt(i)));
  const tree = buildTree([...entries, { key: SUPPLY_KEY, entry: { kind: "supply", issued: 9n, burned: 1n } }]);
  return { mark: { chainId: CHAIN_ID, height, stateRoot: tree.root() }, buckets: tree.snapshot() };
}

const [first, second] = [jobOf(7), jobOf(9, 30)];

async function written(job: CheckpointJob = first, fs = new MemoryFileSystem()): Promise<MemoryFileSystem> {
  const outcome = await new InlineCheckpointWriter(fs, PATH).write(job);
  expect(outcome).toEqual({ ok: true, value: fs.stat(PATH)?.sizeBytes ?? 0 });
  return fs;
}

/** The mark and the buckets of a file, or the code of its fault. */
function read(fs: MemoryFileSystem): { mark: CheckpointMark; buckets: Map<number, string> } | string {
  const buckets = new Map<number, string>();
  const mark = readCheckpoint(fs, PATH, CHAIN_ID, (bucket, entries) => buckets.set(bucket, toHex(entries)));
  return mark.ok ? { mark: mark.value, buckets } : mark.error.code;
}

const contentOf = (job: CheckpointJob) => ({
  mark: job.mark,
  buckets: new Map([...job.buckets.entries()].flatMap(([bucket, entries]) => (entries ? [[bucket, toHex(entries)] as const] : []))),
});

describe("a checkpoint file", () => {
  test("state: a checkpoint written, read back whole, and replaced by the next", async () => {
    const fs = await written();
    expect(read(fs)).toEqual(contentOf(first));
    await written(second, fs);
    expect(read(fs)).toEqual(contentOf(second));
    expect(fs.files()).toEqual([PATH]);
  });

  test("state: a state of several megabytes, written in several parts and read back", async () => {
    const big = jobOf(3, 30_000);
    const fs = await written(big);
    expect(fs.writtenBytes).toBeGreaterThan(1.4e6);
    expect(read(fs)).toEqual(contentOf(big));
  });

  test("state: a file that was written, grows by under 13 bytes a bucket beyond its entries", async () => {
    const fs = await written(second);
    const size = second.buckets.reduce((sum, entries) => sum + (entries?.length ?? 0), 0);
    expect((fs.stat(PATH)?.sizeBytes ?? 0) - size).toBeLessThan(31 * 13 + 250);
  });

  test("state: any bit of the file flipped, never read as a checkpoint", async () => {
    const fs = await written();
    const sizeBytes = fs.stat(PATH)?.sizeBytes ?? 0;
    const codes = new Set<string>();
    for (let at = 0; at < sizeBytes; at++) {
      const bit = 8 * at + (at % 8);
      fs.flipBit(PATH, bit);
      const found = read(fs);
      codes.add(typeof found === "string" ? found : `read with bit ${bit} flipped`);
      fs.flipBit(PATH, bit);
    }
    expect([...codes].sort()).toEqual(["damaged", "tooNew"]);
    expect(read(fs)).toEqual(contentOf(first));
  });

  test("state: the file cut anywhere or continued, never read as a checkpoint", async () => {
    const whole = (await written()).readFile(PATH);
    for (let size = 0; size <= whole.length + 1; size++) {
      if (size === whole.length) continue;
      const fs = new MemoryFileSystem();
      const file = fs.open(PATH, "createNew");
      file.write(0, whole.slice(0, size));
      if (size > whole.length) file.write(whole.length, Uint8Array.of(0));
      expect(read(fs)).toBe("damaged");
    }
  });

  test("state: no file, another chain's or a later release's, each its own fault", async () => {
    expect(read(new MemoryFileSystem())).toBe("absent");
    const stranger = await written({ ...first, mark: { ...first.mark, chainId: publicKeyOf(1) } });
    expect(read(stranger)).toBe("otherChain");
    const later = await written();
    later.flipBit(PATH, 8 * 7 + 1);
    const fault = readCheckpoint(later, PATH, CHAIN_ID, () => {});
    expect(fault).toMatchObject({ ok: false, error: { code: "tooNew", detail: expect.stringContaining("format 3") } });
  });

  test("state: entries that do not have the root that the file names, damaged", async () => {
    const fs = await written({ ...first, mark: { ...first.mark, stateRoot: second.mark.stateRoot } });
    expect(State.load(fs, PATH, CHAIN_ID)).toMatchObject({ ok: false, error: { code: "damaged" } });
  });
});

describe("a checkpoint file and its disk", () => {
  class PowerCut extends Error {}

  /** Writes the second checkpoint over the first, the power cut before an effect; false when there was no such effect. */
  async function cutBefore(effect: number, seed: number): Promise<MemoryFileSystem | undefined> {
    let countdown = Number.POSITIVE_INFINITY;
    const onEffect = (): void => {
      if (countdown-- <= 0) throw new PowerCut();
    };
    const fs = new MemoryFileSystem({ prng: new Prng(seed), hasGarbledSectors: true, onEffect });
    await written(first, fs);
    countdown = effect;
    const cut = await new InlineCheckpointWriter(fs, PATH).write(second).then(
      () => false,
      (error: unknown) => error instanceof PowerCut,
    );
    countdown = Number.POSITIVE_INFINITY;
    fs.crash();
    return cut ? fs : undefined;
  }

  test("state: the power cut before any step of writing, the old checkpoint or the new one, and the next can be written", async () => {
    const heights = new Set<number>();
    for (let seed = 0; seed < 8; seed++) {
      for (let effect = 0; ; effect++) {
        const fs = await cutBefore(effect, seed);
        if (fs === undefined) break;
        const found = read(fs);
        if (typeof found === "string") throw new Error(`seed ${seed}, cut before effect ${effect}: ${found}`);
        heights.add(found.mark.height);
        expect(found).toEqual(contentOf(found.mark.height === 7 ? first : second));
        await written(second, fs);
        expect(read(fs)).toEqual(contentOf(second));
      }
    }
    expect([...heights].sort()).toEqual([7, 9]);
  });

  test("state: a disk without room, diskFull and the old checkpoint stays", async () => {
    const fs = await written();
    fs.capacityBytes = (fs.stat(PATH)?.sizeBytes ?? 0) + 100;
    expect(await new InlineCheckpointWriter(fs, PATH).write(second)).toMatchObject({ ok: false, error: { code: "diskFull" } });
    expect(read(fs)).toEqual(contentOf(first));
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    await written(second, fs);
  });

  test("state: a sync that fails, unavailable and the old checkpoint stays", async () => {
    const fs = await written();
    fs.failingSyncCount = 1;
    expect(await new InlineCheckpointWriter(fs, PATH).write(second)).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(read(fs)).toEqual(contentOf(first));
  });

  test("state: a read that fails, the disk's error and no verdict on the file", async () => {
    const fs = await written();
    fs.failReads(PATH, 40);
    expect(() => read(fs)).toThrow("read failed");
  });
});
