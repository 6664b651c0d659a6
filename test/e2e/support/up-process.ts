import { existsSync, readFileSync } from "node:fs";
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** The line that `bizra up --json` prints when everything answers. */
export type ReadyLine = {
  readonly ready: boolean;
  readonly network: string;
  readonly genesis: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly http: string;
    readonly mqtt: string;
    readonly home: string;
    readonly pid: number;
  }[];
  readonly aggregator: {
    readonly http: string;
    readonly pid: number;
    readonly console: { readonly user: string; readonly passwordFile: string };
  };
  readonly accounts: readonly { readonly name: string; readonly address: string; readonly key: string }[];
};

/** A running `bizra up --json`. */
export class UpProcess {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly lines: ReadyLine[] = [];
  #notes = "";
  #rest = "";

  /** @param words after `up --json` */
  constructor(words: readonly string[]) {
    this.child = Bun.spawn([BINARY, "up", "--json", ...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: cleanEnvironment(),
    });
    void this.#read(this.child.stdout, (text) => this.#onLines(text));
    void this.#read(this.child.stderr, (text) => {
      this.#notes += text;
    });
  }

  /** What it said to people. */
  get notes(): string {
    return this.#notes;
  }

  /** The ready line with this number, from 0; throws with what it said when it does not come. */
  async line(number: number, limitMs = 120_000): Promise<ReadyLine> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const line = this.lines[number];
      if (line !== undefined) return line;
      if (performance.now() > deadline || this.child.exitCode !== null) {
        throw new Error(`no ready line ${number} (exit code ${this.child.exitCode}): ${this.notes}`);
      }
      await Bun.sleep(10);
    }
  }

  /** Sends a signal and gives the exit code; throws when it goes on. */
  async end(signal: NodeJS.Signals, limitMs = 60_000): Promise<number> {
    this.child.kill(signal);
    const code = await Promise.race([this.child.exited, Bun.sleep(limitMs).then(() => undefined)]);
    if (code === undefined) throw new Error(`up still runs ${limitMs} ms after ${signal}: ${this.notes}`);
    return code;
  }

  /** Ends it and every child that it told of, at once. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    for (const { pid, home } of this.lines.flatMap(({ nodes }) => nodes)) if (isNodeOf(pid, home)) process.kill(pid, "SIGKILL");
  }

  #onLines(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const line = JSON.parse(part) as Partial<ReadyLine>;
      if (line.ready === true) this.lines.push(line as ReadyLine);
      else this.#notes += `${part}\n`;
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }
}

/** Whether a process runs that is the node of this home; another that took its number is not. */
export function isNodeOf(pid: number, home: string): boolean {
  const path = `/proc/${pid}/cmdline`;
  if (!existsSync(path)) return false;
  try {
    return readFileSync(path, "utf8").split("\0").includes(home);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return false;
    throw error; // it ended while being looked at, which is the one thing expected
  }
}

/** Resolves when no node of this home runs under this number any more; throws when one still does after the limit. */
export async function goneFrom(pid: number, home: string, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (isNodeOf(pid, home)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} still runs ${home} after ${limitMs} ms`);
    await Bun.sleep(20);
  }
}
