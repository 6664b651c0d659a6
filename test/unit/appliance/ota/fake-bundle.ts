import { BLOCK_BYTES } from "../../../../appliance/ota/bundle-layout.ts";
import { sha256 } from "../../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../../src/kernel/index.ts";

/** A bundle made here: any payload, its hash tree, and a manifest in a signature that nobody made. */
export type FakeBundle = { readonly bytes: Buffer; readonly payloadBytes: number; readonly treeBytes: number };

const SALT = Buffer.alloc(32, 7);

/** Blocks that differ from one another and from those of another seed. */
export function blocksOf(seed: string, count: number): Buffer {
  const blocks = Array.from({ length: count }, (_, i) => {
    const digest = Buffer.from(sha256(utf8(`${seed} ${i}`)));
    return Buffer.concat(Array.from({ length: BLOCK_BYTES / digest.length }, () => digest));
  });
  return Buffer.concat(blocks);
}

/** Makes a bundle around a payload of whole blocks. */
export function bundleOf(payload: Buffer): FakeBundle {
  const levels: Buffer[] = [];
  let below = payload;
  do {
    const digests: Buffer[] = [];
    for (let at = 0; at < below.length; at += BLOCK_BYTES) digests.push(digestOf(below.subarray(at, at + BLOCK_BYTES)));
    const level = Buffer.alloc(Math.ceil((digests.length * 32) / BLOCK_BYTES) * BLOCK_BYTES);
    Buffer.concat(digests).copy(level);
    levels.unshift(level);
    below = level;
  } while (below.length > BLOCK_BYTES);
  const tree = Buffer.concat(levels);
  const manifest = `[bundle]\nformat=verity\nverity-hash=${toHex(digestOf(below))}\nverity-salt=${toHex(SALT)}\nverity-size=${tree.length}\n`;
  const content = element(0xa0, element(0x04, Buffer.from(manifest)));
  const signedData = element(0x30, element(0x02, Buffer.of(1)), element(0x31), element(0x30, element(0x06, Buffer.of(42)), content));
  const signature = element(0x30, element(0x06, Buffer.of(42)), element(0xa0, signedData));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(signature.length));
  return { bytes: Buffer.concat([payload, tree, signature, length]), payloadBytes: payload.length, treeBytes: tree.length };
}

function digestOf(block: Uint8Array): Buffer {
  return Buffer.from(sha256(SALT, block));
}

function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length = content.length < 128 ? Buffer.of(content.length) : Buffer.of(0x82, content.length >> 8, content.length & 255);
  return Buffer.concat([Buffer.of(tag), length, content]);
}
