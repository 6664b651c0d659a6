import { findHome, NAMED_SETTINGS } from "../../config/index.ts";
import type { Round } from "../../consensus/index.ts";
import { toHex } from "../../kernel/index.ts";
import { createLog } from "../../monitoring/index.ts";
import { openSetup, type RunningNode, StartRefused, startNode, systemClock, takeUpNextKey } from "../../node/index.ts";
import { isStorageError } from "../../storage/index.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, required } from "../command.ts";
import { untilSignal } from "../signals.ts";
import type { Terminal } from "../terminal.ts";

const SETTING_FLAGS: Readonly<Record<string, FlagSpec>> = Object.fromEntries(
  NAMED_SETTINGS.map(({ flag, setting }) => [
    flag,
    { kind: "text", doc: `${setting.doc} Expected: ${setting.expected}.` } satisfies FlagSpec,
  ]),
);

/** `bizra node`: one validator, until a signal. */
export const node: Command = {
  name: "node",
  summary: "Runs one validator on a home until SIGINT or SIGTERM. Every setting of node.toml can be given as a flag.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Home of the node (default: BIZRA_HOME)." },
    "exit-with-parent": { kind: "presence", doc: "Also stops when standard input closes, which it does when a supervisor dies." },
    ...SETTING_FLAGS,
  },
  async run(input, terminal) {
    const home = input.flag("home") ?? findHome() ?? required(input, "home");
    try {
      return await runNode(home, input, terminal);
    } catch (error) {
      if (!(error instanceof StartRefused)) throw error;
      throw new CommandFailure(error.message);
    }
  },
};

async function runNode(home: string, input: CommandInput, terminal: Terminal): Promise<number> {
  const flags = Object.fromEntries(
    NAMED_SETTINGS.flatMap(({ flag }) => (input.flag(flag) === undefined ? [] : [[flag, input.flag(flag) ?? ""]])),
  );
  let passphrase: string | undefined;
  const ask = async (): Promise<string | undefined> => {
    passphrase ??= await terminal.askSecret("Passphrase of the node's keys: ");
    return passphrase;
  };
  let setup = await openSetup(home, flags, ask);
  const log = createLog({
    level: setup.configuration.log.level,
    clock: systemClock,
    destination: process.stdout,
    fields: { node: setup.nodeId },
  });
  const asked = Promise.withResolvers<string>();
  // Whoever gave the flag watches this process and starts it again.
  const supervised = input.has("exit-with-parent") ? { end: (reason: string) => asked.resolve(reason) } : {};
  const controls = { setLogLevel: log.setLevel, ...supervised };
  let running = await startNode(setup, log, controls);
  process.on("uncaughtException", (error) => endAtOnce(error, terminal)); // nothing goes on after what nobody expected
  const stopped = untilSignal(input.has("exit-with-parent"), asked.promise).then((reason) => ({ reason }));
  for (;;) {
    const failed = running.failed.then((error) => ({ error }));
    const rotated = running.rotated.then((floor) => ({ floor }));
    const distrusted = running.distrusted.then((detail) => ({ detail }));
    const enrolled = running.enrolled.then((aggregator) => ({ aggregator }));
    const ended = await Promise.race([stopped, failed, rotated, distrusted, enrolled]);
    if ("error" in ended) return endAtOnce(ended.error, terminal);
    log.info("node.stopping", { reason: reasonOf(ended) });
    const code = await stopInOrder(running, terminal);
    if ("reason" in ended) return code;
    // The same process goes on, at the same address: with the new key, everything that knew the old one closed; or asking the others.
    if ("floor" in ended) takeUpNextKey(home, { epoch: ended.floor.epoch, view: ended.floor.view });
    const renewed = await openSetup(home, { ...flags, "http-listen": running.http.replace(/^http:\/\//, "") }, ask);
    if ("floor" in ended)
      log.info("node.keyRotated", { retired: toHex(setup.validator.publicKey), validator: toHex(renewed.validator.publicKey) });
    running = await startNode(renewed, log, controls);
    setup = renewed;
  }
}

type Ending = { readonly reason: string } | { readonly floor: Round } | { readonly detail: string } | { readonly aggregator: string };

function reasonOf(ended: Ending): string {
  if ("aggregator" in ended) return `it is enrolled at ${ended.aggregator}, and goes on with that`;
  if ("floor" in ended) return "the chain has given this validator its next key";
  return "detail" in ended ? `this home is an older one or a copy: ${ended.detail}` : ended.reason;
}

/** A failure of durable storage or of an invariant: nothing more is signed, answered or written. */
function endAtOnce(error: unknown, terminal: Terminal): never {
  if (isStorageError(error)) {
    // The disk is at fault, not this program: what is on it is whole up to here, and a start goes on from there.
    terminal.note(
      `bizra node: stopped at once, because the disk did not take what must be durable: ${error.message}. Free space or see to the disk, then start it again`,
    );
  } else {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.note(`bizra node: stopped at once, because it can no longer keep its promises: ${detail}`);
  }
  process.exit(1);
}

async function stopInOrder(running: RunningNode, terminal: Terminal): Promise<number> {
  const ended = await Promise.race([running.stop().then(() => undefined), running.failed.then((error) => ({ error }))]);
  return ended ? endAtOnce(ended.error, terminal) : 0;
}
