import { crc32 } from "node:zlib";
import { assert, err, ok, type Result } from "../../src/kernel/index.ts";
import { DISK_ID, type DiskLayout, SECTOR_BYTES } from "./partitions.ts";

/**
 * The GUID partition table, read and written: UEFI specification 2.10, section 5.3. Written here rather than by a tool, so
 * that equal layouts give equal bytes everywhere and reading needs nothing installed.
 */

const SIGNATURE = "EFI PART";
const REVISION = 0x00010000;
const HEADER_BYTES = 92;
const ENTRY_BYTES = 128;
const ENTRIES = 128;
const TABLE_SECTORS = (ENTRIES * ENTRY_BYTES) / SECTOR_BYTES;
const NAME_UNITS = 36;

/** Bytes at the start of a disk that hold the protective record and the first copy of the table. */
export const PRIMARY_BYTES = (2 + TABLE_SECTORS) * SECTOR_BYTES;
/** Bytes at its end that hold the second copy. */
export const BACKUP_BYTES = (1 + TABLE_SECTORS) * SECTOR_BYTES;

/** A partition as a table describes it. */
export type GptEntry = {
  readonly type: string;
  readonly id: string;
  readonly label: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
};

/** A partition table as read. */
export type Gpt = { readonly diskId: string; readonly entries: readonly GptEntry[] };

/** Why bytes are no partition table. */
export type GptFault = "noTable" | "wrongChecksum" | "copiesDiffer" | "beyondDisk";

/** The sectors at both ends of a disk of this layout. */
export function encodeGpt({ partitions, diskBytes }: DiskLayout): { readonly primary: Uint8Array; readonly backup: Uint8Array } {
  assert(diskBytes % SECTOR_BYTES === 0, "a disk consists of whole sectors");
  assert(partitions.length <= ENTRIES, "the partitions fit into the table");
  const sectors = diskBytes / SECTOR_BYTES;
  const table = new Uint8Array(ENTRIES * ENTRY_BYTES);
  partitions.forEach((partition, index) => {
    const entry = new DataView(table.buffer, index * ENTRY_BYTES, ENTRY_BYTES);
    putGuid(entry, 0, partition.type);
    putGuid(entry, 16, partition.id);
    entry.setBigUint64(32, BigInt(partition.offsetBytes / SECTOR_BYTES), true);
    entry.setBigUint64(40, BigInt((partition.offsetBytes + partition.sizeBytes) / SECTOR_BYTES - 1), true);
    for (let i = 0; i < partition.label.length; i++) entry.setUint16(56 + 2 * i, partition.label.charCodeAt(i), true);
  });
  const primary = new Uint8Array(PRIMARY_BYTES);
  primary.set(protectiveRecord(sectors));
  primary.set(encodeHeader(table, { self: 1, other: sectors - 1, table: 2, sectors }), SECTOR_BYTES);
  primary.set(table, 2 * SECTOR_BYTES);
  const backup = new Uint8Array(BACKUP_BYTES);
  backup.set(table);
  const place = { self: sectors - 1, other: 1, table: sectors - 1 - TABLE_SECTORS, sectors };
  backup.set(encodeHeader(table, place), TABLE_SECTORS * SECTOR_BYTES);
  return { primary, backup };
}

/** Where a copy of the table lies, in sectors. */
type Place = { readonly self: number; readonly other: number; readonly table: number; readonly sectors: number };

function encodeHeader(table: Uint8Array, place: Place): Uint8Array {
  const header = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(SIGNATURE));
  view.setUint32(8, REVISION, true);
  view.setUint32(12, HEADER_BYTES, true);
  view.setBigUint64(24, BigInt(place.self), true);
  view.setBigUint64(32, BigInt(place.other), true);
  view.setBigUint64(40, BigInt(2 + TABLE_SECTORS), true); // first usable sector
  view.setBigUint64(48, BigInt(place.sectors - 2 - TABLE_SECTORS), true); // last usable sector
  putGuid(view, 56, DISK_ID);
  view.setBigUint64(72, BigInt(place.table), true);
  view.setUint32(80, ENTRIES, true);
  view.setUint32(84, ENTRY_BYTES, true);
  view.setUint32(88, crc32(table), true);
  view.setUint32(16, crc32(header.subarray(0, HEADER_BYTES)), true); // over itself with this field zero, so written last
  return header;
}

