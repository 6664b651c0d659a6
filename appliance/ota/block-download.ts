import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { assert, err, type Log, ok, type Result, type Timers } from "../../src/kernel/index.ts";
import { BLOCK_BYTES, type BundleLayout, parseBundleTail, TAIL_BYTES_MAX } from "./bundle-layout.ts";
import { DOWNLOAD_NAMES, discardDownload, type Fetched, RETRY, troubleOfWrite } from "./download.ts";
import { noteOwnBlocks, takeBlocksFrom, WantedBlocks } from "./local-blocks.ts";
import { type AskServer, type ByteRange, planRequests, type RangeEnd, RemoteFile, type TakeBytes } from "./ranges.ts";
import type { UpdateTrouble } from "./types.ts";
import { readLeaves } from "./verity.ts";

/** How often a file may become another one while it is fetched. */
const CHANGES_MAX = 3;
/** Requests for one bundle at most, tries included. */
const REQUESTS_MAX = 8_192;

/** What a download by blocks stands on. */
export type BlockDownloadParts = {
  readonly folder: string;
  readonly timers: Timers;
  readonly ask: AskServer;
  /** Devices of this machine that may hold blocks already: its slots. */
  readonly slots: readonly string[];
  /** Judges the bundle by its end, in a file of the right size that has nothing else yet: signature, kind of box, version. */
  readonly judge: (path: string) => Promise<Result<unknown, UpdateTrouble>>;
  readonly onProgress: (bytes: number, of: number | undefined) => void;
  readonly log: Log;
};

/** What an attempt comes to when it does not bring the bundle. */
type Stop = { readonly kind: "noRanges" } | { readonly kind: "changed" } | { readonly kind: "refused"; readonly trouble: UpdateTrouble };

/**
 * Fetches a bundle of which this machine has most blocks: first its end, by which it is judged; then its hash tree; then those
 * blocks that are neither in a slot nor left by an interrupted download. Each is checked against the signed tree as it
 * arrives. What comes of it is the whole bundle, as if it had been fetched whole.
 *
 * @returns `noRanges` when the server gives no parts of files
 */
export async function fetchByBlocks(url: string, parts: BlockDownloadParts): Promise<Result<Fetched, UpdateTrouble> | "noRanges"> {
  mkdirSync(parts.folder, { recursive: true, mode: 0o700 });
  const path = join(parts.folder, DOWNLOAD_NAMES.blocks);
  try {
    for (let changes = 0; changes < CHANGES_MAX; changes++) {
      const attempt = new Attempt(url, path, parts);
      const ended = await attempt.run();
      if (ended.ok) {
        await rename(path, join(parts.folder, DOWNLOAD_NAMES.whole));
        return ok(ended.value);
      }
      if (ended.error.kind === "noRanges") return "noRanges";
      if (ended.error.kind === "refused") return err(ended.error.trouble);
    }
    return err({ code: "sourceUnreachable", detail: `${url} becomes another file again and again while it is fetched` });
  } catch (error) {
    const trouble = troubleOfWrite(path, error);
    if (trouble.code === "diskFull") discardDownload(parts.folder);
    return err(trouble);
  }
}

/** One attempt at a file that stays the same. */
class Attempt {
  readonly #remote: RemoteFile;
  readonly #path: string;
  readonly #parts: BlockDownloadParts;
  readonly #file: number;
  #fetchedBytes = 0;
  #requests = 0;

