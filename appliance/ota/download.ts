import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result, type Timers } from "../../src/kernel/index.ts";
import { StorageError, storageErrorOf } from "../../src/storage/index.ts";
import { BUNDLE_BYTES_MAX } from "./bundle-layout.ts";
import type { AskServer } from "./ranges.ts";
import type { UpdateTrouble } from "./types.ts";

/** Tries in a row that bring nothing, with a wait that doubles from `firstMs`. */
export const RETRY = { tries: 8, firstMs: 1_000, maxMs: 20_000 } as const;
/** A server that sends nothing for so long is given up, and asked again. */
const STALL_MS = 60_000;
/** Names in a folder of downloads: what is complete, what is under way whole or by blocks, and what it is a part of. */
export const DOWNLOAD_NAMES = { whole: "bundle.raucb", part: "bundle.part", blocks: "bundle.blocks", mark: "bundle.from" } as const;

/** What a download brought: where the whole bundle is, the bytes that were fetched for it now, and the bundle's own. */
export type Fetched = { readonly path: string; readonly bytes: number; readonly of: number };

/** What a download stands on. */
export type DownloadParts = {
  readonly folder: string;
  readonly timers: Timers;
  readonly ask: AskServer;
  readonly onProgress: (bytes: number, of: number | undefined) => void;
};

/** How one request ended: whole, refused for good, or cut off. */
type Piece =
  | { readonly kind: "whole" }
  | { readonly kind: "refused"; readonly trouble: UpdateTrouble }
  | { readonly kind: "cut"; readonly detail: string };

/**
 * Fetches a file over HTTP into a folder and gives its path. What an earlier try brought is gone on with where the server
 * has the same file still (Range, If-Range); otherwise it begins anew. Tries until several tries in a row bring nothing.
 */
export async function download(url: string, parts: DownloadParts): Promise<Result<Fetched, UpdateTrouble>> {
  const { folder, timers } = parts;
  let fetchedBytes = 0;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let lastDetail = "";
  for (let idle = 0; idle < RETRY.tries; idle++) {
    const before = sizeOf(join(folder, DOWNLOAD_NAMES.part));
    const piece = await fetchPiece(url, parts, (bytes) => {
      fetchedBytes += bytes;
    });
    const path = join(folder, DOWNLOAD_NAMES.whole);
    if (piece.kind === "whole") return ok({ path, bytes: fetchedBytes, of: sizeOf(path) });
    if (piece.kind === "refused") return err(piece.trouble);
    lastDetail = piece.detail;
    if (sizeOf(join(folder, DOWNLOAD_NAMES.part)) > before) idle = 0;
    const waitMs = Math.min(RETRY.maxMs, RETRY.firstMs * 2 ** idle);
    await new Promise<void>((resolve) => void timers.after(waitMs, resolve));
  }
  return err({ code: "sourceUnreachable", detail: `${url} brought nothing in ${RETRY.tries} tries: ${lastDetail}` });
}

/** Removes what downloads left in a folder. */
export function discardDownload(folder: string): void {
  for (const name of Object.values(DOWNLOAD_NAMES)) rmSync(join(folder, name), { force: true });
}

async function fetchPiece(
  url: string,
  { folder, timers, ask, onProgress }: DownloadParts,
  onBytes: (count: number) => void,
): Promise<Piece> {
  const part = join(folder, DOWNLOAD_NAMES.part);
  const ended = new AbortController();
  let cancel = timers.after(STALL_MS, () => ended.abort());
  try {
    const mark = findMark(folder, url);
    const from = mark === undefined ? 0 : sizeOf(part);
    const headers: Record<string, string> = mark !== undefined && from > 0 ? { range: `bytes=${from}-`, "if-range": mark } : {};
    const response = await ask(url, { headers, signal: ended.signal });
    if (response.status === 404 || response.status === 410 || response.status === 403)
      return { kind: "refused", trouble: { code: "notFound", detail: `${url} answers ${response.status}` } };
    const goesOn = response.status === 206 && rangeStartOf(response) === from;
    if (!goesOn && response.status !== 200) {
      if (response.status === 416) discardDownload(folder); // it has become another file
      return { kind: "cut", detail: `the server answers ${response.status}` };
    }
    const begin = goesOn ? from : 0;
    const total = totalOf(response, begin);
    if (!goesOn) beginPart(folder, url, response);
    const file = await open(part, goesOn ? "r+" : "w", 0o600);
    try {
      let at = begin;
      for await (const chunk of response.body ?? []) {
        cancel();
        cancel = timers.after(STALL_MS, () => ended.abort());
        await file.write(chunk, 0, chunk.length, at);
        at += chunk.length;
        if (at > BUNDLE_BYTES_MAX) return tooLong(folder);
        onBytes(chunk.length);
        onProgress(at, total);
      }
      if (total !== undefined && at < total) return { kind: "cut", detail: `the connection ended after ${at} of ${total} bytes` };
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, join(folder, DOWNLOAD_NAMES.whole));
    return { kind: "whole" };
  } catch (error) {
    const failure = storageErrorOf("write", part, error);
    if (failure instanceof StorageError && failure.code === "diskFull") {
      discardDownload(folder);
      return { kind: "refused", trouble: troubleOfWrite(part, error) };
    }
    if (!(error instanceof Error)) throw error; // a connection refused or lost
    return { kind: "cut", detail: error.message };
  } finally {
    cancel();
  }
}

/** What it means for an update that a file could not be written. Rethrows what is no answer of the system. */
export function troubleOfWrite(path: string, error: unknown): UpdateTrouble {
  const failure = storageErrorOf("write", path, error);
  if (!(failure instanceof StorageError)) throw error;
  return { code: failure.code === "diskFull" ? "diskFull" : "installFailed", detail: failure.message };
}

function tooLong(folder: string): Piece {
  discardDownload(folder);
  return { kind: "refused", trouble: { code: "malformed", detail: `it is longer than ${BUNDLE_BYTES_MAX} bytes, and no bundle is` } };
}

/** Notes what the part is the beginning of, where the server gives its files names that change with them. */
function beginPart(folder: string, url: string, response: Response): void {
  const etag = response.headers.get("etag");
  const validator = etag !== null && !etag.startsWith("W/") ? etag : response.headers.get("last-modified");
  rmSync(join(folder, DOWNLOAD_NAMES.part), { force: true });
  rmSync(join(folder, DOWNLOAD_NAMES.whole), { force: true });
  if (validator === null) rmSync(join(folder, DOWNLOAD_NAMES.mark), { force: true });
  else writeFileSync(join(folder, DOWNLOAD_NAMES.mark), JSON.stringify({ url, validator }), { mode: 0o600 });
}

/** What the server called the file that the part is of; undefined when that is another file's, or not known. */
function findMark(folder: string, url: string): string | undefined {
  const path = join(folder, DOWNLOAD_NAMES.mark);
  if (!existsSync(path)) return undefined;
  try {
    const mark: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof mark !== "object" || mark === null || !("url" in mark) || !("validator" in mark)) return undefined;
    return mark.url === url && typeof mark.validator === "string" ? mark.validator : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // half written
    return undefined;
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

function rangeStartOf(response: Response): number | undefined {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return start === undefined ? undefined : Number(start);
}

function totalOf(response: Response, from: number): number | undefined {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  return Number.isSafeInteger(length) && response.headers.get("content-encoding") === null ? from + length : undefined;
}
