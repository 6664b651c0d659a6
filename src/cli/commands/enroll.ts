import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ENROLMENT_FILES, enrol, writeWhole } from "../../../sync/agent/index.ts";
import {
  type Configuration,
  changeNodeToml,
  findHome,
  formatFault,
  loadConfiguration,
  loadPassphrase,
  renderNodeToml,
} from "../../config/index.ts";
import { parseKeyFile, unlockKeyFile } from "../../identity/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { findRunningNode, HOME, readGenesisOf, StartRefused, systemEntropy, systemTimers } from "../../node/index.ts";
import type { Genesis } from "../../protocol/index.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import type { Terminal } from "../terminal.ts";

/** `bizra enroll`: gets a node its certificate at an aggregator, and has it bring its events there. */
export const enroll: Command = {
  name: "enroll",
  summary: "Enrols a node at an aggregator: asks for a certificate with a token, waits for the approval, and sets the node up.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Home of the node (default: BIZRA_HOME)." },
    aggregator: { kind: "text", value: "URL", doc: "https://host:port of the aggregator." },
    token: { kind: "text", value: "TOKEN", doc: "What `bizra aggregator claim` printed; or:" },
    "token-file": { kind: "text", value: "FILE", doc: "A file that holds the token, - for standard input." },
    "ca-pin": { kind: "text", value: "SHA256", doc: "Fingerprint of the aggregator's authority, which it prints when it starts." },
  },
  async run(input, terminal) {
    const home = input.flag("home") ?? findHome();
    if (!home) throw new UsageError("expected --home, or BIZRA_HOME, which was not given");
    const url = urlOf(input);
    const pin = parseHex(required(input, "ca-pin").replaceAll(":", ""));
    if (pin?.length !== 32) throw new UsageError(`expected --ca-pin as 64 hex digits, got ${JSON.stringify(input.flag("ca-pin"))}`);
    const token = tokenOf(input);
    const setup = await openHome(home, terminal);
    const { identity, nodeId, genesis } = setup;
    let said = "";
    const enrolled = await enrol(
      { home, node: nodeId, network: genesis.hash, identity, url, token, pin },
      {
        timers: systemTimers,
        entropy: systemEntropy,
        onPending: () => terminal.note(`Waiting for \`bizra aggregator approve ${nodeId}\`; identity ${toHex(identity.publicKey)}`),
        onLost: (reason) => {
          if (said !== reason) terminal.note(`No answer from ${url} (${reason}); trying again`);
          said = reason;
        },
      },
    );
    if (!enrolled.ok) throw new CommandFailure(`${url} refused: ${enrolled.error.code}: ${enrolled.error.detail}`);
    const { notAfterMs, witnessKey } = enrolled.value;
    setUp(home, setup.configuration.sync, url, witnessKey);
    const isRunning = findRunningNode(home) !== undefined;
    const shown = {
      node: nodeId,
      aggregator: url,
      notAfter: new Date(notAfterMs).toISOString(),
      witnessKey: toHex(witnessKey),
      restart: isRunning,
    };
    terminal.result(shown, () =>
      [
        `${nodeId} is enrolled at ${url}; its certificate lasts until ${shown.notAfter} and is renewed by the node`,
        isRunning ? "restart the node, which then brings its events there" : "the node brings its events there from its next start on",
      ].join("\n"),
    );
    return 0;
  },
};

/** What the home says the node is. Nothing in it is changed, since the node may run. */
async function openHome(home: string, terminal: Terminal) {
  const loaded = loadConfiguration({ home, flags: {} });
  if (!loaded.ok) throw new CommandFailure(loaded.error.map(formatFault).join("\n"));
  const configuration = loaded.value.values;
  const file = parseKeyFile(readText(join(home, HOME.identityKey)));
  if (!file.ok) throw new CommandFailure(`${join(home, HOME.identityKey)}: ${file.error.detail}`);
  const kept = loadPassphrase(home, configuration.keys.passphraseFile);
  if (!kept.ok) throw new CommandFailure(formatFault(kept.error));
  const passphrase = kept.value ?? (await terminal.askSecret("Passphrase of the node's keys: "));
  if (!passphrase)
    throw new CommandFailure("expected the passphrase of the node's keys, got none; set BIZRA_PASSPHRASE, or run it on a terminal");
  const identity = await unlockKeyFile(file.value, passphrase);
  if (!identity.ok) throw new CommandFailure(`${join(home, HOME.identityKey)}: ${identity.error.detail}`);
  const nodeId = configuration.node.id || toHex(identity.value.publicKey.subarray(0, 8));
  return { configuration, identity: identity.value, nodeId, genesis: genesisOf(home) };
}

function genesisOf(home: string): Genesis {
  try {
    return readGenesisOf(home).genesis;
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}

/** Writes the settings into node.toml: all that was there stays. */
function setUp(home: string, sync: Configuration["sync"], url: string, witnessKey: Uint8Array): void {
  const known = sync.aggregators.indexOf(url);
  const place = known >= 0 ? known : Math.min(sync.aggregators.length, 1); // two at most: a third takes the second's place
  const aggregators = sync.aggregators.toSpliced(place, 1, url);
  const isPinned = sync.witnessKeys.length > 0 || place === 0;
  const witnessKeys = sync.witnessKeys.toSpliced(place, 1, toHex(witnessKey));
  const values = {
    "sync.aggregators": aggregators.join(","),
    "sync.caFile": ENROLMENT_FILES.authority,
    "sync.certificateFile": ENROLMENT_FILES.bundle,
    "sync.keyFile": ENROLMENT_FILES.bundle,
    ...(isPinned && witnessKeys.length >= aggregators.length ? { "sync.witnessKeys": witnessKeys.join(",") } : {}),
  };
  const path = join(home, HOME.configuration);
  const before = readConfiguration(path);
  writeWhole(path, before === undefined ? renderNodeToml(values) : changeNodeToml(before, values));
  const loaded = loadConfiguration({ home, flags: {} });
  if (loaded.ok) return;
  if (before !== undefined) writeWhole(path, before);
  const wanted = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  throw new CommandFailure(
    `the node has its certificate, but ${path} could not be changed (${loaded.error.map(formatFault).join("; ")}); set there: ${wanted.join(", ")}`,
  );
}

function readConfiguration(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function urlOf(input: CommandInput): string {
  const text = required(input, "aggregator").replace(/\/$/, "");
  if (!/^https:\/\/[^\s@,/]{1,255}$/.test(text))
    throw new UsageError(`expected --aggregator as https://host:port, got ${JSON.stringify(text)}`);
  return text;
}

function tokenOf(input: CommandInput): string {
  const file = input.flag("token-file");
  if ((file === undefined) === (input.flag("token") === undefined)) throw new UsageError("expected one of --token and --token-file");
  return (file === undefined ? required(input, "token") : readText(file)).trim();
}
