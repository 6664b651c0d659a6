import { describe, expect, test } from "bun:test";
import { present } from "../../../src/kernel/index.ts";
import type { CheckpointJob } from "../../../src/state/checkpoint.ts";
import { InlineCheckpointWriter, SnapshotFile, SnapshotWriter, State } from "../../../src/state/index.ts";
import { buildTree } from "../../../src/state/tree.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { account, CHAIN_ID } from "./state-fixture.ts";

const PATH = "/snapshot.state";
/** Where a file grows before it is put in place. */
const BESIDE = `${PATH}.new`;

function jobOf(height: number): CheckpointJob {
  const tree = buildTree(Array.from({ length: 30_000 }, (_, i) => account(i, BigInt(height + i), BigInt(i))));
  return { mark: { chainId: CHAIN_ID, height, stateRoot: tree.root() }, buckets: tree.snapshot() };
}

/** A snapshot as a peer gives it. */
async function offered(job: CheckpointJob): Promise<SnapshotFile> {
  const fs = new MemoryFileSystem();
  await new InlineCheckpointWriter(fs, "/state").write(job);
  const walk = SnapshotFile.open(fs, "/state", CHAIN_ID);
  for (;;) {
    const step = walk.next();
    if (step.done && step.value.ok) return step.value.value;
    if (step.done) throw new Error("a file that was just written opens");
  }
}

const job = jobOf(3);
const file = await offered(job);
const contentOf = (at: number): Uint8Array => present(file.find(present(file.parts[at], "a part").hash), "a part's content");

/** A disk on which so many parts have come. */
function interrupted(count: number): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  const writer = new SnapshotWriter(fs, PATH, job.mark, file.parts);
  for (let at = 0; at < count; at++) expect(writer.take(contentOf(at)).ok).toBe(true);
  writer.abandon();
  return fs;
}

/** Takes what is missing and loads the whole; gives how many parts were there before. */
function finish(fs: MemoryFileSystem): number {
  const writer = new SnapshotWriter(fs, PATH, job.mark, file.parts);
  const before = writer.taken;
  for (let at = before; at < file.parts.length; at++) expect(writer.take(contentOf(at)).ok).toBe(true);
  writer.finish();
  const loaded = State.load(fs, PATH, CHAIN_ID);
  expect(loaded.ok && loaded.value.root).toEqual(job.mark.stateRoot);
  return before;
}

describe("state: a snapshot's download", () => {
  test("snapshot: cut short after any part, goes on there and gives the same state", () => {
    expect(file.parts.length).toBeGreaterThan(1);
    for (let count = 0; count <= file.parts.length; count++) expect(finish(interrupted(count))).toBe(count);
  });

  test("snapshot: cut within a part, or a bit of what is there turned, goes on after the last part that is right", () => {
    const whole = interrupted(1).stat(BESIDE)?.sizeBytes ?? 0;
    const torn = interrupted(2);
    const handle = torn.open(BESIDE, "readWrite");
    handle.truncate(whole + 1_000);
    handle.close();
    expect(finish(torn)).toBe(1);
    const turned = interrupted(2);
    turned.flipBit(BESIDE, 8 * (whole + 500));
    expect(finish(turned)).toBe(1);
    const first = interrupted(1);
    first.flipBit(BESIDE, 3);
    expect(finish(first)).toBe(0);
  });

  test("snapshot: what is there of another snapshot, let go", () => {
    const fs = interrupted(1);
    const other = jobOf(9);
    const writer = new SnapshotWriter(fs, PATH, other.mark, file.parts);
    expect(writer.taken).toBe(0);
    writer.abandon();
    const sameMark = new SnapshotWriter(interrupted(1), PATH, job.mark, file.parts.slice(1));
    expect(sameMark.taken).toBe(0);
    sameMark.abandon();
  });
});
