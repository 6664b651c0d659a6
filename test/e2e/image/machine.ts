import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/node-network.ts";
import { DebugClient, type Ran } from "./debug-client.ts";
import { MachineMonitor, type Reset } from "./machine-monitor.ts";
import { GUEST_PORTS, type MachineOrder, machineWords } from "./machine-words.ts";

/**
 * A box as a virtual machine, emulated in software: slow, but the same everywhere. It may restart itself as often as it likes;
 * its disks and the firmware's variables stay when it is ended, for the next start.
 */
export class Machine {
  /** The serial console's log of this start; earlier ones lie beside it. */
  readonly log: string;
  /** Ports of loopback by the order's names. */
  readonly ports: Readonly<Record<string, number>>;
  readonly startedMs = performance.now();
  readonly #child: Bun.Subprocess;
  readonly #monitor: MachineMonitor;
  readonly #shell: DebugClient;
  readonly #sockets: string;

  private constructor(
    child: Bun.Subprocess,
    open: { readonly monitor: MachineMonitor; readonly shell: DebugClient },
    at: { readonly log: string; readonly sockets: string; readonly ports: Readonly<Record<string, number>> },
  ) {
    this.#child = child;
    this.#monitor = open.monitor;
    this.#shell = open.shell;
    this.log = at.log;
    this.#sockets = at.sockets;
    this.ports = at.ports;
    this.#monitor.onReset(() => this.#shell.lose());
  }

  /** Starts it; resolves when the emulator runs. */
  static async start(order: MachineOrder): Promise<Machine> {
    mkdirSync(order.folder, { recursive: true });
    const starts = readdirSync(order.folder).filter((name) => name.startsWith("console-")).length;
    const log = join(order.folder, `console-${starts + 1}.log`);
    const ports = Object.fromEntries(
      Object.keys({ ...GUEST_PORTS, ...order.ports }).map((name) => [name, order.hostPorts?.[name] ?? freePort()]),
    );
    const sockets = mkdtempSync(join(tmpdir(), "bizra-vm-")); // a socket's path must be short
    const at = { log, monitor: join(sockets, "monitor"), shell: join(sockets, "shell") };
    const child = Bun.spawn({ cmd: [...machineWords(order, ports, at)], stdin: "ignore", stdout: "ignore", stderr: "inherit" });
    try {
      const open = { monitor: await MachineMonitor.open(at.monitor), shell: await DebugClient.open(at.shell) };
      return new Machine(child, open, { log, sockets, ports });
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Where the node answers. */
  get http(): string {
    return this.url("http");
  }

  /** Restarts so far. */
  get resets(): readonly Reset[] {
    return this.#monitor.resets;
  }

  /** Where a named port answers. */
  url(name: string): string {
    const port = this.ports[name];
    if (port === undefined) throw new Error(`the machine has no port ${name}`);
    return `http://127.0.0.1:${port}`;
  }

  /** Waits until something answers on a port as wanted; throws with the end of the console's log when it does not. */
  async answers(
    path: string,
    limitMs: number,
    isWanted: (answer: Response) => boolean | Promise<boolean> = ({ ok }) => ok,
    port = "http",
  ): Promise<Response> {
    const ask = async (): Promise<Response | undefined> => {
      const answer = await fetch(`${this.url(port)}${path}`, { signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
        if (!(error instanceof Error)) throw error;
        return undefined; // nobody there yet
      });
      return answer !== undefined && (await isWanted(answer.clone())) ? answer : undefined;
    };
    return await this.until(`answer ${path} as wanted`, limitMs, ask);
  }

  /** Waits until the console has shown something. */
  async says(words: string, limitMs: number): Promise<void> {
    await this.until(`show "${words}" on its console`, limitMs, () => this.said().includes(words) || undefined);
  }

  /** What the console showed until now. */
  said(): string {
    return existsSync(this.log) ? readFileSync(this.log, "latin1") : "";
  }

  /**
   * Runs a command as root; a debug image alone takes any. Waits for the shell first.
   *
   * @param limitMs after which it is ended; a restart of the machine rejects
   */
  async run(command: string, limitMs = 120_000): Promise<Ran> {
    await this.shellIsThere();
    return await this.#shell.run(command, limitMs);
  }

  /** As `run`, for what must succeed; gives what it printed. */
  async must(command: string, limitMs?: number): Promise<string> {
    const { code, out } = await this.run(command, limitMs);
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${out.slice(-2_000)}`);
    return out.trimEnd();
  }

  /** Waits until the shell answers; gives the name of this run of the system. */
  async shellIsThere(limitMs = 900_000): Promise<string> {
    return await this.until("open its shell", limitMs, () => this.#shell.boot);
  }

  /** Waits until it has restarted that often since its start. */
  async restarts(count: number, limitMs: number): Promise<Reset> {
    return await this.until(`restart ${count} times`, limitMs, () => this.resets[count - 1]);
  }

  /** Waits for something; throws with the end of the console's log when it does not come, or when the machine ends. */
  async until<T>(what: string, limitMs: number, find: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const untilMs = performance.now() + limitMs;
    for (;;) {
      const found = await find();
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || performance.now() >= untilMs)
        throw new Error(`the machine did not ${what} within ${limitMs} ms; its console ends:\n${this.said().slice(-3_000)}`);
      await Bun.sleep(200);
    }
  }

  /** Waits until the system has switched itself off. */
  async ended(limitMs: number): Promise<void> {
    const late = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
    const code = await this.#child.exited;
    clearTimeout(late);
    this.kill();
    if (code !== 0) throw new Error(`the machine did not switch itself off within ${limitMs} ms (${code}):\n${this.said().slice(-3_000)}`);
  }

  /**
   * Keeps everything as it is at this moment, memory too, within its disks and variables, which must be qcow2. Copies of them go on
   * from there (`from` of an order) with the same devices.
   */
  async keepAs(name: string): Promise<void> {
    const said = await this.#monitor.ask("human-monitor-command", { "command-line": `savevm ${name}` });
    if (said !== "") throw new Error(`the emulator could not keep the machine: ${String(said)}`);
  }

  /** Types on the machine's own keyboard, by the emulator's names of keys. */
  async type(keys: readonly string[]): Promise<void> {
    for (const data of keys) await this.#monitor.ask("send-key", { keys: [{ type: "qcode", data }] });
  }

  /** Presses the reset button: the system is not asked. */
  reset(): void {
    this.#monitor.order("system_reset");
  }

  /** Pulls the plug, and resolves when everything has stopped: what it had not flushed may be lost (machine-disk.ts). */
  async cut(): Promise<void> {
    this.kill();
    await this.#child.exited;
  }

  /** Pulls the plug. */
  kill(): void {
    this.#child.kill("SIGKILL");
    this.#shell.close();
    this.#monitor.close();
    rmSync(this.#sockets, { recursive: true, force: true });
  }
}
