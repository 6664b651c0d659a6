import { checkObjectName, checkObjectPrefix } from "./object-names.ts";
import type { ObjectEntry, ObjectStore } from "./object-store.ts";

/** Path of the objects at an aggregator. */
export const OBJECTS_PATH = "/objects/v1";

/** Bytes of one object at an aggregator at most: a part of a snapshot and what its encryption adds. */
export const HTTP_OBJECT_BYTES_MAX = 8 * 1_024 * 1_024;

/** What proves who asks: PEM texts for TLS, or the name and password of a user of its console. */
export type HttpCredentials = {
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly user?: { readonly name: string; readonly password: string };
};

/** An aggregator did not do what was asked; the message says what it answered. */
export class ObjectsRefused extends Error {
  override readonly name = "ObjectsRefused";
  readonly code = "http";
}

/** Objects that an aggregator keeps: a node's own below its prefix, and for an admin those of all. */
export class HttpObjects implements ObjectStore {
  readonly kind = "aggregator";
  readonly #url: string;
  readonly #credentials: () => HttpCredentials;

  /**
   * @param url https://host:port, or http:// on loopback
   * @param credentials asked for at each request, since a certificate is renewed
   */
  constructor(url: URL, credentials: () => HttpCredentials) {
    this.#url = `${url.origin}${OBJECTS_PATH}`;
    this.#credentials = credentials;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#ask("PUT", `/object/${checkObjectName(name)}`, bytes);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const answer = await this.#ask("GET", `/object/${checkObjectName(name)}`);
    return answer.status === 404 ? undefined : new Uint8Array(await answer.arrayBuffer());
  }

  /** An aggregator gives objects of nodes whole, since they are small. */
  async getPart(name: string, from: number, to: number): Promise<Uint8Array | undefined> {
    return (await this.get(name))?.slice(from, to);
  }

  async list(prefix: string, after: string, limit: number): Promise<readonly ObjectEntry[]> {
    const query = new URLSearchParams({ prefix: checkObjectPrefix(prefix), after, limit: String(limit) });
    const answer: unknown = await (await this.#ask("GET", `/list?${query}`)).json();
    if (typeof answer !== "object" || answer === null || !("objects" in answer) || !Array.isArray(answer.objects))
      throw new ObjectsRefused("expected a list of objects, got something else");
    return answer.objects.map(entryOf);
  }

  async delete(name: string): Promise<void> {
    await this.#ask("DELETE", `/object/${checkObjectName(name)}`);
  }

  async close(): Promise<void> {}

  /** The answer, when it is what was asked for or says that there is no such object. */
  async #ask(method: string, path: string, body?: Uint8Array): Promise<Response> {
    const { tls, user } = this.#credentials();
    const headers = user && { authorization: `Basic ${Buffer.from(`${user.name}:${user.password}`).toString("base64")}` };
    const answer = await fetch(this.#url + path, {
      method,
      redirect: "error",
      ...(headers && { headers }),
      ...(body && { body: new Blob([new Uint8Array(body)]) }),
      ...(tls && { tls }),
    });
    if (answer.ok || (answer.status === 404 && path.startsWith("/object/"))) return answer;
    const detail = (await answer.text()).slice(0, 300);
    throw new ObjectsRefused(`${method} ${path.split("?")[0]} was answered with ${answer.status}: ${detail}`);
  }
}

function entryOf(value: unknown): ObjectEntry {
  if (typeof value === "object" && value !== null && "name" in value && "sizeBytes" in value) {
    const { name, sizeBytes } = value;
    if (typeof name === "string" && typeof sizeBytes === "number") return { name: checkObjectName(name), sizeBytes };
  }
  throw new ObjectsRefused("expected an object's name and size, got something else");
}
