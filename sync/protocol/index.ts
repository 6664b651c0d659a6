/**
 * What a node and an aggregator say to each other, version 1: types, their one encoding (canonical CBOR, docs/sync.cddl)
 * and the bounds. Over HTTP each message is the body of a POST, over a WebSocket a binary message behind one byte that
 * names its kind.
 *
 * Invariants: decoders are total and bounded, what they accept encodes to the same bytes
 * (codecs and refusals that this release does not know aside); a hello and a heartbeat are
 * signed by the node's identity, an acknowledgement by the aggregator's witness key, each under its own domain tag.
 * Never opens a connection, keeps nothing, trusts no declared size.
 */
export * from "./batch.ts";
export * from "./enrol.ts";
export * from "./envelope.ts";
export * from "./escrow-parcel.ts";
export * from "./escrow-talk.ts";
export * from "./frames.ts";
export * from "./heartbeat.ts";
export * from "./hello.ts";
export * from "./limits.ts";
export { METRIC_NAMES } from "./metric-names.ts";
export * from "./object-places.ts";
export * from "./refusal.ts";
export * from "./types.ts";
