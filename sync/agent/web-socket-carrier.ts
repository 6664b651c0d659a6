import { decodeEnvelope, encodeEnvelope, type RequestKind, SYNC_LIMITS } from "../protocol/index.ts";
import { LinkLost, type Reply, type SyncCarrier, type SyncLink } from "./ports.ts";

/** What a carrier proves itself and its peer with. PEM texts. */
export type TlsClient = {
  /** The node's certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Who may have signed the aggregator's certificate; undefined: whom the system trusts. */
  readonly ca?: string;
};

/** Bytes that the socket may hold back before the link is given up: more than the protocol's credit ever allows. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** One WebSocket a link, at `{url}/sync/v1/stream`. */
export class WebSocketCarrier implements SyncCarrier {
  readonly url: string;
  readonly #tls: TlsClient | (() => TlsClient);

  /**
   * @param url of the aggregator, http or https, without a path
   * @param tls asked anew for each link when it is a function
   */
  constructor(url: string, tls: TlsClient | (() => TlsClient)) {
    this.url = url;
    this.#tls = tls;
  }

  open(onLost: (reason: string) => void): Promise<SyncLink> {
    const { promise, resolve, reject } = Promise.withResolvers<SyncLink>();
    const options: Bun.WebSocketOptions = { tls: typeof this.#tls === "function" ? this.#tls() : this.#tls };
    const socket: WebSocket = Reflect.construct(WebSocket, [`${this.url.replace(/^http/, "ws")}/sync/v1/stream`, options]); // the browser's type knows no TLS
    socket.binaryType = "arraybuffer";
    const link = new WebSocketLink(socket);
    socket.onopen = () => resolve(link);
    socket.onmessage = ({ data }) => link.onMessage(data);
    socket.onclose = ({ code, reason }) => {
      const why = reason === "" ? `the connection was closed (${code})` : reason;
      reject(new LinkLost(why));
      link.onClosed(why);
      onLost(why);
    };
    return promise;
  }
}

class WebSocketLink implements SyncLink {
  readonly isOrdered = true;
  readonly traffic = { sentBytes: 0, receivedBytes: 0 };
  readonly #socket: WebSocket;
  readonly #open = new Map<number, PromiseWithResolvers<Reply>>();
  #next = 1;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  request(kind: RequestKind, message: Uint8Array): Promise<Reply> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(new LinkLost("the connection is closed"));
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) return Promise.reject(new LinkLost("the connection takes nothing"));
    const request = this.#next;
    this.#next = (this.#next % 0xffff_ffff) + 1;
    const answer = Promise.withResolvers<Reply>();
    this.#open.set(request, answer);
    const bytes = encodeEnvelope({ kind, request, message });
    this.traffic.sentBytes += bytes.length;
    this.#socket.send(Uint8Array.from(bytes));
    return answer.promise;
  }

  close(reason: string): void {
    this.#socket.close(1000, reason.slice(0, 80));
    this.onClosed(reason);
  }

  onMessage(content: unknown): void {
    if (!(content instanceof ArrayBuffer) || content.byteLength > SYNC_LIMITS.messageBytesMax) {
      this.close("a message that is none");
      return;
    }
    this.traffic.receivedBytes += content.byteLength;
    const envelope = decodeEnvelope(new Uint8Array(content));
    const answer = envelope.ok ? this.#open.get(envelope.value.request) : undefined;
    if (!envelope.ok || !answer) {
      this.close("an answer to nothing");
      return;
    }
    this.#open.delete(envelope.value.request);
    answer.resolve(envelope.value);
  }

  onClosed(reason: string): void {
    const lost = new LinkLost(reason);
    for (const { reject } of this.#open.values()) reject(lost);
    this.#open.clear();
  }
}
