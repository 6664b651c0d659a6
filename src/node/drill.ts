import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type BackupEntry,
  type BackupOpener,
  fetchBackup,
  openBackup,
  type RestoreFault,
  type RestoreTrust,
} from "../../sync/restore/index.ts";
import { err, ok, type Result } from "../kernel/index.ts";
import { nodeFileSystem, type ObjectStore } from "../storage/index.ts";

/** What a drill showed. */
export type DrillReport = { readonly name: string; readonly height: number; readonly parts: number; readonly sizeBytes: number };

/**
 * Restores a backup into a folder that is removed again: every byte of it is fetched, decrypted and compared with the root of
 * a block that genesis proves final. Takes as much memory and disk as the state.
 *
 * @param folder made for it; whatever is in it goes
 * @throws StorageError or what the store throws, when a disk does not serve
 */
export async function drillBackup(
  store: ObjectStore,
  entry: Pick<BackupEntry, "name">,
  trust: RestoreTrust,
  opener: BackupOpener,
  folder: string,
  onPart?: (done: number, total: number) => void,
): Promise<Result<DrillReport, RestoreFault>> {
  const bytes = await store.get(entry.name);
  if (!bytes) return err({ code: "missing", detail: `${entry.name} is not in the store` });
  const opened = await openBackup(store, bytes, trust, opener);
  if (!opened.ok) return opened;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const state = await fetchBackup(store, opened.value, nodeFileSystem, join(folder, "state"), onPart);
    if (!state.ok) return state;
    const { parts } = opened.value.snapshot;
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    return ok({ name: entry.name, height: state.value.height, parts: parts.length, sizeBytes });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
