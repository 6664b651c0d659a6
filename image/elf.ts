/** What a program or library says it needs; offsets after the System V gABI, chapters 4 and 5, for 64-bit little-endian files. */
export type ElfNeeds = {
  readonly machine: number;
  /** Names of shared libraries. */
  readonly libraries: readonly string[];
  /** The program loader, e.g. /lib64/ld-linux-x86-64.so.2; absent in libraries and static programs. */
  readonly loader?: string;
};

/** Numbers by which ELF files name processors. */
export const ELF_MACHINE = { amd64: 62, arm64: 183 } as const;

const MAGIC = [0x7f, 0x45, 0x4c, 0x46, 2, 1] as const;
const HEADER_BYTES = 64;
const SEGMENT_LOAD = 1;
const SEGMENT_DYNAMIC = 2;
const SEGMENT_LOADER = 3;
const TAG_NEEDED = 1n;
const TAG_STRINGS = 5n;

type Segment = { readonly type: number; readonly offset: number; readonly address: number; readonly bytes: number };

/** Reads what a file needs; undefined when it is no 64-bit little-endian ELF file or cut short. */
export function readElfNeeds(file: Uint8Array): ElfNeeds | undefined {
  if (file.length < HEADER_BYTES || MAGIC.some((byte, at) => file[at] !== byte)) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const machine = view.getUint16(18, true);
  const segments = readSegments(view);
  if (segments === undefined) return undefined;
  const found = segments.find(({ type }) => type === SEGMENT_LOADER);
  const loader = found && textAt(file, found.offset);
  const libraries = readLibraries(file, view, segments);
  return libraries && { machine, libraries, ...(loader === undefined ? {} : { loader }) };
}

function readSegments(view: DataView): readonly Segment[] | undefined {
  const table = Number(view.getBigUint64(32, true));
  const entryBytes = view.getUint16(54, true);
  const segments: Segment[] = [];
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = table + i * entryBytes;
    if (at + 56 > view.byteLength) return undefined;
    const word = (offset: number): number => Number(view.getBigUint64(at + offset, true));
    const segment = { type: view.getUint32(at, true), offset: word(8), address: word(16), bytes: word(32) };
    if (segment.offset + segment.bytes > view.byteLength) return undefined;
    segments.push(segment);
  }
  return segments;
}

function readLibraries(file: Uint8Array, view: DataView, segments: readonly Segment[]): readonly string[] | undefined {
  const dynamic = segments.find(({ type }) => type === SEGMENT_DYNAMIC);
  if (dynamic === undefined) return [];
  const needed: number[] = [];
  let strings: number | undefined;
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.bytes; at += 16) {
    const tag = view.getBigUint64(at, true);
    const value = Number(view.getBigUint64(at + 8, true));
    if (tag === TAG_NEEDED) needed.push(value);
    if (tag === TAG_STRINGS) strings = value;
  }
  // The table is named by its address in memory; the segment that is loaded there says where it is in the file.
  const home = segments.find(
    ({ type, address, bytes }) => type === SEGMENT_LOAD && strings !== undefined && address <= strings && strings < address + bytes,
  );
  if (needed.length === 0) return [];
  if (home === undefined || strings === undefined) return undefined;
  const base = home.offset + strings - home.address;
  return needed.map((offset) => textAt(file, base + offset));
}

function textAt(file: Uint8Array, at: number): string {
  const end = file.indexOf(0, at);
  return new TextDecoder("latin1").decode(file.subarray(at, end < 0 ? file.length : end));
}
