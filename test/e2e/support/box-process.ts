/** The main process of a box, the compiled binary. */
import { join } from "node:path";
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** What `bizra box status --json` says, as far as tests ask. */
export type BoxStatus = {
  readonly hasNode: boolean;
  readonly node: {
    readonly phase: string;
    readonly detail: string;
    readonly restarts: number;
    readonly isWorking: boolean;
    readonly pid?: number;
    readonly http?: string;
  };
};

/** A running box. */
export class BoxUnderTest {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly home: string;
  #output = "";

  /** @param words after `box run --home HOME` */
  constructor(home: string, words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    this.home = home;
    const flags = ["--node-flag", "http-listen=127.0.0.1:0", "--node-flag", "mqtt-listen=127.0.0.1:0", ...words];
    const command = [BINARY, "box", "run", "--home", home, ...flags];
    this.child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(environment) });
    for (const stream of [this.child.stdout, this.child.stderr]) void this.#drain(stream);
  }

  /** Everything it and its node printed. */
  get output(): string {
    return this.#output;
  }

  /** What it says of itself; undefined while it does not answer. By its socket: a process for each look would be what is measured. */
  async status(): Promise<BoxStatus | undefined> {
    return (await this.ask("/status")) as BoxStatus | undefined;
  }

  /** GET of its socket; undefined while it does not answer, or refuses. */
  async ask(path: string): Promise<Record<string, unknown> | undefined> {
    try {
      const answer = await fetch(`http://box${path}`, { unix: join(this.home, "box/control.sock") });
      return answer.ok ? ((await answer.json()) as Record<string, unknown>) : undefined;
    } catch (error) {
      if (!(error instanceof Error)) throw error; // no socket yet, or none any more
      return undefined;
    }
  }

  /** Its status once it is as wanted; throws with all it printed when it does not become so. */
  async until(isWanted: (status: BoxStatus) => boolean, limitMs = 90_000): Promise<BoxStatus> {
    const deadline = performance.now() + limitMs;
    let last: BoxStatus | undefined;
    while (performance.now() < deadline) {
      last = await this.status();
      if (last && isWanted(last)) return last;
      await Bun.sleep(50);
    }
    throw new Error(`the box is not as wanted: ${JSON.stringify(last)}\n${this.output.slice(-3_000)}`);
  }

  /** Asks it to stop and gives the exit code. */
  async stop(limitMs = 60_000): Promise<number> {
    this.child.kill("SIGTERM");
    const code = await Promise.race([this.child.exited, Bun.sleep(limitMs).then(() => undefined)]);
    if (code === undefined) throw new Error(`the box still runs ${limitMs} ms after SIGTERM: ${this.output.slice(-3_000)}`);
    return code;
  }

  /** Ends it at once; its node sees that and ends too. */
  kill(): void {
    this.child.kill("SIGKILL");
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output += decoder.decode(chunk, { stream: true });
  }
}
