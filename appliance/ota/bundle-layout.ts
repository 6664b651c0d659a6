import { err, ok, parseHex, type Result } from "../../src/kernel/index.ts";
import type { UpdateTrouble } from "./types.ts";

/** Blocks of payload and hash tree. */
export const BLOCK_BYTES = 4_096;
/** Bytes of a digest (SHA-256). */
export const DIGEST_BYTES = 32;
/** The end of a bundle that certainly holds its signature, with the manifest in it: a few kilobytes, usually. */
export const TAIL_BYTES_MAX = 64 * 1024;
/** Two slots' worth of bytes and more; whatever is larger is no bundle. */
export const BUNDLE_BYTES_MAX = 1024 ** 3;

/**
 * Where the parts of a bundle in the verity format lie, and what its signed manifest says of the payload: the payload, the
 * hash tree, the signature, and the signature's length in 8 bytes, the most significant first.
 *
 * @see https://rauc.readthedocs.io/en/v1.13/reference.html#verity-format
 */
export type BundleLayout = {
  readonly payloadBytes: number;
  readonly treeBytes: number;
  readonly salt: Uint8Array;
  readonly root: Uint8Array;
};

/**
 * Reads where a bundle's parts lie from its end. Says nothing about the signature over the manifest.
 *
 * @param tail the last bytes, TAIL_BYTES_MAX of them or the whole file
 * @param size bytes of the whole
 */
export function parseBundleTail(tail: Uint8Array, size: number): Result<BundleLayout, UpdateTrouble> {
  const cut = err({ code: "truncated", detail: `its ${size} bytes are no bundle: it ends before it should` } as const);
  if (tail.length < 8 || size > BUNDLE_BYTES_MAX) return cut;
  const signatureBytes = Number(new DataView(tail.buffer, tail.byteOffset + tail.length - 8, 8).getBigUint64(0));
  if (signatureBytes < 1 || signatureBytes + 8 > tail.length) return cut;
  const manifest = findContent(tail.subarray(tail.length - 8 - signatureBytes, tail.length - 8));
  if (manifest === undefined) return err({ code: "malformed", detail: "expected a bundle in the verity format, with its manifest signed" });
  const field = (name: string): string => new RegExp(`^${name}=(\\S+)$`, "m").exec(manifest)?.[1] ?? "";
  const [root, salt] = [parseHex(field("verity-hash")), parseHex(field("verity-salt"))];
  const treeBytes = Number(field("verity-size") || Number.NaN);
  if (root?.length !== DIGEST_BYTES || salt === undefined || !Number.isSafeInteger(treeBytes))
    return err({ code: "malformed", detail: "its manifest says no verity-hash, verity-salt and verity-size" });
  const payloadBytes = size - 8 - signatureBytes - treeBytes;
  if (payloadBytes <= 0 || payloadBytes % BLOCK_BYTES !== 0) return cut;
  if (treeBytes !== treeBytesOf(payloadBytes)) return err({ code: "malformed", detail: "its hash tree is not one of its content's size" });
  return ok({ payloadBytes, treeBytes, salt, root });
}

/** Bytes of the hash tree over a payload: digests of its blocks, digests of blocks of those, and so on to one block. */
function treeBytesOf(payloadBytes: number): number {
  let blocks = payloadBytes / BLOCK_BYTES;
  let total = 0;
  do {
    blocks = Math.ceil(blocks / (BLOCK_BYTES / DIGEST_BYTES));
    total += blocks;
  } while (blocks > 1);
  return total * BLOCK_BYTES;
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
