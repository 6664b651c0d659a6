/** Remainders of the reflected CRC-32 polynomial for each byte. */
const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  return remainder >>> 0;
});

/** The byte whose remainder has this top byte; the top bytes of all 256 remainders differ. */
const BYTE_OF_TOP: Uint8Array = (() => {
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) bytes[(CRC_TABLE[byte] as number) >>> 24] = byte;
  return bytes;
})();

/** CRC-32 as in zip, PNG and Ethernet (reflected 0x04C11DB7): "123456789" gives 0xCBF43926. */
export function crc32(bytes: Uint8Array): number {
  return Bun.hash.crc32(bytes);
}

/** A byte that was changed: its place, and the difference to what was written (exclusive or). */
export interface ByteError {
  readonly position: number;
  readonly difference: number;
}

/**
 * Finds which single changed byte would explain a CRC-32 that does not match: at most a few candidates by chance, so the
 * caller confirms each by a hash. CRC is linear, so the mismatch is the remainder of the error alone; it is divided back
 * one byte at a time until what is left fits into one byte. O(length).
 */
export function* findByteErrors(length: number, crcWritten: number, crcFound: number): Generator<ByteError> {
  let remainder = (crcWritten ^ crcFound) >>> 0;
  if (remainder === 0) return;
  for (let position = length - 1; position >= 0; position--) {
    const byte = BYTE_OF_TOP[remainder >>> 24] as number;
    if (CRC_TABLE[byte] === remainder) yield { position, difference: byte };
    remainder = (((remainder ^ (CRC_TABLE[byte] as number)) << 8) | byte) >>> 0;
  }
}

/** Positions at which two byte strings of one length differ. */
export function differencesOf(a: Uint8Array, b: Uint8Array): readonly number[] {
  const positions: number[] = [];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) positions.push(i);
  return positions;
}