/** The record of the old scheme that says to old tools: all of this disk is in use. */
function protectiveRecord(sectors: number): Uint8Array {
  const record = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(record.buffer, 446);
  view.setUint32(0, 0x00020000, true); // not active, starts at cylinder 0 head 0 sector 2
  view.setUint32(4, 0xffffffee, true); // type EE, ends where cylinders cannot say
  view.setUint32(8, 1, true);
  view.setUint32(12, Math.min(sectors - 1, 0xffffffff), true);
  record.set([0x55, 0xaa], 510);
  return record;
}

/**
 * Reads the first copy of a table and compares it with the second.
 *
 * @param primary at least the first PRIMARY_BYTES of the disk
 * @param backup the BACKUP_BYTES where the second copy is expected; absent where a grown disk has it elsewhere
 */
export function decodeGpt(primary: Uint8Array, backup: Uint8Array | undefined, diskBytes: number): Result<Gpt, GptFault> {
  if (primary.length < PRIMARY_BYTES) return err("noTable");
  const table = primary.subarray(2 * SECTOR_BYTES, 2 * SECTOR_BYTES + ENTRIES * ENTRY_BYTES);
  const header = primary.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES);
  const fault = checkCopy(header, table);
  if (fault !== undefined) return err(fault);
  if (backup !== undefined) {
    const copy = backup.subarray(0, ENTRIES * ENTRY_BYTES);
    const copyFault = checkCopy(backup.subarray(TABLE_SECTORS * SECTOR_BYTES), copy);
    if (copyFault !== undefined || !Buffer.from(copy).equals(table)) return err("copiesDiffer");
  }
  const entries: GptEntry[] = [];
  for (let at = 0; at < table.length; at += ENTRY_BYTES) {
    const entry = new DataView(table.buffer, table.byteOffset + at, ENTRY_BYTES);
    const type = guidAt(entry, 0);
    if (type === "00000000-0000-0000-0000-000000000000") continue;
    const first = Number(entry.getBigUint64(32, true));
    const last = Number(entry.getBigUint64(40, true));
    if (last < first || (last + 1) * SECTOR_BYTES > diskBytes) return err("beyondDisk");
    let label = "";
    for (let i = 0; i < NAME_UNITS; i++) label += String.fromCharCode(entry.getUint16(56 + 2 * i, true));
    entries.push({
      type,
      id: guidAt(entry, 16),
      label: label.replace(/\0.*$/s, ""),
      offsetBytes: first * SECTOR_BYTES,
      sizeBytes: (last - first + 1) * SECTOR_BYTES,
    });
  }
  return ok({ diskId: guidAt(new DataView(header.buffer, header.byteOffset), 56), entries });
}

function checkCopy(header: Uint8Array, table: Uint8Array): GptFault | undefined {
  if (new TextDecoder("latin1").decode(header.subarray(0, 8)) !== SIGNATURE) return "noTable";
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(12, true) !== HEADER_BYTES || view.getUint32(80, true) !== ENTRIES || view.getUint32(84, true) !== ENTRY_BYTES)
    return "noTable";
  const covered = new Uint8Array(header.subarray(0, HEADER_BYTES)); // a copy: slice() of a Buffer is none
  new DataView(covered.buffer).setUint32(16, 0, true);
  const isWhole = crc32(covered) === view.getUint32(16, true) && crc32(table) === view.getUint32(88, true);
  return isWhole ? undefined : "wrongChecksum";
}

/** GUIDs are written with their first three groups little-endian (appendix A). */
function putGuid(view: DataView, at: number, guid: string): void {
  const digits = guid.replaceAll("-", "");
  assert(/^[0-9a-f]{32}$/.test(digits), "a GUID has 32 hexadecimal digits in lower case");
  view.setUint32(at, Number.parseInt(digits.slice(0, 8), 16), true);
  view.setUint16(at + 4, Number.parseInt(digits.slice(8, 12), 16), true);
  view.setUint16(at + 6, Number.parseInt(digits.slice(12, 16), 16), true);
  for (let i = 0; i < 8; i++) view.setUint8(at + 8 + i, Number.parseInt(digits.slice(16 + 2 * i, 18 + 2 * i), 16));
}

function guidAt(view: DataView, at: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  let tail = "";
  for (let i = 0; i < 8; i++) tail += hex(view.getUint8(at + 8 + i), 2);
  const head = [hex(view.getUint32(at, true), 8), hex(view.getUint16(at + 4, true), 4), hex(view.getUint16(at + 6, true), 4)];
  return [...head, tail.slice(0, 4), tail.slice(4)].join("-");
}
