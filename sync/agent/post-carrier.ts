import { type RequestKind, SYNC_LIMITS } from "../protocol/index.ts";
import { LinkLost, type Reply, type SyncCarrier, type SyncLink } from "./ports.ts";
import type { TlsClient } from "./web-socket-carrier.ts";

/** What the body of a sync message is called. */
export const SYNC_MEDIA_TYPE = "application/vnd.bizra.sync+cbor";

/** Each message a POST of its own, for uplinks whose middle boxes let no WebSocket through. */
export class PostCarrier implements SyncCarrier {
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

  async open(): Promise<SyncLink> {
    return new PostLink(this.url, typeof this.#tls === "function" ? this.#tls() : this.#tls);
  }
}

class PostLink implements SyncLink {
  readonly isOrdered = false;
  readonly traffic = { sentBytes: 0, receivedBytes: 0 };
  readonly #url: string;
  readonly #tls: TlsClient;
  readonly #abort = new AbortController();

  constructor(url: string, tls: TlsClient) {
    this.#url = url;
    this.#tls = tls;
  }

  async request(kind: RequestKind, message: Uint8Array): Promise<Reply> {
    this.traffic.sentBytes += message.length;
    let response: Response;
    let body: Uint8Array;
    try {
      response = await Bun.fetch(`${this.#url}/sync/v1/${kind}`, {
        method: "POST",
        body: Uint8Array.from(message),
        headers: { "content-type": SYNC_MEDIA_TYPE },
        redirect: "error",
        signal: this.#abort.signal,
        tls: this.#tls,
      });
      body = new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw new LinkLost(error instanceof Error ? error.message : String(error)); // fetch has errors of many kinds
    }
    this.traffic.receivedBytes += body.length;
    if (body.length > SYNC_LIMITS.messageBytesMax) throw new LinkLost("an answer of too many bytes");
    if (response.ok) return { kind: ANSWERS[kind], message: body };
    if (response.headers.get("content-type") === SYNC_MEDIA_TYPE) return { kind: "refusal", message: body };
    throw new LinkLost(`HTTP ${response.status}`);
  }

  close(reason: string): void {
    this.#abort.abort(new LinkLost(reason));
  }
}

const ANSWERS = { hello: "welcome", batch: "ack", heartbeat: "noted", escrow: "ack" } as const;
