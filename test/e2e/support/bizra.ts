/** Runs the compiled binary as its user would. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The compiled binary. */
export const BINARY = resolve(import.meta.dir, "../../../dist/bizra");
if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: run \`bun run build\` first`);

/** An empty directory of its own; removed by the function that comes with it. */
export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "bizra-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What a finished command printed. */
export type Finished = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a command to its end. */
export async function bizra(...words: readonly string[]): Promise<Finished> {
  const child = Bun.spawn([BINARY, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out, err };
}

/** As `bizra`, parsing the single JSON line it prints; throws with what it said when it fails. */
export async function bizraJson(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await bizra(...words, "--json");
  if (code !== 0) throw new Error(`bizra ${words.join(" ")} failed with ${code}: ${err}${out}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

/** Demo network made by `bizra testnet`. */
export type Testnet = {
  readonly genesis: string;
  readonly hash: Buffer;
  readonly homes: readonly string[];
  readonly accounts: Readonly<Record<string, string>>;
};

/** Makes homes under a directory. */
export async function makeTestnet(directory: string, validators = 1): Promise<Testnet> {
  const made = (await bizraJson("testnet", "--validators", String(validators), "--out", directory)) as {
    genesis: string;
    hash: string;
    homes: string[];
    accounts: { name: string; key: string }[];
  };
  const accounts = Object.fromEntries(made.accounts.map((a) => [a.name, a.key]));
  return { genesis: made.genesis, hash: Buffer.from(made.hash, "hex"), homes: made.homes, accounts };
}

/** A running node process. */
export class NodeProcess {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly home: string;
  readonly #output: string[] = [];
  readonly #drained: Promise<unknown>;
  http = "";

  constructor(home: string, words: readonly string[] = [], command: readonly string[] = [BINARY]) {
    this.home = home;
    this.child = Bun.spawn([...command, "node", "--home", home, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    this.#drained = Promise.all([this.#drain(this.child.stdout), this.#drain(this.child.stderr)]);
  }

  /** Everything it printed. */
  get output(): string {
    return this.#output.join("");
  }

  /** Starts one and waits until it answers. */
  static async start(home: string, words: readonly string[] = [], command?: readonly string[]): Promise<NodeProcess> {
    const node = new NodeProcess(home, words, command);
    await node.ready();
    return node;
  }

  /** Resolves when /readyz says so; throws with its output when it ends instead. */
  async ready(limitMs = 30_000): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      if (this.child.exitCode !== null) {
        await this.#drained;
        throw new Error(`the node ended with ${this.child.exitCode}: ${this.output}`);
      }
      const run = Bun.file(join(this.home, "run.json"));
      if (await run.exists()) {
        const value = (await run.json().catch(() => undefined)) as { pid: number; http: string } | undefined;
        if (
          value?.pid === this.child.pid &&
          (await fetch(`${value.http}/readyz`).then(
            (r) => r.ok,
            () => false,
          ))
        ) {
          this.http = value.http;
          return;
        }
      }
      await Bun.sleep(10);
    }
    throw new Error(`the node does not answer after ${limitMs} ms: ${this.output}`);
  }

  /** Ends it at once, as a power cut would end the process. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.#drained;
  }

  /** Asks it to stop and gives the exit code. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    const code = await this.child.exited;
    await this.#drained;
    return code;
  }

  /** GET of JSON. */
  async get(path: string): Promise<Record<string, unknown>> {
    return (await (await fetch(`${this.http}${path}`)).json()) as Record<string, unknown>;
  }

  /** Submits COSE bytes. */
  async submit(body: Buffer, contentType = "application/cose"): Promise<{ status: number; json: Record<string, unknown> }> {
    const response = await fetch(`${this.http}/api/v2/transactions`, {
      method: "POST",
      headers: { "content-type": contentType },
      body: new Uint8Array(body),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output.push(decoder.decode(chunk, { stream: true }));
  }
}
