import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeProcess, type StartOptions } from "./node-process.ts";

/** Something that runs and can be ended at once. */
export type Endable = { kill(): unknown };

/** Processes and folders that a test run which is cut short would leave behind. */
const left = new Set<() => void>();

function leaveNothing(): void {
  for (const remove of left) remove();
  left.clear();
}

process.on("exit", leaveNothing);
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, () => {
    leaveNothing();
    process.exit(code);
  });
}

/** What one test file makes on this machine: a folder and processes, ended and removed together whatever happened. */
export class Workplace {
  readonly path: string;
  readonly #running = new Set<Endable>();
  readonly #remove: () => void;
  #copies = 0;

  /** @param parent where the folder is made; default the system's place for temporary files */
  constructor(parent = tmpdir()) {
    this.path = mkdtempSync(join(parent, "bizra-e2e-"));
    this.#remove = () => {
      for (const item of this.#running) void item.kill();
      rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }); // a process that dies may still write
    };
    left.add(this.#remove);
  }

  /** A path inside. */
  at(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Sees to it that something running is ended with the rest. */
  keep<T extends Endable>(item: T): T {
    this.#running.add(item);
    return item;
  }

  /** Starts a node and waits until it answers. */
  async start(home: string, options: StartOptions = {}): Promise<NodeProcess> {
    const node = this.launch(home, options);
    await node.ready(options.readyLimitMs);
    return node;
  }

  /** Starts a node without waiting. */
  launch(home: string, options: StartOptions = {}): NodeProcess {
    const node = this.keep(new NodeProcess(home, options));
    void node.child.exited.then(() => this.#running.delete(node));
    return node;
  }

  /** A copy of a home to do harm to. */
  copyOf(home: string): string {
    const copy = this.at(`copy-${this.#copies++}`);
    cpSync(home, copy, { recursive: true });
    return copy;
  }

  /** Ends what runs and removes what was made. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map(async (item) => item.kill()));
    this.#remove();
    left.delete(this.#remove);
  }
}
