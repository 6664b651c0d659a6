import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { assert, err, ok, type Result } from "../../src/kernel/index.ts";
import { SYNC_LIMITS } from "./limits.ts";
import type { SyncCodec } from "./types.ts";

/** Bytes of the length before each body. */
const LENGTH_BYTES = 2;

/** Puts bodies one after another, each behind its length (u16, big-endian). */
export function joinBodies(bodies: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(bodies.reduce((sum, body) => sum + LENGTH_BYTES + body.length, 0));
  let at = 0;
  for (const body of bodies) {
    assert(body.length > 0 && body.length <= SYNC_LIMITS.recordBytesMax, "a record's body fits its bound");
    joined[at] = body.length >> 8;
    joined[at + 1] = body.length & 0xff;
    joined.set(body, at + LENGTH_BYTES);
    at += LENGTH_BYTES + body.length;
  }
  return joined;
}

/** Takes apart what `joinBodies` makes: exactly `count` bodies, views into the input, nothing left over. */
export function splitBodies(joined: Uint8Array, count: number): Result<readonly Uint8Array[], "malformed"> {
  const bodies: Uint8Array[] = [];
  let at = 0;
  while (at < joined.length) {
    const length = ((joined[at] ?? 0) << 8) | (joined[at + 1] ?? 0);
    const end = at + LENGTH_BYTES + length;
    if (length === 0 || length > SYNC_LIMITS.recordBytesMax || end > joined.length || bodies.length === count) return err("malformed");
    bodies.push(joined.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return bodies.length === count ? ok(bodies) : err("malformed");
}

/** Compresses framed records. Deterministic for one version of the library only: nothing hashed depends on it. */
export function packRecords(plain: Uint8Array, codec: SyncCodec): Uint8Array {
  return codec === "plain" ? plain : new Uint8Array(zstdCompressSync(plain));
}

/**
 * Undoes `packRecords`. The output is bounded by what the batch declares, so a bomb costs no more than an honest batch.
 *
 * Errors: `malformed` when it is no such compression or does not come to exactly `plainBytes`.
 */
export function unpackRecords(packed: Uint8Array, codec: SyncCodec, plainBytes: number): Result<Uint8Array, "malformed"> {
  if (plainBytes > SYNC_LIMITS.batchPlainBytesMax) return err("malformed");
  if (codec === "plain") return packed.length === plainBytes ? ok(packed) : err("malformed");
  try {
    const plain = zstdDecompressSync(packed, { maxOutputLength: plainBytes });
    return plain.length === plainBytes ? ok(new Uint8Array(plain.buffer, plain.byteOffset, plain.length)) : err("malformed");
  } catch (error) {
    if (error instanceof Error) return err("malformed"); // the library has errors of several kinds and no base class
    throw error;
  }
}