  constructor(url: string, path: string, parts: BlockDownloadParts) {
    this.#remote = new RemoteFile(url, parts.ask, parts.timers);
    this.#path = path;
    this.#parts = parts;
    this.#file = openSync(path, "a+", 0o600);
    closeSync(this.#file);
    this.#file = openSync(path, "r+");
  }

  async run(): Promise<Result<Fetched, Stop>> {
    try {
      const layout = await this.#fetchEnd();
      if (!layout.ok) return layout;
      const leaves = await this.#fetchTree(layout.value);
      if (!leaves.ok) return leaves;
      const wanted = new WantedBlocks(leaves.value, layout.value.salt);
      await this.#takeLocal(wanted);
      const localBlocks = wanted.count - wanted.missing;
      const fetched = await this.#fetchBlocks(wanted);
      if (!fetched.ok) return fetched;
      fsyncSync(this.#file);
      const result = { path: join(this.#parts.folder, DOWNLOAD_NAMES.whole), bytes: this.#fetchedBytes, of: this.#remote.size };
      this.#parts.log.info("update.fetchedByBlocks", { ...result, requests: this.#requests, localBlocks, blocks: wanted.count });
      return ok(result);
    } finally {
      closeSync(this.#file);
    }
  }

  /** The end of the file, by which it is judged before anything else is fetched. */
  async #fetchEnd(): Promise<Result<BundleLayout, Stop>> {
    const tail = new Uint8Array(TAIL_BYTES_MAX);
    let begin = 0;
    let length = 0;
    const ended = await this.#insist(async () => {
      length = 0;
      return await this.#remote.readTail(TAIL_BYTES_MAX, (chunk, at) => {
        if (length === 0) begin = at;
        tail.set(chunk, length);
        length += chunk.length;
        this.#fetchedBytes += chunk.length;
        return true;
      });
    });
    if (!ended.ok) return ended;
    const layout = parseBundleTail(tail.subarray(0, length), this.#remote.size);
    if (!layout.ok) return refused(layout.error);
    ftruncateSync(this.#file, this.#remote.size);
    this.#write(tail.subarray(0, length), begin);
    const judged = await this.#parts.judge(this.#path);
    return judged.ok ? layout : refused(judged.error);
  }

  /** The hash tree, unless an interrupted download left it, as digests of all blocks. */
  async #fetchTree(layout: BundleLayout): Promise<Result<Uint8Array, Stop>> {
    const tree = new Uint8Array(layout.treeBytes);
    const begin = layout.payloadBytes;
    readSync(this.#file, tree, 0, tree.length, begin);
    const left = readLeaves(tree, layout);
    if (left.ok) return left;
    for (const part of planRequests([{ from: begin, to: begin + tree.length }])) {
      const ended = await this.#insist(() =>
        this.#remote.read(part, (chunk, at) => {
          tree.set(chunk, at - begin);
          this.#count(chunk, undefined);
          return true;
        }),
      );
      if (!ended.ok) return ended;
    }
    const leaves = readLeaves(tree, layout);
    if (!leaves.ok) return refused(leaves.error);
    this.#write(tree, begin);
    return leaves;
  }

  /** What is here already: from an interrupted download, and in the slots. */
  async #takeLocal(wanted: WantedBlocks): Promise<void> {
    const { slots, log } = this.#parts;
    await noteOwnBlocks(this.#path, wanted);
    for (const slot of slots) {
      if (wanted.missing === 0) return;
      const fault = await takeBlocksFrom(slot, wanted, (block, places) => this.#place(wanted, block, places));
      if (fault !== undefined) log.warn("update.slotNotRead", { detail: fault });
    }
  }

  /** Everything that is still missing; replanned after a cut, since some of a request may have come. */
  async #fetchBlocks(wanted: WantedBlocks): Promise<Result<void, Stop>> {
    const total = this.#fetchedBytes + planRequests(missingParts(wanted)).reduce((sum, { from, to }) => sum + to - from, 0);
    while (wanted.missing > 0) {
      const before = wanted.missing;
      let wrongAt: number | undefined;
      const ended = await this.#insist(
        async () => {
          const [next] = planRequests(missingParts(wanted));
          assert(next !== undefined, "what is missing is asked for");
          return await this.#remote.read(
            next,
            this.#inBlocks(wanted, total, (index) => {
              wrongAt = index;
            }),
          );
        },
        () => wanted.missing,
      );
      if (wrongAt !== undefined)
        return refused({ code: "tampered", detail: `the server's bytes at ${wrongAt * BLOCK_BYTES} are not those that were signed` });
      if (!ended.ok) return ended;
      assert(wanted.missing < before, "a request that was answered whole brings something that was missing");
    }
    return ok(undefined);
  }

  /** Takes bytes of whole blocks as they come, each checked before it is kept. */
  #inBlocks(wanted: WantedBlocks, total: number, onWrong: (index: number) => void): TakeBytes {
    const block = new Uint8Array(BLOCK_BYTES);
    return (chunk, at) => {
      this.#count(chunk, total);
      for (let used = 0; used < chunk.length; ) {
        const within = (at + used) % BLOCK_BYTES;
        const piece = chunk.subarray(used, used + BLOCK_BYTES - within);
        block.set(piece, within);
        used += piece.length;
        if (within + piece.length < BLOCK_BYTES) continue;
        const index = (at + used) / BLOCK_BYTES - 1;
        if (!wanted.isBlock(index, block)) {
          onWrong(index);
          return false;
        }
        if (wanted.isMissing(index)) this.#place(wanted, block, [index]);
      }
      return true;
    };
  }

  /** Asks again, with waits, until an answer is whole or several tries in a row brought nothing. */
  async #insist(ask: () => Promise<RangeEnd>, left: () => number = () => 0): Promise<Result<void, Stop>> {
    const { url } = this.#remote;
    for (let idle = 0; ; idle++) {
      const before = left();
      const ended = this.#requests++ < REQUESTS_MAX ? await ask() : ({ kind: "cut", detail: "too many requests" } as const);
      switch (ended.kind) {
        case "whole":
        case "stopped":
          return ok(undefined);
        case "noRanges":
        case "changed":
          return err({ kind: ended.kind });
        case "notFound":
          return refused({ code: "notFound", detail: `${url} answers ${ended.status}` });
        case "cut": {
          if (left() < before) return ok(undefined); // it brought something: on with what is left
          if (idle >= RETRY.tries || this.#requests >= REQUESTS_MAX)
            return refused({ code: "sourceUnreachable", detail: `${url} brought nothing in ${idle + 1} tries: ${ended.detail}` });
          const waitMs = Math.min(RETRY.maxMs, RETRY.firstMs * 2 ** idle);
          await new Promise<void>((resolve) => void this.#parts.timers.after(waitMs, resolve));
        }
      }
    }
  }

  #place(wanted: WantedBlocks, block: Uint8Array, places: readonly number[]): void {
    for (const index of places) {
      this.#write(block, index * BLOCK_BYTES);
      wanted.note(index);
    }
  }

  #write(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done, bytes.length - done, at + done);
  }

  #count(chunk: Uint8Array, total: number | undefined): void {
    this.#fetchedBytes += chunk.length;
    this.#parts.onProgress(this.#fetchedBytes, total);
  }
}

function refused(trouble: UpdateTrouble): Result<never, Stop> {
  return err({ kind: "refused", trouble });
}

/** The missing blocks as parts of the file, in order. */
function missingParts(wanted: WantedBlocks): readonly ByteRange[] {
  const parts: ByteRange[] = [];
  for (let index = 0; index < wanted.count; index++) {
    if (!wanted.isMissing(index)) continue;
    let end = index + 1;
    while (end < wanted.count && wanted.isMissing(end)) end++;
    parts.push({ from: index * BLOCK_BYTES, to: end * BLOCK_BYTES });
    index = end;
  }
  return parts;
}
