import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { SUPERVISOR_TUNING } from "../../../appliance/supervisor/index.ts";
import { createLog } from "../../monitoring/index.ts";
import { findRunningNode, systemClock } from "../../node/index.ts";
import { acquireFileLock, isStorageError } from "../../storage/index.ts";
import { BOX, makeBoxFolders } from "../box/box-files.ts";
import { BoxProcess } from "../box/box-process.ts";
import { ControlRefused, type ControlRoutes } from "../box/control.ts";
import { askBox, BOX_HOME_FLAG, boxHomeOf, layPlaceApart, requireBox, SIGNSTATE_FLAG } from "../box/control-client.ts";
import { confirmationOf, finishReset, lossOf, orderReset, type ResetOrder } from "../box/reset.ts";
import { type BoxUpdates, openUpdates, UPDATE_FLAGS, updateRoutes } from "../box/updates.ts";
import { type Command, CommandFailure, type CommandInput, parseCount, UsageError } from "../command.ts";
import { untilSignal } from "../signals.ts";
import { flatten } from "./status.ts";

const SECONDS = (doc: string) => ({ kind: "text", value: "S", doc }) as const;

/** `bizra box run`: the main process of a box. */
export const boxRun: Command = {
  name: "box run",
  summary: "Runs a box until SIGINT or SIGTERM: keeps its node running, tells systemd and watchdogs how it is, answers `bizra box`.",
  flags: {
    ...BOX_HOME_FLAG,
    "node-flag": {
      kind: "text",
      value: "FLAG=VALUE",
      doc: "A setting for the node, such as http-listen=127.0.0.1:0; may be repeated.",
      isRepeatable: true,
    },
    watchdog: { kind: "text", value: "DEVICE", doc: "The board's watchdog, e.g. /dev/watchdog, where systemd does not keep it." },
    "hang-seconds": SECONDS(`After how long without health a node is killed (default ${SUPERVISOR_TUNING.hangMs / 1_000}).`),
    "restarts-max": {
      kind: "text",
      value: "N",
      doc: `Restarts within ten minutes that nobody asked for (default ${SUPERVISOR_TUNING.restartsMax}).`,
    },
    ...SIGNSTATE_FLAG,
    ...UPDATE_FLAGS,
  },
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    layPlaceApart(home, input);
    makeBoxFolders(home);
    const lock = lockBox(home);
    try {
      const log = createLog({ level: "info", clock: systemClock, destination: process.stdout, fields: { box: home } });
      let updates: BoxUpdates | undefined;
      const box = openBox(
        home,
        input,
        log,
        updateRoutes(() => updates),
      );
      try {
        const defect = Promise.withResolvers<never>();
        updates = openUpdates(box, input, log, defect.reject);
        box.start();
        await updates?.updater.start();
        updates?.attendant.start();
        log.info("box.stopping", { reason: await Promise.race([untilSignal(), defect.promise]) });
      } finally {
        updates?.attendant.stop();
        updates?.updater.stop();
        await box.stop();
      }
      if (box.supervisor.status.pid === undefined) return 0;
      terminal.note("bizra box run: the node's process could not be ended; only a restart of the machine ends it (unkillable)");
      return 1;
    } finally {
      lock.release();
    }
  },
};

function openBox(home: string, input: CommandInput, log: ReturnType<typeof createLog>, routes: ControlRoutes): BoxProcess {
  const nodeWords = input.flags("node-flag").flatMap((text) => {
    const [, flag, value] = /^([a-z][a-z0-9-]*)=(.*)$/s.exec(text) ?? [];
    if (flag === undefined || value === undefined) throw new CommandFailure(`expected --node-flag as FLAG=VALUE, got ${text} (malformed)`);
    return [`--${flag}`, value];
  });
  const hang = input.flag("hang-seconds");
  const restarts = input.flag("restarts-max");
  const tuning = {
    ...(hang === undefined ? {} : { hangMs: parseCount(hang, "--hang-seconds", 1, 600) * 1_000 }),
    ...(restarts === undefined ? {} : { restartsMax: parseCount(restarts, "--restarts-max", 0, 1_000) }),
  };
  try {
    return new BoxProcess({ home, nodeWords, watchdog: input.flag("watchdog"), tuning }, log, routes);
  } catch (error) {
    if (!(error instanceof ControlRefused)) throw error;
    throw new CommandFailure(`${error.message} (${error.code})`);
  }
}

