import type { Stream } from "@libp2p/interface";
import { CborReader, CborWriter, err, ok, type Result, type Timers } from "../kernel/index.ts";
import { LIMITS } from "../protocol/index.ts";
import { BodyReader, encodeDelimited } from "./frames.ts";
import type { PrunedAnswer } from "./types.ts";

/**
 * Protocols that outside libp2p peers may speak without a hello. A stream carries one request and one answer, each
 * preceded by its length as an unsigned varint (libp2p's usual framing).
 *
 * - proof: CBOR array [transaction id, 32 bytes]; the answer holds the proof bundle of docs/proof.cddl.
 * - final: CBOR array [height]; the answer holds CBOR array [block, finalization].
 * - snapshot: CBOR array [] for the manifest of docs/snapshot.cddl, or [SHA-256, 32 bytes] for a part of it.
 * - submit: a transaction as COSE_Sign1; the answer, which means that it is durable here, holds its id (32 bytes).
 *
 * An answer is CBOR array [0, bytes], or [code] when there is none: 1 not found, 2 malformed request, 3 too busy;
 * [4, text] with the stable code for which a transaction was refused; or [5, lowest height, [multiaddrs]] when it was let go
 * of here, with nodes that keep everything.
 */
export const OUTSIDE_PROTOCOLS = {
  proof: "/bizra/1/proof",
  final: "/bizra/1/final",
  snapshot: "/bizra/1/snapshot",
  submit: "/bizra/1/submit",
} as const;

/** The protocol of requests between peers that are up; framed like those above. What they say is for whoever answers. */
export const NEIGHBOUR_PROTOCOL = "/bizra/1/neighbour";

/** Why a request has no answer; `refused` with the code of the refusal. */
export type RequestFault =
  | "notFound"
  | "malformed"
  | "busy"
  | "unreachable"
  | "timeout"
  | { readonly refused: string }
  | { readonly pruned: PrunedAnswer };

/** Why a node gives no answer. */
export type NoAnswer = keyof typeof CODES | { readonly refused: string } | { readonly pruned: PrunedAnswer };

const CODES = { notFound: 1, malformed: 2, busy: 3 } as const;
const REFUSED = 4;
const PRUNED = 5;
/** Addresses of archives in one answer, and bytes of each. */
const ARCHIVES_MAX = 16;
const ARCHIVE_BYTES_MAX = 300;
/** Bytes of a request by protocol, and of any answer. */
const REQUEST_BYTES_MAX = 64;
const SUBMIT_BYTES_MAX = LIMITS.transactionBytesMax;
const NEIGHBOUR_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const REFUSAL_BYTES_MAX = 64;

/** The request for the proof of a transaction. */
export function encodeProofRequest(transactionId: Uint8Array): Uint8Array {
  return new CborWriter(48).array(1).bytes(transactionId).finish();
}

/** The id in a request for a proof. */
export function decodeProofRequest(bytes: Uint8Array): Result<Uint8Array, "malformed"> {
  const r = new CborReader(bytes);
  if (r.array(1) !== 1) r.reject();
  const id = r.bytes(32);
  return r.isComplete ? ok(id) : err("malformed");
}

/** The request for a final block. */
export function encodeFinalRequest(height: number): Uint8Array {
  return new CborWriter(16).array(1).uint(height).finish();
}

/** The height in a request for a final block. */
export function decodeFinalRequest(bytes: Uint8Array): Result<number, "malformed"> {
  const r = new CborReader(bytes);
  if (r.array(1) !== 1) r.reject();
  const height = r.uint();
  return r.isComplete ? ok(height) : err("malformed");
}

/** The request for the manifest of a snapshot or, by its hash, for a part of one. */
export function encodeSnapshotRequest(part?: Uint8Array): Uint8Array {
  const w = new CborWriter(48).array(part ? 1 : 0);
  return (part ? w.bytes(part) : w).finish();
}

/** The hash of the part in a request for one; undefined in one for the manifest. */
export function decodeSnapshotRequest(bytes: Uint8Array): Result<Uint8Array | undefined, "malformed"> {
  const r = new CborReader(bytes);
  const part = r.array(1) === 1 ? r.bytes(32) : undefined;
  return r.isComplete ? ok(part) : err("malformed");
}

