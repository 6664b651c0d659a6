import { concatBytes, err, ok, parseHex, type Result, type Timers, toHex } from "../kernel/index.ts";
import { formatAddress, PROOF_LIMITS } from "../protocol/index.ts";
import type { AccountTerms, Carrier, ChainTerms, LookUp, SubmitAnswer } from "./carrier.ts";
import { isJson, type Json, parseJson, textIn, wideIn } from "./json.ts";

/** The part of `fetch` that is used; the platform's own fits. */
export type FetchPort = (url: string, init: RequestInit) => Promise<Response>;

/** Where and how a node is asked over HTTP. */
export type HttpCarrierOptions = {
  /** Address of the node, e.g. `http://127.0.0.1:8645`. */
  readonly url: string;
  readonly fetch: FetchPort;
  readonly timers: Timers;
  /** How long a node may take beyond what it was asked to wait, milliseconds; default 10,000. */
  readonly timeoutMs?: number;
};

type Answer = { readonly status: number; readonly headers: Headers; readonly body: Uint8Array };

/** Answers other than proofs are short; what is longer is not read. */
const JSON_BYTES_MAX = 256 * 1024;
const GENESIS_BYTES_MAX = 16 * 1024 * 1024;
const ENDED: Readonly<Record<string, LookUp>> = {
  accepted: { kind: "pending" },
  expired: { kind: "expired" },
  superseded: { kind: "superseded" },
  unknown: { kind: "unknown" },
};

/** The carrier over a node's HTTP interface. @see docs/http.md */
export class HttpCarrier implements Carrier {
  readonly name: string;
  readonly #options: HttpCarrierOptions;

  constructor(options: HttpCarrierOptions) {
    this.name = `HTTP ${options.url}`;
    this.#options = { ...options, url: options.url.replace(/\/+$/, "") };
  }

  /** The node's genesis document as text, to be checked by `trustGenesis`. The error is a sentence. */
  async genesis(): Promise<Result<string, string>> {
    const answer = await this.#ask("/api/v2/genesis", {}, 0, GENESIS_BYTES_MAX);
    if (!answer.ok) return answer;
    return answer.value.status === 200 ? ok(new TextDecoder().decode(answer.value.body)) : err(`status ${answer.value.status}`);
  }

  /** Posts the COSE bytes. */
  async submit({ id, encoded }: { readonly id: Uint8Array; readonly encoded: Uint8Array }): Promise<SubmitAnswer> {
    const init = { method: "POST", headers: { "content-type": "application/cose" }, body: Uint8Array.from(encoded) };
    const answer = await this.#ask("/api/v2/transactions", init, 0, JSON_BYTES_MAX);
    if (!answer.ok) return { kind: "noAnswer", detail: answer.error };
    const { status, headers, body } = answer.value;
    const json = parseJson(new TextDecoder().decode(body)) ?? {};
    if (status === 202) return isAcceptedIn(json, id) ? { kind: "accepted" } : { kind: "noAnswer", detail: "it named another transaction" };
    const code = textIn(json, "code");
    if (code === "duplicate") return { kind: "executed" };
    const detail = textIn(json, "detail") || `status ${status}`;
    if (code === "" || status < 400) return { kind: "noAnswer", detail: `status ${status} without a code` };
    const seconds = Number(headers.get("retry-after") ?? "");
    const retry = Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {};
    return { kind: "refused", code, detail, ...retry };
  }

  /** Waits on the node for the end, then fetches the proof. */
  async lookUp(id: Uint8Array, waitMs: number): Promise<LookUp> {
    const path = `/api/v2/transactions/${toHex(id)}`;
    const json = await this.#json(waitMs > 0 ? `${path}?wait=final&timeoutMs=${Math.ceil(waitMs)}` : path, waitMs);
    if (!json.ok) return { kind: "noAnswer", detail: json.error };
    const status = textIn(json.value, "status");
    if (status !== "final") return ENDED[status] ?? { kind: "noAnswer", detail: `the node says "${status.slice(0, 40)}"` };
    const proof = await this.#ask(`${path}/proof`, { headers: { accept: "application/cbor" } }, 0, PROOF_LIMITS.bundleBytesMax);
    if (!proof.ok) return { kind: "noAnswer", detail: proof.error };
    if (proof.value.status === 200) return { kind: "proof", bundle: proof.value.body };
    return { kind: "noAnswer", detail: `status ${proof.value.status} instead of a proof` };
  }

  /** From the node's status. */
  async terms(): Promise<Result<Required<ChainTerms> & { readonly genesisHash: Uint8Array }, string>> {
    const json = await this.#json("/api/v2/status", 0);
    if (!json.ok) return json;
    const genesisHash = parseHex(textIn(json.value, "genesisHash"));
    const height = wideIn(json.value, "height");
    const minimumFee = wideIn(json.value, "minimumFee");
    if (genesisHash?.length !== 32 || height === undefined || minimumFee === undefined) return err("the node's status is not understood");
    return ok({ genesisHash, height, minimumFee });
  }

  /** From the node's view of the account. */
  async account(publicKey: Uint8Array): Promise<Result<AccountTerms, string>> {
    const json = await this.#json(`/api/v2/accounts/${formatAddress(publicKey)}`, 0);
    if (!json.ok) return json;
    const balance = wideIn(json.value, "balance");
    const pendingNonce = wideIn(json.value, "pendingNonce");
    if (balance === undefined || pendingNonce === undefined) return err("the node's account is not understood");
    return ok({ balance, pendingNonce, isSponsored: isJson(json.value["device"]) });
  }

  async #json(path: string, waitMs: number): Promise<Result<Json, string>> {
    const answer = await this.#ask(path, {}, waitMs, JSON_BYTES_MAX);
    if (!answer.ok) return answer;
    if (answer.value.status !== 200) return err(`status ${answer.value.status} of ${path}`);
    const json = parseJson(new TextDecoder().decode(answer.value.body));
    return json ? ok(json) : err(`no JSON from ${path}`);
  }

  async #ask(path: string, init: RequestInit, waitMs: number, bytesMax: number): Promise<Result<Answer, string>> {
    const { url, fetch, timers, timeoutMs = 10_000 } = this.#options;
    const controller = new AbortController();
    const cancel = timers.after(waitMs + timeoutMs, () => controller.abort());
    try {
      const response = await fetch(`${url}${path}`, { ...init, signal: controller.signal, cache: "no-store" });
      const body = await readBounded(response, bytesMax);
      return body ? ok({ status: response.status, headers: response.headers, body }) : err(`more than ${bytesMax} bytes from ${path}`);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every failure of a fetch is an Error: unreachable, cut off, aborted
      return err(error.message);
    } finally {
      cancel();
    }
  }
}

/** A response's body, or undefined when it is longer than that; what is left is not read. */
async function readBounded(response: Response, bytesMax: number): Promise<Uint8Array | undefined> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(...parts);
    size += value.length;
    if (size > bytesMax) {
      await reader.cancel();
      return undefined;
    }
    parts.push(value);
  }
}

function isAcceptedIn({ transactions }: Json, id: Uint8Array): boolean {
  const hex = toHex(id);
  return Array.isArray(transactions) && transactions.some((each) => isJson(each) && each["id"] === hex && each["status"] === "accepted");
}
