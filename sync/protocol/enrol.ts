import { DOMAIN_TAGS, type Signer, sha256 } from "../../src/crypto/index.ts";
import { bytesEqual, CborWriter, concatBytes, err, type Result, toHex, utf8 } from "../../src/kernel/index.ts";
import { readChoice, readMessage, readNode } from "./fields.ts";
import type { VerifySignature } from "./hello.ts";
import { SYNC_LIMITS, SYNC_VERSION } from "./limits.ts";

/** Bounds of enrolment, in bytes. */
export const ENROL_LIMITS = {
  messageBytesMax: 8_192,
  answerBytesMax: 32_768,
  requestBytesMax: 4_096,
  tokenBytesMax: 128,
  pemBytesMax: 8_192,
} as const;

/** A node's request for a certificate: its first one with a token, a further one over a link that its present one proves. */
export type EnrolRequest = {
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  /** The node's identity, which signs this: the certificate request is its own. 32 bytes. */
  readonly identityKey: Uint8Array;
  /** Undefined for a renewal. */
  readonly token?: string;
  /** PKCS #10 in DER, with the node's name as CN and the network in hex as O. */
  readonly csr: Uint8Array;
  /** Names what was signed: hex of its hash, the same for the same request. */
  readonly id: string;
};

/** What an aggregator answers. */
export type EnrolAnswer =
  | { readonly state: "pending"; readonly retryAfterMs: number }
  | {
      readonly state: "issued";
      readonly certificate: string;
      /** PEM of the authority that the certificates of this aggregator and its nodes come from. */
      readonly authority: string;
      /** The key that acknowledgements are signed with, 32 bytes. */
      readonly witnessKey: Uint8Array;
    };

/**
 * Why a request for a certificate is refused. `slowDown`, `unavailable` and `full` pass; the others are permanent for the
 * same bytes.
 */
export const ENROL_REFUSALS = {
  malformed: 400,
  tooLarge: 413,
  unsupportedVersion: 426,
  badSignature: 401,
  badCertificateRequest: 422,
  unknownNetwork: 403,
  unknownToken: 403,
  expiredToken: 403,
  revokedToken: 403,
  usedToken: 409,
  wrongNetwork: 403,
  wrongNode: 403,
  otherIdentity: 409,
  refused: 403,
  revoked: 403,
  noCertificate: 401,
  slowDown: 429,
  unavailable: 503,
  full: 507,
} as const;

/** Stable code of a refusal; its HTTP status is in `ENROL_REFUSALS`. */
export type EnrolRefusalCode = keyof typeof ENROL_REFUSALS;

/** A refusal of a request for a certificate. */
export type EnrolRefusal = { readonly code: EnrolRefusalCode; readonly detail: string; readonly retryAfterMs?: number };

const NO_TOKEN = new Uint8Array(32);
const STATES = ["pending", "issued"] as const;

/** How a token is kept and signed for: its SHA-256. */
export function hashToken(token: string): Uint8Array {
  return sha256(utf8(token));
}

/** Encodes and signs a request: [version, token, body, signature over tag | body]; body: [node, network, identityKey, token's hash or zeros, csr]. */
export function encodeEnrolRequest(request: Omit<EnrolRequest, "id" | "identityKey">, identity: Signer): Uint8Array {
  const { node, network, token, csr } = request;
  const tokenHash = token === undefined ? NO_TOKEN : hashToken(token);
  const body = new CborWriter(512).array(5).text(node).bytes(network).bytes(identity.publicKey).bytes(tokenHash).bytes(csr).finish();
  const signature = identity.sign(concatBytes(DOMAIN_TAGS.syncEnrol, body));
  return new CborWriter(body.length + 256)
    .array(4)
    .uint(SYNC_VERSION)
    .text(token ?? "")
    .bytes(body)
    .bytes(signature)
    .finish();
}

/**
 * Reads and verifies a request; the certificate request within is bytes still.
 *
 * Errors: `malformed` (a token other than the one signed for among it), `unsupportedVersion`, `badSignature`.
 */
