import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Configuration, describeConfiguration, formatFault, loadConfiguration, loadPassphrase } from "../config/index.ts";
import { type Signer, verifyEd25519 } from "../crypto/index.ts";
import { type KeyPurpose, parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { toHex } from "../kernel/index.ts";
import { findValidatorIndex, type Genesis, genesisValidatorSet, type ValidatorSet, validateGenesis } from "../protocol/index.ts";
import { type HomeCustody, judgeHome, openObserverKey, refuseAlone } from "./custody.ts";
import { HOME } from "./home.ts";
import { finishRotation } from "./rotation.ts";
import { StartRefused } from "./start-refused.ts";

/** What a home says a node is, checked: before any database is opened. */
export type NodeSetup = {
  readonly home: string;
  readonly configuration: Configuration;
  readonly genesis: Genesis;
  /** The genesis document as it lies in the home. */
  readonly genesisText: string;
  /** Set of epoch 0. */
  readonly validatorSet: ValidatorSet;
  /** Signs votes and batches: the home's validator key, or an observer's where custody bars that one. */
  readonly validator: Signer;
  /** What custody said of the home's validator key; absent where keys are bound to no hardware. */
  readonly custody?: HomeCustody;
  /** The journal's folder below the home; default the validator key's. */
  readonly journal?: string;
  /** Signs checkpoints of the event log; never votes. */
  readonly identity: Signer;
  /** The passphrase that opened the keys, for whoever examines the home. */
  readonly passphrase: () => string;
  /** The `{node}` of topics and status. */
  readonly nodeId: string;
};

/**
 * Reads configuration, genesis and keys of a home.
 *
 * @param flags settings given on the command line, by flag name
 * @param askPassphrase asks a person when neither environment nor configuration gives a passphrase
 * @param purpose to `examine` is to look at the home's own key and journal even where custody bars them: nothing may be signed
 * @throws StartRefused naming what is wrong, where, and how to mend it
 */
export async function openSetup(
  home: string,
  flags: Readonly<Record<string, string>>,
  askPassphrase: () => Promise<string | undefined>,
  purpose: "run" | "examine" = "run",
): Promise<NodeSetup> {
  if (!existsSync(home))
    throw new StartRefused(
      `expected a home at ${home}, which does not exist; make one with \`bizra testnet\` or \`bizra keys new --home\``,
    );
  finishRotation(home);
  const loaded = loadConfiguration({ home, flags });
  if (!loaded.ok) throw new StartRefused(loaded.error.map(formatFault).join("\n"));
  const configuration = loaded.value.values;
  const { genesis, genesisText } = readGenesisOf(home);
  const set = genesisValidatorSet(genesis);
  if (!set.ok) throw new StartRefused(`${join(home, HOME.genesis)}: its validators form no set (${set.error})`);
  const passphrase = await passphraseOf(home, configuration, askPassphrase);
  const source =
    configuration.keys.passphraseFile === ""
      ? "the passphrase given"
      : `the passphrase in ${join(home, configuration.keys.passphraseFile)}`;
  const validator = await unlock(home, HOME.validatorKey, "validator", passphrase, source);
  const identity = await unlock(home, HOME.identityKey, "identity", passphrase, source);
  const isAlone = set.value.validators.length === 1 && configuration.network.peers.length === 0;
  const isNew = !existsSync(join(home, HOME.chain)); // a chain that exists may have given the validator another key
  if (isAlone && isNew && findValidatorIndex(set.value, validator.publicKey) === undefined) {
    throw new StartRefused(
      `${join(home, HOME.validatorKey)}: the key ${toHex(validator.publicKey)} is not among the validators of ${join(home, HOME.genesis)}; ` +
        "use the home that the genesis was made with, add the key to a new genesis with `bizra genesis add-validator`, or name peers " +
        "(network.peers) to follow the chain as an observer",
    );
  }
  const nodeId = configuration.node.id || toHex(identity.publicKey.subarray(0, 8));
  const custody = judgeHome(home, validator.publicKey, configuration.keys.bindToHardware === "on");
  const bar = custody?.verdict.kind === "barred" ? custody.verdict : undefined;
  const base = { home, configuration, genesis, genesisText, validatorSet: set.value, identity, passphrase: () => passphrase, nodeId };
  const setup = { ...base, ...(custody && { custody }) };
  if (!bar || purpose === "examine") return { ...setup, validator };
  if (isAlone) throw new StartRefused(refuseAlone(bar, home));
  return { ...setup, validator: await openObserverKey(home, passphrase), journal: HOME.observerJournal };
}

/** The effective settings of a home with their sources, for `doctor`. */
export function describeSettings(
  home: string,
): { readonly settings: ReturnType<typeof describeConfiguration> } | { readonly faults: readonly string[] } {
  const loaded = loadConfiguration({ home, flags: {} });
  return loaded.ok ? { settings: describeConfiguration(loaded.value) } : { faults: loaded.error.map(formatFault) };
}

/** The checked genesis of a home. */
export function readGenesisOf(home: string): { readonly genesis: Genesis; readonly genesisText: string } {
  const path = join(home, HOME.genesis);
  if (!existsSync(path)) throw new StartRefused(`expected a genesis document at ${path}, which does not exist; copy the network's there`);
  const genesisText = readFileSync(path, "utf8");
  const { genesis, checks } = validateGenesis(genesisText, verifyEd25519);
  if (genesis) return { genesis, genesisText };
  const faults = checks.filter((c) => c.verdict === "fail").map((c) => `${c.check}: ${c.detail}`);
  throw new StartRefused(
    `${path} is not a valid genesis: ${faults.join("; ")}. Copy the network's document there again; \`bizra genesis validate ${path}\` shows every check`,
  );
}

async function passphraseOf(home: string, configuration: Configuration, ask: () => Promise<string | undefined>): Promise<string> {
  const loaded = loadPassphrase(home, configuration.keys.passphraseFile);
  if (!loaded.ok) throw new StartRefused(formatFault(loaded.error));
  const passphrase = loaded.value ?? (await ask());
  if (passphrase) return passphrase;
  throw new StartRefused(
    "expected the passphrase of the node's keys, got none; set keys.passphraseFile in node.toml or BIZRA_PASSPHRASE, or start it on a terminal",
  );
}

async function unlock(home: string, file: string, purpose: KeyPurpose, passphrase: string, source: string): Promise<Signer> {
  const path = join(home, file);
  if (!existsSync(path))
    throw new StartRefused(
      `expected the ${purpose} key at ${path}, which does not exist; make one with \`bizra keys new --purpose ${purpose} --home ${home}\``,
    );
  const key = parseKeyFile(readFileSync(path, "utf8"));
  if (!key.ok) throw new StartRefused(`${path}: ${key.error.detail}; put the file back from where you keep it, or make a new key`);
  if (key.value.purpose !== purpose) throw new StartRefused(`${path}: expected a key for ${purpose}, got one for ${key.value.purpose}`);
  const signer = await unlockKeyFile(key.value, passphrase);
  if (!signer.ok)
    throw new StartRefused(`${path}: ${signer.error.detail}; check ${source}, or put the key file back from where you keep it`);
  return signer.value;
}
