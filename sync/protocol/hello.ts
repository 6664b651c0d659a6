import { DOMAIN_TAGS, type Signer } from "../../src/crypto/index.ts";
import { type CborReader, CborWriter, concatBytes, err, type Result } from "../../src/kernel/index.ts";
import { readChoice, readCursor, readEpoch, readLane, readMessage, readNode, readOptionalBytes, writeCursor, writeLane } from "./fields.ts";
import { SYNC_LIMITS, SYNC_VERSION } from "./limits.ts";
import { type Hello, type LaneExtent, LINK_PROFILES, SYNC_CODECS, type SyncCodec, type Welcome } from "./types.ts";

/** Verifies one Ed25519 signature by the project's rule. */
export type VerifySignature = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Encodes and signs a hello: [version, hello bytes, signature over tag | hello bytes]. */
export function encodeHello(hello: Hello, identity: Signer): Uint8Array {
  const body = encodeBody(hello);
  const signature = identity.sign(concatBytes(DOMAIN_TAGS.syncHello, body));
  return new CborWriter(body.length + 96).array(3).uint(SYNC_VERSION).bytes(body).bytes(signature).finish();
}

/**
 * Reads and verifies a hello. That the identity may speak for its node is another question.
 *
 * Errors: `malformed`, `unsupportedVersion`, `badSignature`.
 */
export function decodeHello(
  bytes: Uint8Array,
  verify: VerifySignature,
): Result<Hello, "malformed" | "unsupportedVersion" | "badSignature"> {
  const outer = readMessage(bytes, (r) => {
    if (r.array(3) !== 3) r.reject();
    return { version: r.uint(), body: r.bytes(1, SYNC_LIMITS.messageBytesMax), signature: r.bytes(64) };
  });
  if (!outer.ok) return outer;
  const { version, body, signature } = outer.value;
  if (version !== SYNC_VERSION) return err("unsupportedVersion");
  const hello = readMessage(body, readBody);
  if (!hello.ok) return hello;
  const isSigned = verify(hello.value.identityKey, concatBytes(DOMAIN_TAGS.syncHello, body), signature);
  return isSigned ? hello : err("badSignature");
}

function encodeBody(hello: Hello): Uint8Array {
  const w = new CborWriter(512).array(10).text(hello.node).bytes(hello.network).bytes(hello.identityKey).bytes(hello.bootId);
  w.uint(hello.timeMs).text(hello.software);
  w.bytes(hello.validatorKey ?? new Uint8Array(0)).uint(LINK_PROFILES.indexOf(hello.profile));
  w.array(hello.codecs.length);
  for (const codec of hello.codecs) w.text(codec);
  w.array(hello.lanes.length);
  for (const extent of hello.lanes) {
    writeLane(w.array(5), extent.lane).uint(extent.epoch).uint(extent.first).uint(extent.last).bytes(extent.tipHash);
  }
  return w.finish();
}

function readBody(r: CborReader): Hello {
  if (r.array(10) !== 10) r.reject();
  const node = readNode(r);
  const network = r.bytes(32);
  const identityKey = r.bytes(32);
  const bootId = r.bytes(16);
  const timeMs = r.uint();
  const software = r.text(0, SYNC_LIMITS.nameBytesMax);
  const validatorKey = readOptionalBytes(r, 32);
  const profile = readChoice(r, LINK_PROFILES, 0);
  const codecs = readCodecs(r);
  const lanes = Array.from({ length: r.array(SYNC_LIMITS.lanesMax) }, () => readExtent(r));
  return { node, network, identityKey, bootId, timeMs, software, ...(validatorKey && { validatorKey }), profile, codecs, lanes };
}

/** Codecs that this release knows; others are passed over, so that a later one may offer more. */
function readCodecs(r: CborReader): readonly SyncCodec[] {
  const names = Array.from({ length: r.array(SYNC_LIMITS.codecsMax) }, () => r.text(1, SYNC_LIMITS.nameBytesMax));
  return SYNC_CODECS.filter((codec) => names.includes(codec)).sort((a, b) => names.indexOf(a) - names.indexOf(b));
}

function readExtent(r: CborReader): LaneExtent {
  if (r.array(5) !== 5) r.reject();
  const extent = { lane: readLane(r), epoch: readEpoch(r), first: r.uint(), last: r.uint(), tipHash: r.bytes(32) };
  if (extent.first === 0 || extent.first > extent.last + 1) r.reject();
  return extent;
}

/** Encodes the answer to a hello. */
export function encodeWelcome(welcome: Welcome): Uint8Array {
  const { vital } = welcome;
  const w = new CborWriter(256)
    .array(vital ? 10 : 8)
    .uint(SYNC_VERSION)
    .bytes(welcome.session)
    .array(welcome.cursors.length);
  for (const cursor of welcome.cursors) writeCursor(w, cursor);
  w.uint(welcome.creditBytes).uint(welcome.intervalMs).uint(welcome.timeMs);
  w.bytes(welcome.witnessKey).uint(welcome.configurationVersion);
  if (vital) w.uint(vital.epoch).text(vital.note);
  return w.finish();
}

/** Reads what `encodeWelcome` writes. */
export function decodeWelcome(bytes: Uint8Array): Result<Welcome, "malformed"> {
  return readMessage(bytes, (r): Welcome => {
    const fields = r.array(10);
    if (fields !== 8 && fields !== 10) r.reject();
    r.key(SYNC_VERSION);
    const session = r.bytes(16);
    const cursors = Array.from({ length: r.array(SYNC_LIMITS.lanesMax) }, () => readCursor(r));
    const allowance = { creditBytes: r.uint(), intervalMs: r.uint() };
    const timeMs = r.uint();
    const rest = { timeMs, witnessKey: r.bytes(32), configurationVersion: r.uint() };
    const vital = fields === 10 ? { epoch: readEpoch(r), note: r.text(1, SYNC_LIMITS.noteBytesMax) } : undefined;
    return { session, cursors, ...allowance, ...rest, ...(vital && { vital }) };
  });
}
