import { basename } from "node:path";
import { HOST_ADDRESS } from "./machine-words.ts";

/** A web server of single files with ranges, as an object store is one, that counts what it gives. */
export class FileServer {
  readonly #files = new Map<string, string>();
  readonly #server: Bun.Server<undefined>;
  /** Bytes of answers' bodies since the count was last taken. */
  #bytes = 0;
  #requests = 0;

  constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });
  }

  /** Serves a file under its name; gives the address for a guest. */
  serve(path: string, name = basename(path)): string {
    this.#files.set(`/${name}`, path);
    return `http://${HOST_ADDRESS}:${this.#server.port}/${name}`;
  }

  /** What was asked and given since it was last asked for. */
  takeCount(): { readonly requests: number; readonly bytes: number } {
    const count = { requests: this.#requests, bytes: this.#bytes };
    this.#requests = 0;
    this.#bytes = 0;
    return count;
  }

  async kill(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    this.#requests++;
    const path = this.#files.get(new URL(request.url, "http://localhost").pathname);
    if (path === undefined) return new Response("there is no such file", { status: 404 });
    const file = Bun.file(path);
    const headers = {
      "accept-ranges": "bytes",
      etag: `"${file.size}-${file.lastModified}"`,
      "last-modified": new Date(file.lastModified).toUTCString(),
    };
    if (request.method === "HEAD") return new Response(null, { headers: { ...headers, "content-length": String(file.size) } });
    const [, from, to] = /^bytes=(?=.*\d)(\d*)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
    if (from === undefined || to === undefined) {
      this.#bytes += file.size;
      return new Response(file, { headers });
    }
    const first = from === "" ? Math.max(0, file.size - Number(to)) : Number(from); // bytes=-N are the last N
    const last = from === "" || to === "" ? file.size - 1 : Math.min(Number(to), file.size - 1);
    if (first > last) return new Response(null, { status: 416, headers: { "content-range": `bytes */${file.size}` } });
    this.#bytes += last - first + 1;
    const body = await file.slice(first, last + 1).arrayBuffer();
    return new Response(body, { status: 206, headers: { ...headers, "content-range": `bytes ${first}-${last}/${file.size}` } });
  }
}
