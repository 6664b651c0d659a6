/** Trims native addons: what only linkers and debuggers read does not go into the binary. */
import { SetupError } from "./toolchain.mjs";

/** Of the ELF header, 64 bits, little-endian (System V gABI, chapter 4). */
const MAGIC = [0x7f, 0x45, 0x4c, 0x46, 2, 1] as const;
const HEADER = {
  bytes: 64,
  programTableAt: 32,
  sectionTableAt: 40,
  programEntryBytesAt: 54,
  programCountAt: 56,
  sectionCountAt: 60,
} as const;
/** Of an entry of the program table. */
const SEGMENT = { offsetAt: 8, fileBytesAt: 32 } as const;

/**
 * A shared library without symbol tables, debugging information and the section table: the system loads segments, which
 * the program table names, and nothing behind the last of them. A library's exported names lie in a segment.
 *
 * @throws SetupError when this is no such library
 */
export function withoutSections(library: Uint8Array): Uint8Array {
  const view = new DataView(library.buffer, library.byteOffset, library.length);
  if (library.length < HEADER.bytes || MAGIC.some((byte, at) => library[at] !== byte))
    throw new SetupError("The addon is no 64-bit little-endian ELF library.");
  const table = Number(view.getBigUint64(HEADER.programTableAt, true));
  const entryBytes = view.getUint16(HEADER.programEntryBytesAt, true);
  let end: number = HEADER.bytes;
  for (let i = 0; i < view.getUint16(HEADER.programCountAt, true); i++) {
    const entry = table + i * entryBytes;
    if (entry + entryBytes > library.length) throw new SetupError("The addon's program table lies beyond its end.");
    const segment = Number(view.getBigUint64(entry + SEGMENT.offsetAt, true) + view.getBigUint64(entry + SEGMENT.fileBytesAt, true));
    end = Math.max(end, segment, entry + entryBytes);
  }
  if (end > library.length) throw new SetupError("The addon is cut short.");
  const trimmed = library.slice(0, end);
  const header = new DataView(trimmed.buffer);
  header.setBigUint64(HEADER.sectionTableAt, 0n, true);
  header.setUint32(HEADER.sectionCountAt, 0, true); // their number, and which of them holds their names
  return trimmed;
}
