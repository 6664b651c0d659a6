import { p256 } from "@noble/curves/nist.js";
import { DOMAIN_TAGS, sha256 } from "../crypto/index.ts";
import { concatBytes, utf8 } from "../kernel/index.ts";

/** A TLS certificate in the form that libp2p's WebRTC takes: both parts as PEM, and its hash as part of the address. */
export type WebRtcCertificate = { readonly privateKey: string; readonly pem: string; readonly certhash: string };

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const EXPLICIT_0 = 0xa0;
const EXPLICIT_1 = 0xa1;

/** Object identifiers, encoded: commonName, ecPublicKey, prime256v1, ecdsa-with-SHA256. */
const SUBJECT_NAME = Uint8Array.of(0x06, 3, 0x55, 0x04, 0x03);
const EC_PUBLIC_KEY = Uint8Array.of(0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);
const PRIME_256 = Uint8Array.of(0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07);
const ECDSA_SHA256 = Uint8Array.of(0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

/**
 * The certificate of a node's WebRTC address, made anew from its node seed at each start and always the same, so that an
 * address with its hash stays valid without a file to keep. The hash is all that the other end checks; Noise proves the
 * node key inside. Validity is fixed, for a box need not know the time.
 */
export function webRtcCertificate(nodeSeed: Uint8Array): WebRtcCertificate {
  const secret = secretOf(nodeSeed);
  const publicKey = p256.getPublicKey(secret, false);
  const spki = der(SEQUENCE, der(SEQUENCE, EC_PUBLIC_KEY, PRIME_256), der(BIT_STRING, Uint8Array.of(0), publicKey));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, SUBJECT_NAME, der(UTF8_STRING, utf8("bizra")))));
  const algorithm = der(SEQUENCE, ECDSA_SHA256);
  const validity = der(SEQUENCE, der(UTC_TIME, utf8("250101000000Z")), der(UTC_TIME, utf8("491231235959Z")));
  const version = der(EXPLICIT_0, der(INTEGER, Uint8Array.of(2)));
  const signed = der(SEQUENCE, version, der(INTEGER, Uint8Array.of(1)), algorithm, name, validity, name, spki);
  const signature = p256.sign(signed, secret, { format: "der" });
  const certificate = der(SEQUENCE, signed, algorithm, der(BIT_STRING, Uint8Array.of(0), signature));
  const inner = der(
    SEQUENCE,
    der(INTEGER, Uint8Array.of(1)),
    der(OCTET_STRING, secret),
    der(EXPLICIT_1, der(BIT_STRING, Uint8Array.of(0), publicKey)),
  );
  const key = der(SEQUENCE, der(INTEGER, Uint8Array.of(0)), der(SEQUENCE, EC_PUBLIC_KEY, PRIME_256), der(OCTET_STRING, inner));
  return { privateKey: pem("PRIVATE KEY", key), pem: pem("CERTIFICATE", certificate), certhash: certhashOf(certificate) };
}

/** A P-256 secret from the seed: hashed until it lies in the group's range, which fails once in 2^32. */
function secretOf(nodeSeed: Uint8Array): Uint8Array {
  let secret = sha256(DOMAIN_TAGS.webRtcKey, nodeSeed);
  while (!p256.utils.isValidSecretKey(secret)) secret = sha256(DOMAIN_TAGS.webRtcKey, secret);
  return secret;
}

/** Multibase base64url of the multihash (SHA-256, 32 bytes), as multiaddrs carry it. */
function certhashOf(certificate: Uint8Array): string {
  return `u${Buffer.from(concatBytes(Uint8Array.of(0x12, 0x20), sha256(certificate))).toString("base64url")}`;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return concatBytes(Uint8Array.of(tag, ...head), content);
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
