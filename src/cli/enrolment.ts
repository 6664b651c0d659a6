import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ENROLMENT_FILES, writeWhole } from "../../sync/agent/index.ts";
import { type Configuration, changeNodeToml, formatFault, loadConfiguration, loadPassphrase, renderNodeToml } from "../config/index.ts";
import type { Signer } from "../crypto/index.ts";
import { parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { toHex } from "../kernel/index.ts";
import { HOME, readGenesisOf, StartRefused } from "../node/index.ts";
import type { Genesis } from "../protocol/index.ts";
import { CommandFailure } from "./command.ts";
import { readText } from "./files.ts";

/** What a home says the node is, as far as an enrolment needs it. */
export type EnrolmentHome = {
  readonly configuration: Configuration;
  readonly identity: Signer;
  readonly nodeId: string;
  readonly genesis: Genesis;
};

/**
 * Reads a home for an enrolment. Nothing in it is changed, since the node may run.
 *
 * @throws CommandFailure naming what is wrong
 */
export async function openEnrolmentHome(home: string, askPassphrase: () => Promise<string | undefined>): Promise<EnrolmentHome> {
  const loaded = loadConfiguration({ home, flags: {} });
  if (!loaded.ok) throw new CommandFailure(loaded.error.map(formatFault).join("\n"));
  const configuration = loaded.value.values;
  const file = parseKeyFile(readText(join(home, HOME.identityKey)));
  if (!file.ok) throw new CommandFailure(`${join(home, HOME.identityKey)}: ${file.error.detail}`);
  const kept = loadPassphrase(home, configuration.keys.passphraseFile);
  if (!kept.ok) throw new CommandFailure(formatFault(kept.error));
  const passphrase = kept.value ?? (await askPassphrase());
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

/**
 * Has the node bring its events to an aggregator, by node.toml: all else that was there stays.
 *
 * @throws CommandFailure when the file could not be changed; then it is as it was
 */
export function setUpSync(home: string, sync: Configuration["sync"], url: string, witnessKey: Uint8Array): void {
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
  const fault = changeSettings(home, values);
  if (fault === undefined) return;
  const wanted = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  throw new CommandFailure(`the node has its certificate, but ${fault}; set there: ${wanted.join(", ")}`);
}

/** Sets values in a home's node.toml, made when there is none; gives why not, and then it is as it was. */
export function changeSettings(home: string, values: Readonly<Record<string, string>>): string | undefined {
  const path = join(home, HOME.configuration);
  const before = readConfiguration(path);
  const after = before === undefined ? renderNodeToml(values) : changeNodeToml(before, values);
  if (after === before) return undefined;
  writeWhole(path, after);
  const loaded = loadConfiguration({ home, flags: {} });
  if (loaded.ok) return undefined;
  if (before !== undefined) writeWhole(path, before);
  return `${path} could not be changed (${loaded.error.map(formatFault).join("; ")})`;
}

function readConfiguration(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
