const SECTOR_BYTES = 512;
const HEAD_BYTES = SECTOR_BYTES;
const DIRECTORIES = 16;
const OPTIONAL_BYTES = 112 + DIRECTORIES * 8;
const PE_AT = 0x40;

/**
 * The smallest EFI program that signing tools take: a PE32+ file of one section, which holds some content.
 *
 * @see Microsoft's PE format: DOS header, COFF header, optional header, section table
 */
export function efiProgram(content: Uint8Array): Uint8Array {
  const sectionBytes = Math.ceil(content.length / SECTOR_BYTES) * SECTOR_BYTES;
  const program = new Uint8Array(HEAD_BYTES + sectionBytes);
  const view = new DataView(program.buffer);
  const text = (at: number, word: string): void => program.set(new TextEncoder().encode(word), at);
  text(0, "MZ");
  view.setUint32(0x3c, PE_AT, true);
  text(PE_AT, "PE\0\0");
  const coff = PE_AT + 4;
  view.setUint16(coff, 0x8664, true); // x86-64
  view.setUint16(coff + 2, 1, true); // sections
  view.setUint16(coff + 16, OPTIONAL_BYTES, true);
  view.setUint16(coff + 18, 0x22, true); // executable, large addresses
  const optional = coff + 20;
  view.setUint16(optional, 0x20b, true); // PE32+
  view.setUint32(optional + 4, sectionBytes, true);
  view.setUint32(optional + 16, 0x1000, true); // entry
  view.setUint32(optional + 20, 0x1000, true); // base of code
  view.setUint32(optional + 32, 0x1000, true); // alignment in memory
  view.setUint32(optional + 36, SECTOR_BYTES, true); // alignment in the file
  view.setUint32(optional + 56, 0x1000 + Math.ceil(sectionBytes / 0x1000) * 0x1000, true);
  view.setUint32(optional + 60, HEAD_BYTES, true);
  view.setUint16(optional + 68, 10, true); // EFI application
  view.setUint32(optional + 108, DIRECTORIES, true);
  const section = optional + OPTIONAL_BYTES;
  text(section, ".text");
  view.setUint32(section + 8, sectionBytes, true);
  view.setUint32(section + 12, 0x1000, true);
  view.setUint32(section + 16, sectionBytes, true);
  view.setUint32(section + 20, HEAD_BYTES, true);
  view.setUint32(section + 36, 0x60000020, true); // code, executable, readable
  program.set(content, HEAD_BYTES);
  return program;
}
