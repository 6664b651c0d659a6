import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, cleanEnvironment } from "./bizra.ts";

const START_LIMIT_MS = 60_000;

/** `bizra box console` on a home, with a folder as its medium. */
export class BoxConsoleProcess {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly medium: string;
  readonly system: string;
  readonly #said: string[] = [];
  http = "";

  private constructor(home: string, place: string) {
    [this.medium, this.system] = [join(place, "medium"), join(place, "system")];
    mkdirSync(this.medium, { recursive: true });
    const words = ["box", "console", "--home", home, "--medium", this.medium, "--system", this.system, "--listen", "127.0.0.1:0", "--json"];
    this.child = Bun.spawn([BINARY, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment() });
    void this.#drain(this.child.stdout);
    void this.#drain(this.child.stderr);
  }

  /** Starts it and waits until its page answers and it has looked at its medium. */
  static async start(home: string, place: string): Promise<BoxConsoleProcess> {
    const box = new BoxConsoleProcess(home, place);
    const endMs = performance.now() + START_LIMIT_MS;
    while (performance.now() < endMs) {
      const found = /\{"urls":\["([^"]+)"/.exec(box.output);
      box.http = found?.[1] ?? "";
      if (box.http !== "" && box.status !== "") return box;
      if (box.child.exitCode !== null) break;
      await Bun.sleep(20);
    }
    throw new Error(`the box's page does not answer: ${box.output}`);
  }

  /** Everything it printed. */
  get output(): string {
    return this.#said.join("");
  }

  /** The text of status.txt; empty before there is one. */
  get status(): string {
    try {
      return readFileSync(join(this.medium, "status.txt"), "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
      throw error;
    }
  }

  /** The one-time code of status.txt. */
  get code(): string {
    return /one-time code: (\S+)/.exec(this.status)?.[1] ?? "";
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

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#said.push(decoder.decode(chunk, { stream: true }));
  }
}