export function decodeEnrolRequest(
  bytes: Uint8Array,
  verify: VerifySignature,
): Result<EnrolRequest, "malformed" | "unsupportedVersion" | "badSignature"> {
  const outer = readMessage(bytes, (r) => {
    if (r.array(4) !== 4) r.reject();
    const version = r.uint();
    const token = r.text(0, ENROL_LIMITS.tokenBytesMax);
    return { version, token, body: r.bytes(1, ENROL_LIMITS.messageBytesMax), signature: r.bytes(64) };
  });
  if (!outer.ok) return outer;
  const { version, token, body, signature } = outer.value;
  if (version !== SYNC_VERSION) return err("unsupportedVersion");
  const read = readMessage(body, (r) => {
    if (r.array(5) !== 5) r.reject();
    const parties = { node: readNode(r), network: r.bytes(32), identityKey: r.bytes(32) };
    return { ...parties, tokenHash: r.bytes(32), csr: r.bytes(1, ENROL_LIMITS.requestBytesMax) };
  });
  if (!read.ok) return read;
  const { tokenHash, ...request } = read.value;
  if (!bytesEqual(tokenHash, token === "" ? NO_TOKEN : hashToken(token))) return err("malformed");
  if (!verify(request.identityKey, concatBytes(DOMAIN_TAGS.syncEnrol, body), signature)) return err("badSignature");
  return { ok: true, value: { ...request, ...(token === "" ? {} : { token }), id: toHex(sha256(body)) } };
}

/** Encodes an answer: [version, state, retryAfterMs, certificate, authority, witnessKey]. */
export function encodeEnrolAnswer(answer: EnrolAnswer): Uint8Array {
  const w = new CborWriter(4_096).array(6).uint(SYNC_VERSION).uint(STATES.indexOf(answer.state));
  if (answer.state === "pending") return w.uint(answer.retryAfterMs).text("").text("").bytes(new Uint8Array(0)).finish();
  return w.uint(0).text(answer.certificate).text(answer.authority).bytes(answer.witnessKey).finish();
}

/** Reads what `encodeEnrolAnswer` writes. */
export function decodeEnrolAnswer(bytes: Uint8Array): Result<EnrolAnswer, "malformed"> {
  return readMessage(bytes, (r): EnrolAnswer => {
    if (r.array(6) !== 6) r.reject();
    r.key(SYNC_VERSION);
    const state = readChoice(r, STATES, 0);
    const retryAfterMs = r.uint();
    const isPending = state === "pending";
    const [certificate, authority] = [r.text(0, ENROL_LIMITS.pemBytesMax), r.text(0, ENROL_LIMITS.pemBytesMax)];
    const witnessKey = r.bytes(isPending ? 0 : 32);
    if ((certificate === "") !== isPending || (authority === "") !== isPending || (!isPending && retryAfterMs > 0)) r.reject();
    return isPending ? { state, retryAfterMs } : { state, certificate, authority, witnessKey };
  });
}

/** Encodes a refusal: [code, detail, retryAfterMs or 0]. */
export function encodeEnrolRefusal({ code, detail, retryAfterMs }: EnrolRefusal): Uint8Array {
  const words = detail.slice(0, SYNC_LIMITS.detailBytesMax / 4);
  return new CborWriter(128)
    .array(3)
    .text(code)
    .text(words)
    .uint(retryAfterMs ?? 0)
    .finish();
}

/** Reads what `encodeEnrolRefusal` writes; a code that this release does not know reads as `unavailable`, which is tried again. */
export function decodeEnrolRefusal(bytes: Uint8Array): Result<EnrolRefusal, "malformed"> {
  return readMessage(bytes, (r): EnrolRefusal => {
    if (r.array(3) !== 3) r.reject();
    const code = r.text(1, SYNC_LIMITS.nameBytesMax);
    const detail = r.text(0, SYNC_LIMITS.detailBytesMax);
    const retryAfterMs = r.uint();
    return { code: isRefusalCode(code) ? code : "unavailable", detail, ...(retryAfterMs > 0 && { retryAfterMs }) };
  });
}

function isRefusalCode(text: string): text is EnrolRefusalCode {
  return Object.hasOwn(ENROL_REFUSALS, text);
}
