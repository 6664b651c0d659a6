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
import { keepBallast } from "./ballast.ts";
import { hasNode } from "./box-files.ts";
import { findStorageFaults } from "./conditions.ts";
import { ControlDoor, ControlRefused, type ControlRoutes } from "./control.ts";
import { confirmationOf, finishReset, lossOf, orderReset, type ResetOrder } from "./reset.ts";

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
  readonly home: string;
  readonly #order: BoxOrder;
  readonly #systemd: Systemd;
  readonly #recent = new RecentLines(RECENT_LINES);
  readonly #door: ControlDoor;
  readonly #log: Log;
  #cancelLook = (): void => {};

  /** Opens what it needs; starts nothing yet. */
  constructor(order: BoxOrder, log: Log, routes: ControlRoutes) {
    this.#order = order;
    this.home = order.home;
    this.#log = log;
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
    this.#door = ControlDoor.open(order.home, { ...this.#routes(), ...routes });
  }

  /** Finishes a reset that is ordered, and starts the node or waits until the home has one. */
  start(): void {
    keepBallast(this.home);
    const done = finishReset(this.home);
    if (done !== undefined) this.#log.warn("box.reset", { tier: done });
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

  /** Ends the node, does a reset and starts what is left. Durable from the moment it is taken. */
  async reset(order: ResetOrder): Promise<void> {
    orderReset(this.home, order);
    this.#cancelLook();
    await this.supervisor.stop(false);
    if (this.supervisor.status.pid !== undefined)
      throw new ControlRefused("unkillable", "the node could not be ended; the reset is done at the next start of the machine");
    this.start();
  }

  /** How the box stands. */
  status(): Readonly<Record<string, unknown>> {
    const { phase, detail, pid, restarts, verdict, healthyLooks } = this.supervisor.status;
    const http = this.findHttp();
    return {
      version: VERSION.version,
      home: this.#order.home,
      hasNode: hasNode(this.#order.home),
      faults: findStorageFaults(this.#order.home).map(({ sentence }) => sentence),
      node: {
        phase,
        detail,
        restarts,
        healthyLooks,
        isWorking: verdict?.isWorking ?? false,
        ...(pid === undefined ? {} : { pid }),
        ...(http === undefined ? {} : { http }),
      },
    };
  }

  /** Where the node that runs answers, once it has said so. */
  findHttp(): string | undefined {
    const { pid } = this.supervisor.status;
    const running = findRunningNode(this.#order.home);
    return pid !== undefined && running?.pid === pid ? running.http : undefined;
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
      "POST /reset": async ({ tier, system, confirm }) => {
        if ((tier !== "settings" && tier !== "everything") || typeof system !== "string")
          throw new ControlRefused("malformed", "expected tier settings or everything, and system as a folder");
        const needed = tier === "everything" ? confirmationOf(this.home) : undefined;
        if (needed !== undefined && confirm !== needed) throw new ControlRefused("notConfirmed", lossOf(needed));
        await this.reset({ tier, system });
      },
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