/** One main process a home. */
function lockBox(home: string): ReturnType<typeof acquireFileLock> {
  try {
    return acquireFileLock(`${home}/${BOX.lock}`);
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new CommandFailure(`${error.message}; a box runs there already (boxRuns)`);
  }
}

/** `bizra box status`: what the main process says of the box. */
export const boxStatus: Command = {
  name: "box status",
  summary: "Shows how a box of this machine stands: its node, restarts, what is wrong.",
  flags: { ...BOX_HOME_FLAG, lines: { kind: "presence", doc: "Also the last lines that the node printed." } },
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    const status = await requireBox(home, "GET", "/status");
    const { lines } = input.has("lines") ? await requireBox(home, "GET", "/node/lines") : {};
    const said = Array.isArray(lines) ? lines.map(String) : undefined;
    terminal.result({ ...status, ...(said && { lines: said }) }, () => [...flatten(status), ...(said ?? [])].join("\n"));
    return 0;
  },
};

/** `bizra box restart`: a new process of the node. */
export const boxRestart: Command = {
  name: "box restart",
  summary: "Restarts the node of a box of this machine, also after supervision gave up.",
  flags: BOX_HOME_FLAG,
  async run(input, terminal) {
    await requireBox(resolve(boxHomeOf(input)), "POST", "/node/restart");
    terminal.result({ ok: true }, () => "The node is being restarted.");
    return 0;
  },
};

/** `bizra box reset`: a box as it was made, or as it was before it was told anything. */
export const boxReset: Command = {
  name: "box reset",
  summary: "Factory reset: --settings keeps the validator, its keys, what it signed and its chain; --everything keeps nothing.",
  flags: {
    ...BOX_HOME_FLAG,
    settings: { kind: "presence", doc: "Forgets what the box was told: settings, users, provisioning, the aggregator." },
    everything: { kind: "presence", doc: "Also removes keys, signing journal and chain." },
    confirm: { kind: "text", value: "HEX", doc: "The first eight digits of the validator's public key, for --everything." },
    system: { kind: "text", value: "DIR", doc: "Folder of the system's settings, emptied too (default /data/system)." },
  },
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    if (input.has("settings") === input.has("everything")) throw new UsageError("expected either --settings or --everything");
    const tier = input.has("settings") ? "settings" : "everything";
    const system = resolve(input.flag("system") ?? "/data/system");
    const confirm = input.flag("confirm");
    const asked = await askBox(home, "POST", "/reset", { tier, system, ...(confirm && { confirm }) });
    if (asked === undefined) resetStopped(home, { tier, system }, confirm);
    terminal.result({ ok: true, tier }, () =>
      tier === "settings"
        ? "The box has forgotten what it was told; its validator goes on."
        : "The box is as it was made: it has no keys any more.",
    );
    return 0;
  },
};

/** Resets a home that no process has open. */
function resetStopped(home: string, order: ResetOrder, confirm: string | undefined): void {
  if (!existsSync(home)) throw new CommandFailure(`there is no home at ${home} (notFound)`);
  makeBoxFolders(home);
  const box = lockBox(home);
  try {
    const node = findRunningNode(home);
    if (node) throw new CommandFailure(`the node of ${home} runs (process ${node.pid}); stop it first (nodeRuns)`);
    const needed = order.tier === "everything" ? confirmationOf(home) : undefined;
    if (needed !== undefined && confirm !== needed) throw new CommandFailure(`${lossOf(needed)} (notConfirmed)`);
    orderReset(home, order);
    finishReset(home);
  } finally {
    box.release();
  }
}
