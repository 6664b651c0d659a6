import { toHex } from "../../src/kernel/index.ts";
import type { ObjectStore } from "../../src/storage/index.ts";
import { networkPrefix, nodeOfWord, nodePrefix } from "../protocol/index.ts";

/** A backup by its name. Times in ms since the Unix epoch, by the clock of the node. */
export type BackupEntry = { readonly name: string; readonly node: string; readonly takenAtMs: number; readonly height: number };

const PAGE = 1_000;
const NAME = /^backup\/[0-9a-f]{16}\/([a-z0-9._-]{1,200})\/manifests\/(\d{15})-(\d{1,15})\.manifest$/;

/** Name of a manifest; names of one node sort by time. */
export function manifestName(chainId: Uint8Array, node: string, takenAtMs: number, height: number): string {
  return `${nodePrefix(chainId, node)}manifests/${String(takenAtMs).padStart(15, "0")}-${height}.manifest`;
}

/** Name of an object by the hash of its bytes. */
export function objectName(chainId: Uint8Array, node: string, hash: Uint8Array): string {
  return `${nodePrefix(chainId, node)}parts/${toHex(hash)}`;
}

/** The backups of a network, or of one node of it, oldest first for each node. Names only: nothing is verified. */
export async function listBackups(store: ObjectStore, chainId: Uint8Array, node?: string): Promise<readonly BackupEntry[]> {
  const prefix = node === undefined ? networkPrefix(chainId) : `${nodePrefix(chainId, node)}manifests/`;
  const entries: BackupEntry[] = [];
  for await (const name of namesOf(store, prefix)) {
    const [, word, takenAtMs, height] = NAME.exec(name) ?? [];
    if (word === undefined) continue;
    entries.push({ name, node: nodeOfWord(word), takenAtMs: Number(takenAtMs), height: Number(height) });
  }
  return entries;
}

/** Every name that begins with a prefix, page by page. */
export async function* namesOf(store: ObjectStore, prefix: string): AsyncGenerator<string, void, undefined> {
  for (let after = ""; ; ) {
    const page = await store.list(prefix, after, PAGE);
    for (const { name } of page) yield name;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.name;
  }
}

/** The backups not after a time or height, the newest first: what a restore tries in order. */
export function newestUntil(
  entries: readonly BackupEntry[],
  until: { readonly atMs?: number; readonly height?: number },
): readonly BackupEntry[] {
  const { atMs = Number.POSITIVE_INFINITY, height = Number.POSITIVE_INFINITY } = until;
  const fitting = entries.filter((entry) => entry.takenAtMs <= atMs && entry.height <= height);
  return fitting.sort((a, b) => b.height - a.height || b.takenAtMs - a.takenAtMs);
}
