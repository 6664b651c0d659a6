import { DOMAIN_TAGS, type Signer } from "../../src/crypto/index.ts";
import { type CborReader, CborWriter, concatBytes, err, ok, type Result } from "../../src/kernel/index.ts";
import { readMessage, readNode } from "./fields.ts";
import type { VerifySignature } from "./hello.ts";
import { SYNC_LIMITS } from "./limits.ts";
import { readMetric, writeMetric } from "./metric-names.ts";
import type { Beat, Heartbeat } from "./types.ts";

/** Encodes and signs a heartbeat: [heartbeat bytes, signature over tag | network | heartbeat bytes]. */
export function encodeHeartbeat(heartbeat: Heartbeat, network: Uint8Array, identity: Signer): Uint8Array {
  const body = encodeBody(heartbeat);
  const signature = identity.sign(concatBytes(DOMAIN_TAGS.syncHeartbeat, network, body));
  return new CborWriter(body.length + 96).array(2).bytes(body).bytes(signature).finish();
}

/**
 * Reads and verifies a heartbeat.
 *
 * Errors: `malformed`, `badSignature`.
 */
export function decodeHeartbeat(
  bytes: Uint8Array,
  parties: { readonly network: Uint8Array; readonly identityKey: Uint8Array },
  verify: VerifySignature,
): Result<Heartbeat, "malformed" | "badSignature"> {
  const outer = readMessage(bytes, readSigned);
  if (!outer.ok) return outer;
  const { body, signature } = outer.value;
  const heartbeat = readMessage(body, readBody);
  if (!heartbeat.ok) return heartbeat;
  const isSigned = verify(parties.identityKey, concatBytes(DOMAIN_TAGS.syncHeartbeat, parties.network, body), signature);
  return isSigned ? heartbeat : err("badSignature");
}

/** Encodes and signs a beat: [session, sequence, signature over tag | network | [session, sequence]]. */
export function encodeBeat({ session, sequence }: Beat, network: Uint8Array, identity: Signer): Uint8Array {
  const signature = identity.sign(beatStatement({ session, sequence }, network));
  return new CborWriter(96).array(3).bytes(session).uint(sequence).bytes(signature).finish();
}

/**
 * Reads and verifies a beat.
 *
 * Errors: `malformed`, also for a heartbeat; `badSignature`.
 */
export function decodeBeat(
  bytes: Uint8Array,
  parties: { readonly network: Uint8Array; readonly identityKey: Uint8Array },
  verify: VerifySignature,
): Result<Beat, "malformed" | "badSignature"> {
  const beat = readMessage(bytes, readSignedBeat);
  if (!beat.ok) return beat;
  const { signature, ...said } = beat.value;
  return verify(parties.identityKey, beatStatement(said, parties.network), signature) ? ok(said) : err("badSignature");
}

function beatStatement({ session, sequence }: Beat, network: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN_TAGS.syncHeartbeat, network, new CborWriter(32).array(2).bytes(session).uint(sequence).finish());
}

function readSignedBeat(r: CborReader): Beat & { readonly signature: Uint8Array } {
  if (r.array(3) !== 3) r.reject();
  return { session: r.bytes(16), sequence: r.uint(), signature: r.bytes(64) };
}

/** Whether a message has the form of a beat. */
export function isBeat(bytes: Uint8Array): boolean {
  return readMessage(bytes, readSignedBeat).ok;
}

/** The session that a heartbeat or a beat names, before anything of it is verified: it says whose key must have signed. */
export function findHeartbeatSession(bytes: Uint8Array): Uint8Array | undefined {
  const beat = readMessage(bytes, readSignedBeat);
  if (beat.ok) return beat.value.session;
  const outer = readMessage(bytes, readSigned);
  const heartbeat = outer.ok ? readMessage(outer.value.body, readBody) : undefined;
  return heartbeat?.ok ? heartbeat.value.session : undefined;
}

function readSigned(r: CborReader): { readonly body: Uint8Array; readonly signature: Uint8Array } {
  if (r.array(2) !== 2) r.reject();
  return { body: r.bytes(1, SYNC_LIMITS.messageBytesMax), signature: r.bytes(64) };
}

function encodeBody(h: Heartbeat): Uint8Array {
  const w = new CborWriter(512).array(14).bytes(h.session).text(h.node).bytes(h.bootId).uint(h.sequence).uint(h.timeMs);
  w.uint(h.height)
    .uint(h.epoch)
    .uint(h.view)
    .text(h.state)
    .bool(h.isReady)
    .text(h.reason.slice(0, SYNC_LIMITS.detailBytesMax / 4));
  w.uint(h.peers).uint(h.unacknowledgedMs).array(h.metrics.length);
  for (const metric of h.metrics) writeMetric(w, metric);
  return w.finish();
}

function readBody(r: CborReader): Heartbeat {
  if (r.array(14) !== 14) r.reject();
  const session = r.bytes(16);
  const node = readNode(r);
  const bootId = r.bytes(16);
  const moment = { sequence: r.uint(), timeMs: r.uint() };
  const chain = { height: r.uint(), epoch: r.uint(), view: r.uint() };
  const standing = { state: r.text(1, SYNC_LIMITS.nameBytesMax), isReady: r.bool(), reason: r.text(0, SYNC_LIMITS.detailBytesMax) };
  const rest = { peers: r.uint(), unacknowledgedMs: r.uint() };
  const metrics = Array.from({ length: r.array(SYNC_LIMITS.metricsMax) }, () => readMetric(r)).filter((metric) => metric !== undefined);
  return { session, node, bootId, ...moment, ...chain, ...standing, ...rest, metrics };
}
