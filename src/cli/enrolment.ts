import { join } from "node:path";
import { formatFault, loadConfiguration, loadPassphrase } from "../config/index.ts";
import type { Signer } from "../crypto/index.ts";
import { parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { toHex } from "../kernel/index.ts";
import { HOME, readGenesisOf, StartRefused } from "../node/index.ts";
import type { Genesis } from "../protocol/index.ts";
import { CommandFailure } from "./command.ts";
import { readText } from "./files.ts";

/** What a home says the node is, as far as an enrolment needs it. */
export type EnrolmentHome = {
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
  return { identity: identity.value, nodeId, genesis: genesisOf(home) };
}

function genesisOf(home: string): Genesis {
  try {
    return readGenesisOf(home).genesis;
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}
