import { join } from "node:path";
import {
  HardwareWatchdog,
  LinuxPlatform,
  RecentLines,
  SUPERVISOR_TUNING,
  Supervisor,
  type SupervisorTuning,
  Systemd,
} from "../../../appliance/supervisor/index.ts";
import { environmentForChild, findSystemd } from "../../config/index.ts";
import type { Log } from "../../kernel/index.ts";
import { findRunningNode, systemClock, systemEntropy, systemTimers, VERSION } from "../../node/index.ts";
import { programWords } from "../up/supervised-child.ts";
import { hasNode } from "./box-files.ts";
import { ControlDoor, ControlRefused, type ControlRoutes } from "./control.ts";

/** Lines of the node's output that are kept for whoever asks. */
const RECENT_LINES = 200;
/** How often a home without a node is looked at. */
const LOOK_MS = 1_000;
/** Several looks fit into the time after which a node counts as hung. */
const PROBE_MS = 2_000;

/** What a box's main process is told. */
export type BoxOrder = {
  readonly home: string;
  /** Further words of the node's command line. */
  readonly nodeWords: readonly string[];
  /** The board's watchdog, where this process is to keep it. */
  readonly watchdog: string | undefined;
  /** Bounds of supervision that differ from a box's. */
  readonly tuning?: Partial<SupervisorTuning>;
};

/** The main process of a box: keeps its node running and answers commands of this machine. */
export class BoxProcess {
  readonly supervisor: Supervisor;
  readonly #order: BoxOrder;
  readonly #systemd: Systemd;
  readonly #recent = new RecentLines(RECENT_LINES);
  readonly #door: ControlDoor;
  #cancelLook = (): void => {};

  /** Opens what it needs; starts nothing yet. */
  constructor(order: BoxOrder, log: Log, routes: (box: BoxProcess) => ControlRoutes = () => ({})) {
    this.#order = order;
    this.#systemd = new Systemd(findSystemd());
    const platform = new LinuxPlatform({
      words: () => [...programWords(), "node", "--home", order.home, "--exit-with-parent", ...order.nodeWords],
      environment: environmentForChild(),
      findAddress: (pid) => {
        const running = findRunningNode(order.home);
        return running?.pid === pid ? running.http : undefined;
      },
      systemd: this.#systemd,
      hardware: order.watchdog === undefined ? undefined : new HardwareWatchdog(order.watchdog, log),
      recent: this.#recent,
      forward: (bytes) => void process.stdout.write(bytes),
      timers: systemTimers,
    });
    const tuning = { ...SUPERVISOR_TUNING, ...order.tuning };
    const ports = { clock: systemClock, timers: systemTimers, entropy: systemEntropy, log };
    const probeIntervalMs = Math.min(PROBE_MS, tuning.hangMs / 5);
    this.supervisor = new Supervisor({ platform, ...ports, tuning, probeIntervalMs });
    this.#door = ControlDoor.open(order.home, { ...this.#routes(), ...routes(this) });
  }

  /** Starts the node, or waits until the home has one. */
  start(): void {
    if (hasNode(this.#order.home)) {
      this.supervisor.start();
      return;
    }
    this.supervisor.rest();
    this.#cancelLook = systemTimers.after(LOOK_MS, () => this.#lookForNode());
  }

  /** Ends everything in order; resolves when the node has ended or nothing here can end it. */
  async stop(): Promise<void> {
    this.#cancelLook();
    await this.supervisor.stop();
    await this.#door.close();
    this.#systemd.close();
  }

  /** How the box stands. */
  status(): Readonly<Record<string, unknown>> {
    const { phase, detail, pid, restarts, verdict, healthyLooks } = this.supervisor.status;
    const running = pid === undefined ? undefined : findRunningNode(this.#order.home);
    return {
      version: VERSION.version,
      home: this.#order.home,
      hasNode: hasNode(this.#order.home),
      node: {
        phase,
        detail,
        restarts,
        healthyLooks,
        isWorking: verdict?.isWorking ?? false,
        ...(pid === undefined ? {} : { pid }),
        ...(running === undefined ? {} : { http: running.http }),
      },
    };
  }

  /** The last lines that the node printed. */
  get nodeLines(): readonly string[] {
    return this.#recent.lines;
  }

  #lookForNode(): void {
    if (hasNode(this.#order.home)) this.supervisor.start();
    else this.#cancelLook = systemTimers.after(LOOK_MS, () => this.#lookForNode());
  }

  #routes(): ControlRoutes {
    return {
      "GET /status": () => this.status(),
      "GET /node/lines": () => ({ lines: this.nodeLines }),
      "POST /node/restart": () => {
        if (!hasNode(this.#order.home)) {
          const missing = join(this.#order.home, "genesis.json");
          throw new ControlRefused("notProvisioned", `the box belongs to no network yet: there is no ${missing}`);
        }
        this.supervisor.restart();
      },
    };
  }
}
