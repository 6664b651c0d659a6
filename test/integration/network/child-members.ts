import { join } from "node:path";
import type { Subprocess } from "bun";

/** The program of a member as a process, uncompiled. */
export const MEMBER_PROGRAM = join(import.meta.dir, "member-process.ts");

/** A member in a process of its own. */
export type ChildMember = { readonly child: Subprocess; readonly address: string; readonly webRtc: string };

/** Members in processes of their own, all killed by `killAll`. */
export class ChildMembers {
  readonly #children: Subprocess[] = [];

  /** Starts one, by default on the running Bun; resolves once it listens. */
  async spawn(seed: number, count: number, peers: readonly string[], command = [process.execPath, MEMBER_PROGRAM]): Promise<ChildMember> {
    const child = Bun.spawn([...command, String(seed), String(count), ...peers], { stdout: "pipe", stderr: "inherit" });
    this.#children.push(child);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`member ${seed} ended before it listened`);
      text += value;
      const [, address] = /"address":"([^"]+)"/.exec(text) ?? [];
      if (address === undefined) continue;
      void drain(reader);
      return { child, address, webRtc: /"webRtc":"([^"]*)"/.exec(text)?.[1] ?? "" };
    }
  }

  /** Kills every one that still runs. */
  async killAll(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.splice(0).map(({ exited }) => exited));
  }
}

/** A child whose pipe is full would stop at its next line. */
async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}
