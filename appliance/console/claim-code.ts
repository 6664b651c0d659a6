import encodeQR from "qr";
import type { BoxGlance } from "./ports.ts";

/**
 * What a fleet manager's phone reads off the box: `BIZRA-CLAIM:1/` with the identity's public key, the genesis hash or `-`, and the
 * node's name where it is not the first 16 digits of the key. In capitals, which QR codes pack closer.
 */
export function claimText({ node, identity, genesis = "-" }: NonNullable<BoxGlance["claim"]>): string {
  const isDerived = identity.startsWith(node) && node.length === 16;
  return `BIZRA-CLAIM:1/${identity.toUpperCase()}/${genesis.toUpperCase()}${isDerived ? "" : `/${node}`}`;
}

/**
 * A QR code as rows of 0 and 1, its quiet zone included.
 *
 * @see ISO/IEC 18004
 */
export function qrRows(text: string): readonly string[] {
  return encodeQR(text, "raw", { ecc: "medium", border: 4 }).map((row) => row.map((isDark) => (isDark ? "1" : "0")).join(""));
}
