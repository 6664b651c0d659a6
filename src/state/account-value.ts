import { assert } from "../kernel/index.ts";
import type { AccountEntry } from "../protocol/index.ts";

/**
 * The value of an account, as `encodeEntry` and `decodeEntry` define it, read and written in place. Accounts are nearly
 * all that a block touches; the general codec costs four times as much. Tests hold the two equal.
 */
const ARRAY_OF_2 = 0x82;
/** Low five bits of a CBOR head that announce 1, 2, 4 and 8 more bytes; below the first, the bits are the value. */
const WIDTH_CODE_MIN = 24;

/** Encoded value of an account. */
export function encodeAccount(entry: AccountEntry): Uint8Array {
  const nonce = widthOf(entry.nonce);
  const value = new Uint8Array(1 + nonce + widthOf(entry.balance));
  value[0] = ARRAY_OF_2;
  writeUint(value, 1, nonce, entry.nonce);
  writeUint(value, 1 + nonce, value.length - 1 - nonce, entry.balance);
  return value;
}

/** The account whose value, known to be well-formed, begins at a place in an array. */
export function readAccount(bytes: Uint8Array, start: number): AccountEntry {
  assert(bytes[start] === ARRAY_OF_2, "an account's value is an array of two");
  const balanceStart = start + 1 + headWidth(bytes[start + 1] as number);
  return { kind: "account", nonce: readUint(bytes, start + 1), balance: readUint(bytes, balanceStart) };
}

/** Bytes of an unsigned integer's shortest encoding. */
function widthOf(value: bigint): number {
  if (value < 24n) return 1;
  if (value < 0x100n) return 2;
  if (value < 0x10000n) return 3;
  return value < 0x100000000n ? 5 : 9;
}

function headWidth(head: number): number {
  return head < WIDTH_CODE_MIN ? 1 : 1 + (1 << (head - WIDTH_CODE_MIN));
}

function writeUint(into: Uint8Array, at: number, width: number, value: bigint): void {
  if (width === 1) {
    into[at] = Number(value);
    return;
  }
  into[at] = width === 2 ? 24 : width === 3 ? 25 : width === 5 ? 26 : 27;
  const isWide = width === 9;
  const low = Number(isWide ? value & 0xffffffffn : value);
  if (isWide) writeBigEndian(into, at + 1, 4, Number(value >> 32n));
  writeBigEndian(into, isWide ? at + 5 : at + 1, isWide ? 4 : width - 1, low);
}

function writeBigEndian(into: Uint8Array, at: number, width: number, value: number): void {
  for (let i = 0; i < width; i++) into[at + i] = value >>> (8 * (width - 1 - i));
}

function readUint(bytes: Uint8Array, at: number): bigint {
  const width = headWidth(bytes[at] as number);
  if (width === 1) return BigInt(bytes[at] as number);
  let low = 0;
  let high = 0;
  for (let i = at + 1; i < at + width; i++) {
    if (i < at + width - 4) high = high * 256 + (bytes[i] as number);
    else low = low * 256 + (bytes[i] as number);
  }
  if (high < 0x200000) return BigInt(high * 0x100000000 + low);
  return (BigInt(high) << 32n) | BigInt(low);
}
