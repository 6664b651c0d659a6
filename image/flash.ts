import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { PIECE_BYTES, piecesOf } from "./disk/compressed.ts";
import { isEmpty, readPart } from "./disk/raw-image.ts";
import { lookAt, refusalOf, type TargetFacts } from "./disk/target.ts";
import { sha256Hex } from "./hashes.ts";
import { decodeGpt } from "./layout/gpt.ts";
import { DISK_ID } from "./layout/partitions.ts";
import { ImageFailure } from "./tools.ts";

/** What was written. */
export type FlashReport = { readonly bytes: number; readonly writtenBytes: number };

/** What to flash. */
export type FlashOrder = {
  /** The image, compressed or not. */
  readonly image: string;
  /** Bytes of the image when it is not compressed, as its manifest says. */
  readonly diskBytes: number;
  readonly target: string;
  /** Whether whatever the disk holds may go. */
  readonly mayErase: boolean;
};

/** What a disk or the system may answer instead of doing as asked; each has its sentence from the system. */
const DISK_FAULTS: readonly unknown[] = [
  "EACCES",
  "EBUSY",
  "EIO",
  "EISDIR",
  "ENODEV",
  "ENOENT",
  "ENOMEDIUM",
  "ENOSPC",
  "ENXIO",
  "EPERM",
  "EROFS",
];

/**
 * Writes an image to a disk or a file, then reads all of it back and compares. What is empty in the image is only written
 * where the disk is not empty, which spares cards.
 *
 * @param report is told how far it is, in bytes
 * @param look how the target is looked at; another way in tests
 * @throws ImageFailure when the target must not be written, cannot be, or does not hold what was written
 */
export async function flashImage(order: FlashOrder, report: Report, look: (path: string) => TargetFacts = lookAt): Promise<FlashReport> {
  try {
    return await flash(order, report, look);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !DISK_FAULTS.includes(error.code)) throw error;
    throw new ImageFailure(`${order.target} cannot be written from ${order.image}: ${error.message}`);
  }
}

/** Is told how far flashing is, in bytes. */
type Report = (step: "writing" | "comparing", done: number, total: number) => void;

async function flash(order: FlashOrder, report: Report, look: (path: string) => TargetFacts): Promise<FlashReport> {
  const { image, target, diskBytes } = order;
  const facts = look(target);
  const refusal = refusalOf(facts, diskBytes, order.mayErase);
  if (refusal !== undefined) throw new ImageFailure(refusal);
  for await (const piece of piecesOf(image)) {
    checkStart(piece, image, diskBytes);
    break; // the first piece alone, before anything is touched
  }
  const hashes: string[] = [];
  let [at, writtenBytes] = [0, 0];
  const file = openSync(target, facts.kind === "absent" ? "wx+" : "r+");
  try {
    if (facts.kind === "file" || facts.kind === "absent") ftruncateSync(file, diskBytes);
    for await (const piece of piecesOf(image)) {
      if (at + piece.length > diskBytes) throw new ImageFailure(`expected ${diskBytes} bytes in ${image}, got more`);
      hashes.push(sha256Hex(piece));
      if (!isEmpty(piece) || !isEmpty(readPart(file, at, piece.length))) {
        writeFully(file, piece, at);
        writtenBytes += piece.length;
      }
      at += piece.length;
      report("writing", at, diskBytes);
    }
    fsyncSync(file);
  } finally {
    closeSync(file); // the last one to close a disk empties its cache, so what follows is read from the disk itself
  }
  if (at !== diskBytes) throw new ImageFailure(`expected ${diskBytes} bytes in ${image}, got ${at}; the image is cut short`);
  compareWith(target, hashes, diskBytes, report);
  return { bytes: diskBytes, writtenBytes };
}

/** An image of a box begins with the table of one. */
function checkStart(piece: Uint8Array, image: string, diskBytes: number): void {
  const gpt = decodeGpt(piece, undefined, diskBytes);
  if (!gpt.ok || gpt.value.diskId !== DISK_ID) throw new ImageFailure(`expected an image of a box at ${image}; nothing was written`);
}

function writeFully(file: number, piece: Uint8Array, at: number): void {
  let done = 0;
  while (done < piece.length) done += writeSync(file, piece, done, piece.length - done, at + done);
}

function compareWith(
  target: string,
  hashes: readonly string[],
  diskBytes: number,
  report: (step: "comparing", done: number, total: number) => void,
): void {
  const file = openSync(target, "r");
  try {
    if (fstatSync(file).isFile() && fstatSync(file).size !== diskBytes) throw new ImageFailure(`expected ${diskBytes} bytes in ${target}`);
    for (const [index, expected] of hashes.entries()) {
      const at = index * PIECE_BYTES;
      if (sha256Hex(readPart(file, at, Math.min(PIECE_BYTES, diskBytes - at))) !== expected)
        throw new ImageFailure(`${target} does not hold what was written, near byte ${at}; the card or disk is faulty, take another`);
      report("comparing", Math.min(at + PIECE_BYTES, diskBytes), diskBytes);
    }
  } finally {
    closeSync(file);
  }
}