/** The answer to a request: bytes, or why there are none. */
export function encodeAnswer(answer: Result<Uint8Array, NoAnswer>): Uint8Array {
  if (answer.ok) return new CborWriter(16 + answer.value.length).array(2).uint(0).bytes(answer.value).finish();
  if (typeof answer.error === "string") return new CborWriter(8).array(1).uint(CODES[answer.error]).finish();
  if ("refused" in answer.error) return new CborWriter(64).array(2).uint(REFUSED).text(answer.error.refused).finish();
  const { lowestHeight, archives } = answer.error.pruned;
  const told = archives.slice(0, ARCHIVES_MAX);
  const w = new CborWriter(128).array(3).uint(PRUNED).uint(lowestHeight).array(told.length);
  for (const address of told) w.text(address);
  return w.finish();
}

/** Reads an answer; a code of a later release is `malformed`. */
export function decodeAnswer(bytes: Uint8Array): Result<Uint8Array, RequestFault> {
  const r = new CborReader(bytes);
  const fields = r.array(3);
  const code = r.uint(255);
  const pruned = code === PRUNED ? readPruned(r) : undefined;
  const value = code === 0 ? r.bytes(0, ANSWER_BYTES_MAX) : undefined;
  const refused = code === REFUSED ? r.text(1, REFUSAL_BYTES_MAX) : undefined;
  if (!r.isComplete || fields !== (pruned ? 3 : code === 0 || code === REFUSED ? 2 : 1)) return err("malformed");
  if (pruned) return err({ pruned });
  if (value) return ok(value);
  if (refused !== undefined) return err({ refused });
  return err(code === CODES.notFound ? "notFound" : code === CODES.busy ? "busy" : "malformed");
}

function readPruned(r: CborReader): PrunedAnswer {
  const lowestHeight = r.uint();
  const archives: string[] = [];
  for (let left = r.array(ARCHIVES_MAX); left > 0 && !r.isBroken; left--) archives.push(r.text(1, ARCHIVE_BYTES_MAX));
  return { lowestHeight, archives };
}

/** How long either side waits for the other. */
const PATIENCE_MS = 10_000;

/** Serves one stream: reads a request, answers, closes. A stream that asks nothing in time is cut. */
export function serveRequest(
  stream: Stream,
  timers: Timers,
  answer: (request: Uint8Array) => Result<Uint8Array, NoAnswer> | Promise<Result<Uint8Array, NoAnswer>>,
): void {
  const cancel = timers.after(PATIENCE_MS, () => stream.abort(new Error("no request in time")));
  const reader = new BodyReader(requestBytesMax(stream.protocol));
  let isAnswered = false;
  const reply = async (request: Uint8Array | undefined): Promise<void> => {
    const given = request ? await answer(request) : err("malformed" as const);
    if (stream.status !== "open") return;
    stream.send(encodeDelimited(encodeAnswer(given)));
    await stream.close();
  };
  stream.addEventListener("close", () => cancel());
  stream.addEventListener("message", ({ data }) => {
    const bodies = reader.push(data.subarray());
    if (isAnswered || (bodies.ok && bodies.value.length === 0)) return;
    isAnswered = true;
    // What fails here is the way back to the asker, who will ask again.
    reply(bodies.ok ? bodies.value[0] : undefined).catch((error: unknown) =>
      stream.abort(error instanceof Error ? error : new Error(String(error))),
    );
  });
}

function requestBytesMax(protocol: string): number {
  if (protocol === OUTSIDE_PROTOCOLS.submit) return SUBMIT_BYTES_MAX;
  return protocol === NEIGHBOUR_PROTOCOL ? NEIGHBOUR_BYTES_MAX : REQUEST_BYTES_MAX;
}

/** Asks on a fresh stream and waits for the answer. */
export function askOnStream(
  stream: Stream,
  timers: Timers,
  request: Uint8Array,
  patienceMs = PATIENCE_MS,
): Promise<Result<Uint8Array, RequestFault>> {
  return new Promise((resolve) => {
    const reader = new BodyReader(ANSWER_BYTES_MAX + 16);
    const cancel = timers.after(patienceMs, () => settle(err("timeout")));
    const settle = (result: Result<Uint8Array, RequestFault>): void => {
      cancel();
      resolve(result);
      if (stream.status === "open") stream.abort(new Error("answered"));
    };
    stream.addEventListener("message", ({ data }) => {
      const bodies = reader.push(data.subarray());
      if (!bodies.ok) settle(err("malformed"));
      else if (bodies.value[0]) settle(decodeAnswer(bodies.value[0]));
    });
    stream.addEventListener("close", () => settle(err("unreachable")));
    stream.send(encodeDelimited(request));
  });
}
