import type { CommandActions, CommandOutcome, Telemetry } from "../../appliance/telemetry/index.ts";
import { err, type Log, ok } from "../kernel/index.ts";
import type { LogLevel } from "../monitoring/index.ts";
import { systemTimers } from "./ports.ts";
import { VERSION } from "./version.ts";

/** What whoever runs a node lets the fleet do with its process. */
export type NodeControls = {
  /** Changes the least level that is logged; absent where the log cannot. */
  readonly setLogLevel?: (level: LogLevel) => void;
  /** Ends the node in good order; present only where somebody supervises the process and starts it again. */
  readonly end?: (reason: string) => void;
};

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
/** The answer leaves before the node does. */
const END_AFTER_MS = 250;

/** What each verb of the fleet does at this node. */
export function commandActions(telemetry: Pick<Telemetry, "tellAll" | "requestRebirth">, controls: NodeControls, log: Log): CommandActions {
  const end = (verb: "restart" | "stop"): CommandOutcome => {
    const { end: endNode } = controls;
    if (endNode === undefined) return err("notSupervised");
    systemTimers.after(END_AFTER_MS, () => endNode(`asked to by a signed command: ${verb}`));
    return ok({});
  };
  return {
    ping: () => ok({ version: VERSION.version }),
    report: () => {
      telemetry.tellAll();
      return ok({});
    },
    rebirth: () => ok({ edgeNodes: telemetry.requestRebirth() }),
    logLevel: ({ level, ...others }) => {
      const asked = LEVELS.find((known) => known === level);
      if (asked === undefined || Object.keys(others).length > 0) return err("badArguments");
      if (controls.setLogLevel === undefined) return err("notSupervised");
      controls.setLogLevel(asked);
      log.warn("log.levelChanged", { least: asked });
      return ok({ level: asked });
    },
    restart: () => end("restart"),
    stop: () => end("stop"),
  };
}
