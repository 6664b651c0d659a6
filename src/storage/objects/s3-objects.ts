import { checkObjectName, checkObjectPrefix } from "./object-names.ts";
import type { ObjectEntry, ObjectStore } from "./object-store.ts";

/** Names in one answer of an S3 server at most; always asked for, since not every server goes on right after a shorter one. */
const PAGE_MAX = 1_000;

/** Who speaks to an S3 server. Never part of an address that is logged or kept in a configuration file. */
export type S3Credentials = { readonly key: string; readonly secret: string };

/** Objects in a bucket of an S3-compatible server, below an optional prefix. */
export class S3Objects implements ObjectStore {
  readonly kind = "s3";
  readonly #client: Bun.S3Client;
  readonly #prefix: string;

  /** @param url s3://bucket/prefix?endpoint=https://host&region=name; without an endpoint, Amazon's */
  constructor(url: URL, { key, secret }: S3Credentials) {
    const endpoint = url.searchParams.get("endpoint");
    const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.#client = new Bun.S3Client({
      bucket: url.hostname,
      accessKeyId: key,
      secretAccessKey: secret,
      region: url.searchParams.get("region") ?? "us-east-1",
      ...(endpoint === null ? {} : { endpoint }),
    });
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#client.write(this.#prefix + checkObjectName(name), bytes);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await this.#client.file(this.#prefix + checkObjectName(name)).arrayBuffer());
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "NoSuchKey") return undefined;
      throw error;
    }
  }

  async getPart(name: string, from: number, to: number): Promise<Uint8Array | undefined> {
    if (to <= from) return new Uint8Array(0);
    try {
      return new Uint8Array(
        await this.#client
          .file(this.#prefix + checkObjectName(name))
          .slice(from, to)
          .arrayBuffer(),
      );
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "NoSuchKey") return undefined;
      throw error;
    }
  }

  async list(prefix: string, after: string, limit: number): Promise<readonly ObjectEntry[]> {
    const found: ObjectEntry[] = [];
    let startAfter = this.#prefix + after;
    while (found.length < limit) {
      const page = await this.#client.list({
        prefix: this.#prefix + checkObjectPrefix(prefix),
        maxKeys: PAGE_MAX,
        ...(after === "" && found.length === 0 ? {} : { startAfter }),
      });
      const contents = page.contents ?? [];
      found.push(...contents.map(({ key, size }) => ({ name: key.slice(this.#prefix.length), sizeBytes: Number(size ?? 0) })));
      startAfter = contents.at(-1)?.key ?? startAfter;
      if (page.isTruncated !== true || contents.length === 0) break;
    }
    return found.slice(0, limit);
  }

  async delete(name: string): Promise<void> {
    await this.#client.delete(this.#prefix + checkObjectName(name));
  }

  async close(): Promise<void> {}
}
