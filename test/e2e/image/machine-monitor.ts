import { LineSocket } from "./line-socket.ts";

/** A restart of the machine as the emulator saw it. */
export type Reset = {
  /** When, on performance.now()'s clock. */
  readonly atMs: number;
  /** The emulator's word for it: "guest-reset" where the system asked for it, "watchdog" where the hardware's patience ended. */
  readonly reason: string;
};

type Said = {
  readonly event?: string;
  readonly data?: { readonly reason?: string };
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
};

/**
 * What the emulator tells of a machine over its monitor (QMP).
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html
 */
export class MachineMonitor {
  readonly resets: Reset[] = [];
  readonly #listeners: (() => void)[] = [];
  #socket: LineSocket | undefined;
  readonly #waiting = new Map<number, (said: Said) => void>();
  #isWatchdog = false;
  #nextId = 1;

  /** Connects to a machine that starts. */
  static async open(path: string): Promise<MachineMonitor> {
    const monitor = new MachineMonitor();
    monitor.#socket = await LineSocket.open(path, (line) => monitor.#take(line));
    monitor.#socket.send(JSON.stringify({ execute: "qmp_capabilities" }));
    return monitor;
  }

  /** Calls back at each restart. */
  onReset(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Gives the emulator an order without waiting, such as "system_reset", the button on the box. */
  order(command: string): void {
    this.#socket?.send(JSON.stringify({ execute: command }));
  }

  /** Gives an order and waits for the answer; rejects with what the emulator says against it. */
  async ask(command: string, words: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#nextId++;
    this.#socket?.send(JSON.stringify({ execute: command, arguments: words, id }));
    const said = await new Promise<Said>((resolve) => this.#waiting.set(id, resolve));
    if (said.error !== undefined) throw new Error(`the emulator refused ${command}: ${said.error.desc}`);
    return said.return;
  }

  close(): void {
    this.#socket?.close();
  }

  #take(line: string): void {
    const said = JSON.parse(line) as Said;
    if (said.id !== undefined) this.#waiting.get(said.id)?.(said);
    if (said.event === "WATCHDOG") this.#isWatchdog = true; // the reset that it causes follows
    if (said.event !== "RESET") return;
    this.resets.push({ atMs: performance.now(), reason: this.#isWatchdog ? "watchdog" : (said.data?.reason ?? "unknown") });
    this.#isWatchdog = false;
    for (const listener of this.#listeners) listener();
  }
}
