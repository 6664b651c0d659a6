import { resolve } from "node:path";
import { pause, systemTimers } from "../../node/index.ts";
import { BOX_HOME_FLAG, boxHomeOf, requireBox } from "../box/control-client.ts";
import { parseSource } from "../box/updates.ts";
import { isJson } from "../client.ts";
import { type Command, CommandFailure, type CommandInput, UsageError } from "../command.ts";
import type { Terminal } from "../terminal.ts";

const LOOK_MS = 100;

/** `bizra update install`: a release from a file or a URL. */
export const updateInstall: Command = {
  name: "update install",
  summary: "Has a box install a release from a file or URL: checked whole before a slot is touched, restarted when the node can be left.",
  arguments: "FILE|URL",
  positionalsMin: 1,
  flags: {
    ...BOX_HOME_FLAG,
    sha256: { kind: "text", value: "HEX", doc: "SHA-256 that the file must have, where you know it." },
    "no-wait": { kind: "presence", doc: "Returns when the order is taken." },
  },
  async run(input, terminal) {
    const sha256 = input.flag("sha256");
    if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
      throw new UsageError("expected --sha256 as 64 hexadecimal digits in lower case");
    const { file, url } = parseSource(input.positionals[0] ?? "", resolve);
    const home = resolve(boxHomeOf(input));
    await requireBox(home, "POST", "/update/install", { ...(file && { file }), ...(url && { url }), ...(sha256 && { sha256 }) });
    return await follow(home, input, terminal);
  },
};

/** `bizra update check`: what a channel has. */
export const updateCheck: Command = {
  name: "update check",
  summary: "Asks a channel for the newest release for this kind of box, and installs it when asked to.",
  flags: {
    ...BOX_HOME_FLAG,
    channel: { kind: "text", value: "NAME|URL", doc: "stable, beta, or a folder on a web server (default: what the box was told)." },
    install: { kind: "presence", doc: "Installs it." },
    "no-wait": { kind: "presence", doc: "Returns when the order is taken." },
  },
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    const channel = input.flag("channel");
    const order = { ...(channel !== undefined && { channel }), install: input.has("install") };
    const answer = await requireBox(home, "POST", "/update/check", order);
    const offer = isJson(answer["offer"]) ? answer["offer"] : {};
    if (input.has("install")) return await follow(home, input, terminal);
    terminal.result(answer, () => `${String(offer["version"])} can be installed: ${String(offer["url"])}`);
    return 0;
  },
};

/** `bizra update status`: where an update stands. */
export const updateStatus: Command = {
  name: "update status",
  summary: "Shows what a box runs, where an update stands and what it waits for.",
  flags: BOX_HOME_FLAG,
  async run(input, terminal) {
    const status = await requireBox(resolve(boxHomeOf(input)), "GET", "/update");
    terminal.result(status, () => describe(status));
    return 0;
  },
};

/** `bizra update move`: the restart into an installed release, now. */
export const updateMove: Command = {
  name: "update move",
  summary: "Restarts a box into its installed release now, although the node would rather not be left.",
  flags: BOX_HOME_FLAG,
  async run(input, terminal) {
    await requireBox(resolve(boxHomeOf(input)), "POST", "/update/move");
    terminal.result({ ok: true }, () => "The box restarts.");
    return 0;
  },
};

/** `bizra update rollback`: the release before. */
export const updateRollback: Command = {
  name: "update rollback",
  summary: "Takes a box back to the release in its other slot, or calls off one that waits for its restart.",
  flags: BOX_HOME_FLAG,
  async run(input, terminal) {
    await requireBox(resolve(boxHomeOf(input)), "POST", "/update/rollback");
    terminal.result({ ok: true }, () => "The box goes back.");
    return 0;
  },
};

/** Tells of an order's way until the machine is to be restarted, or it was refused. */
async function follow(home: string, input: CommandInput, terminal: Terminal): Promise<number> {
  let told = "";
  for (;;) {
    const status = await requireBox(home, "GET", "/update");
    const row = isJson(status["row"]) ? status["row"] : {};
    const line = describe(status);
    if (line !== told) terminal.note(line);
    told = line;
    const last = isJson(row["last"]) ? row["last"] : undefined;
    if (row["kind"] === "idle") throw new CommandFailure(`${String(last?.["detail"])} (${String(last?.["code"])})`);
    if (input.has("no-wait") || row["kind"] === "rebooting") {
      terminal.result(status, () => line);
      return 0;
    }
    await pause(systemTimers, LOOK_MS);
  }
}

function describe(status: Readonly<Record<string, unknown>>): string {
  const { row, waitsFor, progress, fetched, version } = status;
  const { kind, bundle, version: of, trouble, last } = isJson(row) ? row : {};
  const next = isJson(bundle) ? bundle["version"] : of;
  const why = isJson(trouble) ? trouble : isJson(last) ? last : undefined;
  const share = isJson(progress) ? `, ${String(progress["bytes"])} of ${String(progress["of"] ?? "?")} bytes` : "";
  const brought = isJson(fetched) ? `, ${String(fetched["bytes"])} bytes fetched for ${String(fetched["of"])}` : "";
  const waits = Array.isArray(waitsFor) && waitsFor.length > 0 ? `; waits: ${waitsFor.join("; ")}` : "";
  const release = next === undefined ? "" : ` ${String(next)}`;
  return `runs ${String(version)}; update: ${String(kind)}${release}${share}${brought}${why ? `, ${String(why["detail"])} (${String(why["code"])})` : ""}${waits}`;
}
