import { utf8 } from "../../src/kernel/index.ts";

/** A file of an archive that the kernel unpacks into its first root. */
export type CpioEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const FOLDER_MODE = 0o040755;
const FILE_TYPE = 0o100000;
const LINK_MODE = 0o120777;

/**
 * An archive in the "newc" form (the kernel's driver-api/early-userspace/buffer-format): owned by root, no times, numbered
 * in order, so that equal entries give equal bytes.
 */
export function encodeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    const content = entry.kind === "file" ? entry.content : entry.kind === "link" ? utf8(entry.target) : new Uint8Array();
    const mode = entry.kind === "file" ? FILE_TYPE | entry.mode : entry.kind === "link" ? LINK_MODE : FOLDER_MODE;
    parts.push(...encodeEntry(entry.path, index + 1, mode, content));
  });
  parts.push(...encodeEntry("TRAILER!!!", 0, 0, new Uint8Array()));
  return new Uint8Array(Buffer.concat(parts));
}

function encodeEntry(path: string, inode: number, mode: number, content: Uint8Array): readonly Uint8Array[] {
  const name = utf8(`${path}\0`);
  const links = 1;
  // Inode, mode, owner, group, links, time, size, two device pairs, bytes of the name, checksum (unused).
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = utf8(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

/** Headers and contents begin at multiples of four bytes. */
function padding(bytes: number): Uint8Array {
  return new Uint8Array((4 - (bytes % 4)) % 4);
}
