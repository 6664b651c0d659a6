import type { WebSocket } from "ws";
import { decodeEnvelope, encodeEnvelope, SYNC_LIMITS } from "../../protocol/index.ts";
import type { Ingest } from "../ingest/ingest.ts";
import type { PeerCertificate } from "../types.ts";

/** Messages of one connection that are being answered; a node that has more on its way breaks the protocol. */
const OPEN_MAX = 64;
/** Bytes that wait to be sent to one node. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Bytes of an envelope around a message. */
const HEAD_BYTES = 5;

/** The largest message that a connection takes. */
export const SOCKET_BYTES_MAX = SYNC_LIMITS.messageBytesMax + HEAD_BYTES;

/** Why connections are closed, by the codes of the WebSocket protocol. */
const CLOSE = { unsupported: 1003, policy: 1008, internal: 1011 } as const;

/**
 * Speaks the sync protocol on one WebSocket. Messages are handed in as they come, so those of a lane are judged in order.
 *
 * @param onDefect told of errors that nothing expected
 */
export function serveSyncSocket(
  socket: WebSocket,
  ingest: Ingest,
  peer: PeerCertificate | undefined,
  onDefect: (error: unknown) => void,
): void {
  let open = 0;
  const answer = async (bytes: Uint8Array): Promise<void> => {
    const envelope = decodeEnvelope(bytes);
    if (!envelope.ok) return socket.close(CLOSE.unsupported, "no message");
    const { kind, request, message } = envelope.value;
    if (kind !== "hello" && kind !== "batch" && kind !== "heartbeat" && kind !== "escrow")
      return socket.close(CLOSE.unsupported, "not for an aggregator");
    const { kind: answered, message: content } = await ingest.answer(kind, message, peer);
    if (socket.bufferedAmount > BUFFERED_BYTES_MAX) return socket.close(CLOSE.policy, "takes no answers");
    socket.send(encodeEnvelope({ kind: answered, request, message: content }));
  };
  socket.on("message", (content, isBinary) => {
    if (!isBinary || !(content instanceof Uint8Array)) return socket.close(CLOSE.unsupported, "text");
    if (open >= OPEN_MAX) return socket.close(CLOSE.policy, "too many messages at once");
    open++;
    answer(Uint8Array.from(content)).then(
      () => open--,
      (error: unknown) => {
        onDefect(error);
        socket.close(CLOSE.internal, "the aggregator failed");
      },
    );
  });
  socket.on("error", () => socket.terminate()); // what the other side did wrong is its close code's matter
}
