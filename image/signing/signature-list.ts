import { concatBytes, parseHex, present } from "../../src/kernel/index.ts";

/** EFI_CERT_X509_GUID: the list holds certificates. */
const X509_LIST = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
/** Whose entry it is, for the person who looks at a firmware's list: ours, the same in every image. */
const OWNER = "b12a0000-0000-4000-8000-00000000005b";

/** A GUID as firmware writes it: the first three groups with the lowest byte first (UEFI specification, appendix A). */
export function encodeGuid(text: string): Uint8Array {
  const [first = "", second = "", third = "", ...rest] = text.split("-");
  const bytes = (hex: string): Uint8Array => present(parseHex(hex), "a GUID consists of hexadecimal groups");
  return concatBytes(bytes(first).reverse(), bytes(second).reverse(), bytes(third).reverse(), bytes(rest.join("")));
}

/**
 * A certificate as a firmware's key stores (PK, KEK, db) take it: EFI_SIGNATURE_LIST with one entry.
 *
 * @param certificate DER
 * @see UEFI specification 2.10, 32.4.1
 */
export function encodeSignatureList(certificate: Uint8Array): Uint8Array {
  const owner = encodeGuid(OWNER);
  const sizes = new DataView(new ArrayBuffer(12));
  const headBytes = 16 + sizes.byteLength;
  const entryBytes = owner.length + certificate.length;
  sizes.setUint32(0, headBytes + entryBytes, true);
  sizes.setUint32(8, entryBytes, true); // at 4: bytes of a header that lists of certificates do not have
  return concatBytes(encodeGuid(X509_LIST), new Uint8Array(sizes.buffer), owner, certificate);
}
