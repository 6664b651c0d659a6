import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** A running aggregator. */
export class AggregatorProcess {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #output: string[] = [];
  http = "";

  private constructor(home: string, words: readonly string[], environment: Readonly<Record<string, string>>) {
    const passphrase = join(home, "passphrase");
    if (!existsSync(passphrase)) {
      mkdirSync(home, { recursive: true });
      writeFileSync(passphrase, "a passphrase for tests\n", { mode: 0o600 });
    }
    const all = [BINARY, "aggregator", "--home", home, "--passphrase-file", passphrase, ...words];
    this.child = Bun.spawn(all, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(environment) });
    void this.#drain(this.child.stdout);
    void this.#drain(this.child.stderr);
  }

  /** Starts one and waits until it answers; `environment` goes beside the usual one. */
  static async start(
    home: string,
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<AggregatorProcess> {
    const aggregator = new AggregatorProcess(home, words, environment);
    const endMs = performance.now() + 30_000;
    while (performance.now() < endMs) {
      if (aggregator.child.exitCode !== null)
        throw new Error(`the aggregator ended with ${aggregator.child.exitCode}: ${aggregator.output}`);
      const http = aggregator.#address(home);
      if (http !== undefined && (await isOk(`${http}/readyz`))) {
        aggregator.http = http;
        return aggregator;
      }
      await Bun.sleep(10);
    }
    throw new Error(`the aggregator does not answer: ${aggregator.output}`);
  }

  /** Everything it printed. */
  get output(): string {
    return this.#output.join("");
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  /** Asks it to stop and gives the exit code. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return await this.child.exited;
  }

  #address(home: string): string | undefined {
    const path = join(home, "run.json");
    if (!existsSync(path)) return undefined;
    try {
      const running = JSON.parse(readFileSync(path, "utf8"));
      return running.pid === this.child.pid ? running.http : undefined;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // it is being written
      return undefined;
    }
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output.push(decoder.decode(chunk, { stream: true }));
  }
}

async function isOk(url: string): Promise<boolean> {
  try {
    // whose certificate it is, is for the tests of enrolment
    return (await fetch(url, { tls: { rejectUnauthorized: false } })).ok;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // nobody listens there yet
    return false;
  }
}
