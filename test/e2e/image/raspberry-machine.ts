import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What an emulated Raspberry Pi 3 is started with. Its own firmware is not emulated: U-Boot is where it begins. */
export type RaspberryOrder = {
  /** U-Boot, as the firmware would load it from the card. */
  readonly loader: string;
  /** The board's description, which the firmware would hand on. */
  readonly tree: string;
  /** The card, a raw image whose size is a power of two. */
  readonly card: string;
  /** Folder for its logs; made if need be. */
  readonly folder: string;
};

/** A Raspberry Pi emulated in software, with a card and without a network, which the emulator has none of. */
export class RaspberryMachine {
  readonly #logs: readonly string[];
  readonly #child: Bun.Subprocess;

  private constructor(child: Bun.Subprocess, logs: readonly string[]) {
    this.#child = child;
    this.#logs = logs;
  }

  /** Starts it; resolves at once. */
  static start({ folder, ...order }: RaspberryOrder): RaspberryMachine {
    mkdirSync(folder, { recursive: true });
    const logs = ["console-0.log", "console-1.log"].map((name) => join(folder, name));
    for (const log of logs) closeSync(openSync(log, "w"));
    const child = Bun.spawn({ cmd: [...wordsOf(order, logs)], stdin: "ignore", stdout: "ignore", stderr: "inherit" });
    return new RaspberryMachine(child, logs);
  }

  /** What both serial ports said until now. */
  said(): string {
    return this.#logs.map((log) => (existsSync(log) ? readFileSync(log, "latin1") : "")).join("\n");
  }

  /** Waits until a serial port has shown something; throws with the end of what they showed when it does not come. */
  async says(words: string, limitMs: number): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (!this.said().includes(words)) {
      if (this.#child.exitCode !== null || performance.now() >= untilMs)
        throw new Error(`the Raspberry Pi did not show "${words}" within ${limitMs} ms; its ports end:\n${this.said().slice(-3_000)}`);
      await Bun.sleep(300);
    }
  }

  /** Pulls the plug. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** The emulator's command line: 1 GB of memory and four cores, as a Raspberry Pi 3 has. */
function wordsOf({ loader, tree, card }: Omit<RaspberryOrder, "folder">, logs: readonly string[]): readonly string[] {
  return [
    ...["qemu-system-aarch64", "-machine", "raspi3b", "-accel", "tcg,thread=multi"],
    ...["-nodefaults", "-display", "none", "-no-user-config", ...logs.flatMap((log) => ["-serial", `file:${log}`])],
    ...["-kernel", loader, "-dtb", tree, "-drive", `file=${card},format=raw,if=sd,cache=unsafe`],
  ];
}
