import { closeSync, createReadStream, createWriteStream, ftruncateSync, openSync, writeSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { ImageFailure } from "../tools.ts";
import { isEmpty } from "./raw-image.ts";

/** Enough that the image's incompressible part decides its size. */
const LEVEL = 10;

/** Bytes of a piece of an image on its way. */
export const PIECE_BYTES = 1024 * 1024;

/** Compresses a disk image with zstd, without holding it in memory. */
export async function compressImage(from: string, to: string): Promise<void> {
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 } });
  await pipeline(createReadStream(from, { highWaterMark: PIECE_BYTES }), compress, createWriteStream(to));
}

/**
 * An image in pieces of PIECE_BYTES, the last maybe shorter, decompressed when its name ends in .zst.
 *
 * @throws ImageFailure when a compressed image is damaged or cut short
 */
export async function* piecesOf(path: string): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: PIECE_BYTES });
  const stream = path.endsWith(".zst") ? source.pipe(createZstdDecompress()) : source;
  source.on("error", (error) => stream.destroy(error));
  let held: Buffer[] = [];
  let heldBytes = 0;
  try {
    for await (const chunk of stream) {
      held.push(chunk);
      heldBytes += chunk.length;
      if (heldBytes < PIECE_BYTES) continue;
      const joined = Buffer.concat(held);
      let at = 0;
      for (; joined.length - at >= PIECE_BYTES; at += PIECE_BYTES) yield joined.subarray(at, at + PIECE_BYTES);
      held = [joined.subarray(at)];
      heldBytes = joined.length - at;
    }
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || (!String(error.code).startsWith("ZSTD") && !String(error.code).startsWith("Z_")))
      throw error;
    throw new ImageFailure(`expected a whole compressed image at ${path}: ${error.message}`);
  } finally {
    source.destroy();
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

/** Decompresses an image into a file in which what is empty takes no room. */
export async function expandImage(from: string, to: string): Promise<void> {
  const file = openSync(to, "w");
  try {
    let at = 0;
    for await (const piece of piecesOf(from)) {
      if (!isEmpty(piece)) writeSync(file, piece, 0, piece.length, at);
      at += piece.length;
    }
    ftruncateSync(file, at);
  } finally {
    closeSync(file);
  }
}
