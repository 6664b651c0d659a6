/** A file that we add to Debian's: a text, or a link. */
export type AddedFile =
  | { readonly kind: "text"; readonly path: string; readonly text: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** A text that everyone may read. */
export function textFile(path: string, text: string): AddedFile {
  return { kind: "text", path, text, mode: 0o644 };
}

/** A program. */
export function scriptFile(path: string, text: string): AddedFile {
  return { kind: "text", path, text, mode: 0o755 };
}

/** A symbolic link. */
export function linkFile(path: string, target: string): AddedFile {
  return { kind: "link", path, target };
}
