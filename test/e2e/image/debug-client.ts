import { LineSocket } from "./line-socket.ts";

/** What a command on a box came to: its exit code, and what it printed on both streams (the last 200,000 bytes). */
export type Ran = { readonly code: number; readonly out: string };

type Waiting = { readonly resolve: (ran: Ran) => void; readonly reject: (error: Error) => void };

/** The other end of the root shell that debug images have (image/rootfs/debug-shell.ts). */
export class DebugClient {
  readonly #waiting = new Map<string, Waiting>();
  #socket: LineSocket | undefined;
  #boot: string | undefined;
  #nextId = 1;

  static async open(path: string): Promise<DebugClient> {
    const client = new DebugClient();
    client.#socket = await LineSocket.open(path, (line) => client.#take(line));
    client.#socket.send(""); // a machine that goes on from a snapshot has said it before
    return client;
  }

  /** Names the run of the machine that answers; undefined while none does. */
  get boot(): string | undefined {
    return this.#boot;
  }

  /** Runs a command. Rejects when the machine restarts meanwhile, or says nothing for longer than the command may take. */
  run(command: string, limitMs: number): Promise<Ran> {
    if (this.#socket === undefined || this.#boot === undefined) return Promise.reject(new Error("the machine has no shell yet"));
    const id = String(this.#nextId++);
    const seconds = Math.ceil(limitMs / 1_000);
    this.#socket.send(`${id} ${seconds} ${Buffer.from(command).toString("base64")}`);
    return new Promise((resolve, reject) => {
      // The box's clock may be slower than ours while it is emulated: it is given twice the time.
      const timer = setTimeout(() => this.#settle(id)?.reject(new Error(`no answer after ${2 * limitMs} ms: ${command}`)), 2 * limitMs);
      this.#waiting.set(id, {
        resolve: (ran) => {
          clearTimeout(timer);
          resolve(ran);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** The machine restarts: what was asked is not answered any more. */
  lose(): void {
    this.#boot = undefined;
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(new Error("the machine restarted"));
  }

  close(): void {
    this.lose();
    this.#socket?.close();
  }

  #settle(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #take(line: string): void {
    const [id = "", code = "", output = ""] = line.split(" ");
    if (id === "hello") {
      if (code !== this.#boot) this.lose();
      this.#boot = code;
    } else this.#settle(id)?.resolve({ code: Number(code), out: Buffer.from(output, "base64").toString() });
  }
}
