/** Backups: what one of a large state costs, on the calling thread and in all, and how long restoring it takes. `-- N` accounts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../src/crypto/index.ts";
import { present } from "../../src/kernel/index.ts";
import { systemEntropy } from "../../src/node/ports.ts";
import { FileObjects, nodeFileSystem } from "../../src/storage/index.ts";
import { fetchBackup, openBackup, type TakenBackup } from "../../sync/restore/index.ts";
import { SECRETS, sourceAt, TRUST, writerOn } from "../unit/sync/restore/backup-fixture.ts";
import { BenchReport, loopLagOf } from "./harness.ts";

const MIB = 2 ** 20;
const count = Number(process.argv[2] ?? 500_000);
const report = new BenchReport("backup");
const folder = mkdtempSync(join(tmpdir(), "bizra-bench-"));
try {
  const source = await sourceAt(7, count, nodeFileSystem, join(folder, "state"));
  const sizeMib = source.file.parts.reduce((sum, part) => sum + part.sizeBytes, 0) / MIB;
  report.add({ name: "state in the backup", value: sizeMib, unit: "MiB", note: `${count} accounts` });
  const raw = present(source.file.find(present(source.file.parts[0], "a part").hash), "its content");
  const hashMs = timed(() => sha256(raw));
  const writeMs = timed(() => writeFileSync(join(folder, "raw"), raw, { flush: true }));
  const store = new FileObjects(join(folder, "objects"), systemEntropy);
  const { writer } = writerOn(store, () => performance.now());
  const baseline = { name: "hashing and writing the same parts", value: (hashMs + writeMs) * source.file.parts.length };
  const began = performance.now();
  let taken: TakenBackup | undefined;
  const lag = await loopLagOf(async () => {
    taken = await writer.take(source);
  });
  const ms = performance.now() - began;
  const backup = present(taken, "a backup");
  report.add({ name: "taking it", value: ms, unit: "ms", baseline });
  report.add({ name: "longest turn of the calling thread", value: backup.turnMsMax, unit: "ms", note: "a read, or a hash" });
  report.add({ name: "lag of the event loop, 99 %", value: lag.p99Ms, unit: "ms", goal: { of: "value", is: "at most", bound: 20 } });
  report.add({ name: "bytes put into the store", value: backup.writtenBytes / MIB, unit: "MiB" });
  const restoring = performance.now();
  const opened = await openBackup(store, present(await store.get(backup.name), "a manifest"), TRUST, { identity: SECRETS[0] });
  if (!opened.ok) throw new Error(opened.error.detail);
  const state = await fetchBackup(store, opened.value, nodeFileSystem, join(folder, "restored"));
  if (!state.ok) throw new Error(state.error.detail);
  const restoredMs = performance.now() - restoring;
  report.add({ name: "restoring it, every byte verified", value: restoredMs, unit: "ms", baseline });
  report.add({ name: "restoring 200 MB at this rate", value: (restoredMs / sizeMib) * 200, unit: "ms" });
} finally {
  rmSync(folder, { recursive: true });
}
report.finish();

function timed(action: () => unknown): number {
  action();
  const began = performance.now();
  action();
  return performance.now() - began;
}
