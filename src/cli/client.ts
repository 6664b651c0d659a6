import { toHex } from "../kernel/index.ts";
import { findRunningNode } from "../node/index.ts";
import { CommandFailure, type CommandInput, type FlagSpec } from "./command.ts";

/** Flags that say which node to ask. */
export const NODE_FLAGS: Readonly<Record<string, FlagSpec>> = {
  url: { kind: "text", value: "URL", doc: "Address of a node, e.g. http://127.0.0.1:8645." },
  home: { kind: "text", value: "DIR", doc: "Instead of --url: home of a node running on this machine." },
};

/** JSON as it came; read with `text`, `count` and friends, which say what was missing. */
export type Json = { readonly [key: string]: unknown };

/** An answer that is not a success. */
export type Refusal = { readonly status: number; readonly code: string; readonly detail: string; readonly body: Json };

/** Speaks the outside contract to one node. Unreachable nodes and refusals are told in sentences. */
export class NodeClient {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base.replace(/\/+$/, "");
  }

  /** The node that the flags name. */
  static of(input: CommandInput): NodeClient {
    const url = input.flag("url");
    if (url !== undefined) return new NodeClient(url);
    const home = input.flag("home");
    if (home === undefined) return new NodeClient("http://127.0.0.1:8645");
    const running = findRunningNode(home);
    if (!running)
      throw new CommandFailure(
        `expected a node running on ${home}, but none left its address there; start it with \`bizra node --home ${home}\``,
      );
    return new NodeClient(running.http);
  }

  /** GET of a JSON answer; refusals throw. */
  async get(path: string): Promise<Json> {
    const answer = await this.request(path, {});
    if (!answer.ok) throw new CommandFailure(`${path}: ${answer.error.detail} (${answer.error.code})`);
    return answer.value;
  }

  /** GET of bytes; refusals throw. */
  async getBytes(path: string, accept: string): Promise<Uint8Array> {
    const response = await this.#fetch(path, { headers: { accept } });
    if (!response.ok) {
      const refusal = await refusalOf(response);
      throw new CommandFailure(`${path}: ${refusal.detail} (${refusal.code})`);
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Submits COSE transactions: one, or a CBOR sequence of several. */
  async submit(
    body: Uint8Array,
    contentType: "application/cose" | "application/cbor-seq",
  ): Promise<{ ok: true; value: Json } | { ok: false; error: Refusal }> {
    return await this.request("/api/v2/transactions", {
      method: "POST",
      headers: { "content-type": contentType },
      body: Uint8Array.from(body),
    });
  }

  /** Any request with a JSON answer. */
  async request(path: string, init: RequestInit): Promise<{ ok: true; value: Json } | { ok: false; error: Refusal }> {
    const response = await this.#fetch(path, init);
    if (!response.ok) return { ok: false, error: await refusalOf(response) };
    const value: unknown = await response.json();
    return { ok: true, value: isJson(value) ? value : {} };
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#base}${path}`, init);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new CommandFailure(
        `expected a node at ${this.#base}, got: ${error.message}; check that it runs (\`bizra status\`), or name it with --url or --home`,
      );
    }
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // not every refusal on the way is JSON
  }
  const json = isJson(body) ? body : {};
  const code = typeof json["code"] === "string" ? json["code"] : `http${response.status}`;
  const detail = typeof json["detail"] === "string" ? json["detail"] : text.slice(0, 200) || response.statusText;
  return { status: response.status, code, detail, body: json };
}

/** Whether a value is a JSON object. */
export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text field of an answer. */
export function textOf(json: Json, key: string): string {
  const value = json[key];
  if (typeof value !== "string")
    throw new CommandFailure(
      `expected ${key} as text in the node's answer, got ${JSON.stringify(value)}; is it a BIZRA node of this version?`,
    );
  return value;
}

/** A whole number of an answer, given as a number or a decimal string. */
export function wideOf(json: Json, key: string): bigint {
  const value = json[key];
  if ((typeof value === "string" && /^[0-9]+$/.test(value)) || (typeof value === "number" && Number.isSafeInteger(value)))
    return BigInt(value);
  throw new CommandFailure(
    `expected ${key} as a number in the node's answer, got ${JSON.stringify(value)}; is it a BIZRA node of this version?`,
  );
}

/** Path segment of an id. */
export function idPath(id: Uint8Array): string {
  return `/api/v2/transactions/${toHex(id)}`;
}
