import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** An answer of the node, its body read as JSON (or undefined when it is none). */
export type Answer = { readonly status: number; readonly headers: Headers; readonly json: Record<string, unknown> };

/** How a node is started when not by the binary alone. */
export type StartOptions = {
  /** Flags after `--home DIR`. */
  readonly words?: readonly string[];
  /** What stands before `node`; default the binary. */
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The home as the node sees it, when that is another path than ours. */
  readonly innerHome?: string;
  readonly readyLimitMs?: number;
};

/** A running node process. */
export class NodeProcess {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** The home as this process sees it. */
  readonly home: string;
  readonly #output: string[] = [];
  readonly #drained: Promise<unknown>;
  readonly #startedMs = performance.now();
  http = "";
  /** From spawn to the first good answer of /readyz. */
  readyMs = 0;

  constructor(home: string, options: StartOptions = {}) {
    this.home = home;
    const words = [...(options.command ?? [BINARY]), "node", "--home", options.innerHome ?? home, ...(options.words ?? [])];
    this.child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(options.environment) });
    this.#drained = Promise.all([this.#drain(this.child.stdout), this.#drain(this.child.stderr)]);
  }

  /** Starts one with these flags and waits until it answers; whoever calls this ends it. */
  static async start(home: string, words: readonly string[] = []): Promise<NodeProcess> {
    const node = new NodeProcess(home, { words });
    await node.ready();
    return node;
  }

  /** Everything it printed. */
  get output(): string {
    return this.#output.join("");
  }

  /** Resolves when /readyz says so; throws with its output when it ends instead. */
  async ready(limitMs = 120_000): Promise<void> {
    await this.#answers("/readyz", limitMs);
    this.readyMs = performance.now() - this.#startedMs;
  }

  /** Resolves when it answers at all, ready or not. */
  async alive(limitMs = 120_000): Promise<void> {
    await this.#answers("/livez", limitMs);
  }

  async #answers(path: string, limitMs: number): Promise<void> {
    const began = performance.now(); // of the question: a node that was started long ago is asked too
    while (performance.now() - began < limitMs) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.#drained;
        throw new NodeEnded(this.child.exitCode ?? -1, this.output);
      }
      const http = this.#address();
      if (http !== undefined && (await isOk(`${http}${path}`))) {
        this.http = http;
        return;
      }
      await Bun.sleep(5);
    }
    throw new Error(`the node is not ready after ${limitMs} ms: ${this.#lastWords}`);
  }

  /** Resolves with the exit code and all output when it has ended by itself; kills it and throws when it has not in time. */
  async ended(limitMs = 120_000): Promise<number> {
    const code = await Promise.race([this.child.exited, Bun.sleep(limitMs).then(() => undefined)]);
    if (code === undefined) {
      await this.kill();
      throw new Error(`the node still runs after ${limitMs} ms: ${this.#lastWords}`);
    }
    await this.#drained;
    return code;
  }

  /** Ends it at once, as a power cut would end the process. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.#drained;
  }

  /** Asks it to stop and gives the exit code. */
  async stop(limitMs = 120_000): Promise<number> {
    this.child.kill("SIGTERM");
    return await this.ended(limitMs);
  }

  /** GET of JSON. */
  async get(path: string): Promise<Record<string, unknown>> {
    return (await this.request(path)).json;
  }

  /** Any request; the body is read as JSON when it is. */
  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${this.http}${path}`, init);
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {} };
  }

  /** Submits COSE bytes. */
  async submit(body: Buffer, contentType = "application/cose", signal?: AbortSignal): Promise<Answer> {
    const init = { method: "POST", headers: { "content-type": contentType }, body: new Uint8Array(body) };
    return await this.request("/api/v2/transactions", signal === undefined ? init : { ...init, signal });
  }

  get #lastWords(): string {
    const lines = this.output.split("\n").filter((line) => !line.includes('"http.request"'));
    return lines.join("\n").slice(-1_500);
  }

  /** Where run.json of this process says that it answers. */
  #address(): string | undefined {
    const path = join(this.home, "run.json");
    if (!existsSync(path)) return undefined;
    try {
      const value = JSON.parse(readFileSync(path, "utf8")) as { pid?: number; http?: string };
      return value.pid === this.child.pid ? value.http : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || (error instanceof Error && "code" in error && error.code === "ENOENT")) return undefined;
      throw error; // a file being written or removed is the only thing expected here
    }
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output.push(decoder.decode(chunk, { stream: true }));
  }
}

/** A node ended where it was expected to run. */
export class NodeEnded extends Error {
  override readonly name = "NodeEnded";
  readonly code: number;
  readonly output: string;

  constructor(code: number, output: string) {
    super(`the node ended with ${code}: ${output}`);
    this.code = code;
    this.output = output;
  }
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // a refused connection: not listening yet
    return false;
  }
}
