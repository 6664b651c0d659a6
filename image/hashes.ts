/** SHA-256 of bytes, in hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return new Bun.SHA256().update(bytes).digest("hex");
}
