import { open } from "node:fs/promises";
import { sha256 } from "../../src/crypto/index.ts";
import { bytesEqual, err, ok, type Result } from "../../src/kernel/index.ts";
import { BLOCK_BYTES, type BundleLayout, DIGEST_BYTES, parseBundleTail, TAIL_BYTES_MAX } from "./bundle-layout.ts";
import type { UpdateTrouble } from "./types.ts";

/** Bytes read at a time. */
const CHUNK = 1024 * 1024;

type OpenFile = Awaited<ReturnType<typeof open>>;

/**
 * Checks that the payload of a bundle is the one that its manifest names, block by block, and the hash tree beside it too. The
 * updater itself finds changed blocks only while it writes a slot; here nothing was touched yet. Says nothing about the
 * signature over the manifest.
 *
 * @see https://docs.kernel.org/admin-guide/device-mapper/verity.html
 */
export async function checkPayload(path: string): Promise<Result<void, UpdateTrouble>> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const tailBytes = Math.min(size, TAIL_BYTES_MAX);
    const layout = parseBundleTail(await readAt(file, size - tailBytes, tailBytes), size);
    if (!layout.ok) return layout;
    const leaves = await hashPayload(file, layout.value);
    const beside = await readAt(file, layout.value.payloadBytes, layout.value.treeBytes);
    return checkTree(leaves, beside, layout.value);
  } finally {
    await file.close();
  }
}

/** The digests of the payload's blocks out of a hash tree, when the tree is the one that the signed manifest names. */
export function readLeaves(tree: Uint8Array, layout: BundleLayout): Result<Uint8Array, UpdateTrouble> {
  const leafBytes = (layout.payloadBytes / BLOCK_BYTES) * DIGEST_BYTES;
  const levelBytes = Math.ceil(leafBytes / BLOCK_BYTES) * BLOCK_BYTES;
  if (tree.length !== layout.treeBytes) return err({ code: "truncated", detail: "its hash tree ends before it should" });
  const leaves = tree.subarray(tree.length - levelBytes, tree.length - levelBytes + leafBytes); // the top lies first
  const checked = checkTree(leaves, tree, layout);
  return checked.ok ? ok(leaves) : checked;
}

/** The digest of one block, as leaves of the tree have it. */
export function hashBlock(block: Uint8Array, salt: Uint8Array): Uint8Array {
  return sha256(salt, block);
}

/** Whether the leaves lead to the signed root, and the tree beside the payload is the one of these leaves. */
function checkTree(leaves: Uint8Array, tree: Uint8Array, { salt, root }: BundleLayout): Result<void, UpdateTrouble> {
  const levels: Uint8Array[] = [];
  let digests = leaves;
  do {
    const blocks = Math.ceil(digests.length / BLOCK_BYTES);
    const level = new Uint8Array(blocks * BLOCK_BYTES);
    level.set(digests);
    levels.unshift(level);
    digests = new Uint8Array(blocks * DIGEST_BYTES);
    for (let i = 0; i < blocks; i++) digests.set(hashBlock(level.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES), salt), i * DIGEST_BYTES);
  } while (digests.length > DIGEST_BYTES);
  if (!bytesEqual(digests, root)) return err({ code: "tampered", detail: "its content is not the one that was signed" });
  return bytesEqual(tree, Buffer.concat(levels))
    ? ok(undefined)
    : err({ code: "tampered", detail: "its hash tree is not the one of its content" });
}

async function hashPayload(file: OpenFile, { payloadBytes, salt }: BundleLayout): Promise<Uint8Array> {
  const digests = new Uint8Array((payloadBytes / BLOCK_BYTES) * DIGEST_BYTES);
  for (let at = 0; at < payloadBytes; at += CHUNK) {
    const chunk = await readAt(file, at, Math.min(CHUNK, payloadBytes - at)); // the loop turns between chunks
    for (let from = 0; from < chunk.length; from += BLOCK_BYTES) {
      const digest = hashBlock(chunk.subarray(from, from + BLOCK_BYTES), salt);
      digests.set(digest, ((at + from) / BLOCK_BYTES) * DIGEST_BYTES);
    }
  }
  return digests;
}

async function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  const { bytesRead } = await file.read(target, 0, length, position);
  return target.subarray(0, bytesRead);
}
