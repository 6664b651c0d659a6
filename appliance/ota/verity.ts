import { open } from "node:fs/promises";
import { sha256 } from "../../src/crypto/index.ts";
import { bytesEqual, err, ok, parseHex, type Result } from "../../src/kernel/index.ts";
import type { UpdateTrouble } from "./types.ts";

/** Blocks of data and of the tree. */
const BLOCK = 4_096;
const DIGEST = 32;
const DIGESTS_PER_BLOCK = BLOCK / DIGEST;
/** Bytes read at a time. */
const CHUNK = 1024 * 1024;
/** A signature with a manifest in it is a few kilobytes. */
const SIGNATURE_BYTES_MAX = 256 * 1024;
/** Bundles are some hundreds of megabytes. */
const PAYLOAD_BYTES_MAX = 4 * 1024 ** 3;

type OpenFile = Awaited<ReturnType<typeof open>>;

/** Where the parts of a verity bundle lie, and what its signed manifest says of the payload. */
type Layout = { readonly payloadBytes: number; readonly treeBytes: number; readonly salt: Uint8Array; readonly root: Uint8Array };

/**
 * Checks that the payload of a bundle is the one that its manifest names, block by block, and the hash tree beside it too. The
 * updater itself finds changed blocks only while it writes a slot; here nothing was touched yet. Says nothing about the
 * signature over the manifest.
 *
 * @see https://rauc.readthedocs.io/en/v1.13/reference.html#verity-format
 * @see https://docs.kernel.org/admin-guide/device-mapper/verity.html
 */
export async function checkPayload(path: string): Promise<Result<void, UpdateTrouble>> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const layout = await readLayout(file, size);
    if (!layout.ok) return layout;
    const { payloadBytes, treeBytes, salt, root } = layout.value;
    const tree = await hashTree(file, payloadBytes, salt);
    if (!bytesEqual(tree.root, root)) return err({ code: "tampered", detail: "its content is not the one that was signed" });
    const beside = await readAt(file, payloadBytes, treeBytes);
    return bytesEqual(beside, tree.levels)
      ? ok(undefined)
      : err({ code: "tampered", detail: "its hash tree is not the one of its content" });
  } finally {
    await file.close();
  }
}

/** A bundle ends in its signature and the length of that, 8 bytes, the most significant first. */
async function readLayout(file: OpenFile, size: number): Promise<Result<Layout, UpdateTrouble>> {
  const cut = err({ code: "truncated", detail: `its ${size} bytes are no bundle: it ends before it should` } as const);
  if (size < 8) return cut;
  const signatureBytes = Number((await readAt(file, size - 8, 8)).readBigUInt64BE());
  if (signatureBytes < 1 || signatureBytes > SIGNATURE_BYTES_MAX || signatureBytes + 8 > size) return cut;
  const manifest = findContent(await readAt(file, size - 8 - signatureBytes, signatureBytes));
  if (manifest === undefined) return err({ code: "malformed", detail: "expected a bundle in the verity format, with its manifest signed" });
  const field = (name: string): string => new RegExp(`^${name}=(\\S+)$`, "m").exec(manifest)?.[1] ?? "";
  const [root, salt, treeBytes] = [
    parseHex(field("verity-hash")),
    parseHex(field("verity-salt")),
    Number(field("verity-size") || Number.NaN),
  ];
  if (root?.length !== DIGEST || salt === undefined || !Number.isSafeInteger(treeBytes) || treeBytes % BLOCK !== 0)
    return err({ code: "malformed", detail: "its manifest says no verity-hash, verity-salt and verity-size" });
  const payloadBytes = size - 8 - signatureBytes - treeBytes;
  if (payloadBytes <= 0 || payloadBytes > PAYLOAD_BYTES_MAX || payloadBytes % BLOCK !== 0) return cut;
  return ok({ payloadBytes, treeBytes, salt, root });
}

/** Digests of the payload's blocks, digests of blocks of those, and so on to one: the whole tree as it lies in the file, the top first. */
async function hashTree(
  file: OpenFile,
  payloadBytes: number,
  salt: Uint8Array,
): Promise<{ readonly root: Uint8Array; readonly levels: Uint8Array }> {
  let level = await hashPayload(file, payloadBytes, salt);
  const levels: Uint8Array[] = [];
  for (;;) {
    const blocks = Math.max(1, Math.ceil(level.length / DIGESTS_PER_BLOCK));
    const bytes = new Uint8Array(blocks * BLOCK);
    for (const [i, digest] of level.entries()) bytes.set(digest, i * DIGEST);
    levels.unshift(bytes);
    level = Array.from({ length: blocks }, (_, i) => hashBlock(bytes.subarray(i * BLOCK, (i + 1) * BLOCK), salt));
    const [root] = level;
    if (level.length === 1 && root !== undefined) return { root, levels: Buffer.concat(levels) };
  }
}

async function hashPayload(file: OpenFile, payloadBytes: number, salt: Uint8Array): Promise<Uint8Array[]> {
  const digests: Uint8Array[] = [];
  for (let at = 0; at < payloadBytes; at += CHUNK) {
    const chunk = await readAt(file, at, Math.min(CHUNK, payloadBytes - at)); // the loop turns between chunks
    for (let from = 0; from < chunk.length; from += BLOCK) digests.push(hashBlock(chunk.subarray(from, from + BLOCK), salt));
  }
  return digests;
}

function hashBlock(block: Uint8Array, salt: Uint8Array): Uint8Array {
  return sha256(salt, block);
}

async function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  const { bytesRead } = await file.read(target, 0, length, position);
  return target.subarray(0, bytesRead);
}

/**
 * The content inside a CMS SignedData (RFC 5652, section 5.1) in DER, as text: ContentInfo, then SignedData, then version,
 * digestAlgorithms and encapContentInfo. Undefined when it is built otherwise.
 */
function findContent(der: Uint8Array): string | undefined {
  const signedData = inside(inside(der, 0x30)?.slice(1), 0xa0);
  const encapsulated = inside(inside(signedData, 0x30)?.slice(2), 0x30);
  const octets = inside(encapsulated?.slice(1), 0xa0)?.[0];
  return octets?.tag === 0x04 ? new TextDecoder().decode(octets.content) : undefined;
}

type Element = { readonly tag: number; readonly content: Uint8Array };

/** The elements inside the first of some elements, when that has a tag. */
function inside(from: Uint8Array | readonly Element[] | undefined, tag: number): readonly Element[] | undefined {
  const [first] = from instanceof Uint8Array ? elementsOf(from) : (from ?? []);
  return first?.tag === tag ? elementsOf(first.content) : undefined;
}

/** Elements one after the other, with definite lengths; what does not fit ends the list. */
function elementsOf(der: Uint8Array): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at + 2 <= der.length; ) {
    const [tag = 0, first = 0] = der.subarray(at);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4 || first === 0x80) break;
    let length = lengthBytes === 0 ? first : 0;
    for (const byte of der.subarray(at + 2, at + 2 + lengthBytes)) length = length * 256 + byte;
    const end = at + 2 + lengthBytes + length;
    if (end > der.length) break;
    found.push({ tag, content: der.subarray(at + 2 + lengthBytes, end) });
    at = end;
  }
  return found;
}
