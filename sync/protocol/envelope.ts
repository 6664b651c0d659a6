import { concatBytes, err, ok, type Result, u32be } from "../../src/kernel/index.ts";
import { SYNC_LIMITS } from "./limits.ts";

/** Kinds of messages on a WebSocket, by the byte that opens each. Over HTTP the path says the kind. */
export const MESSAGE_KINDS = { hello: 1, welcome: 2, batch: 3, ack: 4, refusal: 5, heartbeat: 6, noted: 7, escrow: 8 } as const;

/** A kind of message; `noted` answers a heartbeat and has no content. */
export type MessageKind = keyof typeof MESSAGE_KINDS;

/** A message that a node sends. */
export type RequestKind = Extract<MessageKind, "hello" | "batch" | "heartbeat" | "escrow">;

/** A message with the request it is or answers. */
export type Envelope = {
  readonly kind: MessageKind;
  /** Chosen by the node, unique among its open requests; an answer carries its request's. Below 2^32. */
  readonly request: number;
  readonly message: Uint8Array;
};

const HEAD_BYTES = 5;

/** Encodes kind u8 | request u32 big-endian | message. */
export function encodeEnvelope({ kind, request, message }: Envelope): Uint8Array {
  return concatBytes(Uint8Array.of(MESSAGE_KINDS[kind]), u32be(request), message);
}

/** Reads what `encodeEnvelope` writes; the message is a view. */
export function decodeEnvelope(bytes: Uint8Array): Result<Envelope, "malformed"> {
  const kind = KINDS.find((name) => MESSAGE_KINDS[name] === bytes[0]);
  if (kind === undefined || bytes.length < HEAD_BYTES || bytes.length > HEAD_BYTES + SYNC_LIMITS.messageBytesMax) return err("malformed");
  const request = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  return ok({ kind, request, message: bytes.subarray(HEAD_BYTES) });
}

const KINDS = ["hello", "welcome", "batch", "ack", "refusal", "heartbeat", "noted", "escrow"] as const satisfies readonly MessageKind[];
