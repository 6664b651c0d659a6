import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { renderNodeToml } from "../config/index.ts";
import { encodePkcs8Pem, localSigner, type Signer } from "../crypto/index.ts";
import { makeKeyFile } from "../identity/index.ts";
import { type Entropy, toHex } from "../kernel/index.ts";
import { HOME } from "../node/index.ts";
import {
  formatAddress,
  formatGenesis,
  type GenesisDocument,
  genesisHashOf,
  genesisSignBytes,
  proofOfPossessionBytes,
} from "../protocol/index.ts";
import { createHomeJournal, writeNew } from "./home.ts";

/** Base units of every demo account. */
const DEMO_BALANCE = 10n ** 15n;
/** Blocks in an epoch of a demo network, unless it is asked for others. */
export const EPOCH_BLOCKS_DEFAULT = 100_000;
/** Names of the demo accounts that are listed for people and tools. */
const DEMO_ACCOUNTS = ["alice", "bob", "carol", "dave"] as const;
/** The account that the demo's own traffic uses; not listed. */
export const TRAFFIC_ACCOUNT = "traffic";
/**
 * Cost of sealing keys under a passphrase of 256 random bits: guessing it is out of reach at any cost, so the cost is
 * kept low for a quick start.
 */
export const RANDOM_PASSPHRASE_COST = { n: 2 ** 12, r: 8, p: 1 } as const;

/** What `testnet` and `up` lay down. */
export type NetworkFiles = {
  readonly directory: string;
  readonly genesisPath: string;
  readonly genesisHash: Uint8Array;
  readonly homes: readonly string[];
  /** Public keys of the validators, in hex, in the order of the homes. */
  readonly keys: readonly string[];
  readonly accounts: readonly { readonly name: string; readonly address: string; readonly key: string }[];
};

/** What a demo network is made of. */
export type NetworkPlan = {
  readonly directory: string;
  readonly chainName: string;
  readonly validators: number;
  readonly timeMs: number;
  /** Blocks in an epoch. */
  readonly epochBlocks?: number;
  /** Settings for the node.toml of each home, by dotted key; `keys` are all validators' public keys in hex, in the order of the homes. */
  readonly settingsOf: (index: number, keys: readonly string[]) => Readonly<Record<string, string>>;
};

type Box = { readonly name: string; readonly home: string; readonly validator: Signer; readonly owner: Signer };

/**
 * Makes N homes with one genesis, each with its own sealed keys, journal and configuration, and funded demo accounts
 * as unencrypted PEM files. Writes into a fresh directory; an existing file stops it.
 */
export async function createNetwork(plan: NetworkPlan, entropy: Entropy): Promise<NetworkFiles> {
  const { directory } = plan;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const accounts = [...DEMO_ACCOUNTS, TRAFFIC_ACCOUNT].map((name) => createAccount(directory, name, entropy));
  const boxes: Box[] = [];
  for (let i = 0; i < plan.validators; i++) boxes.push(await createBox(join(directory, `node${i}`), `node${i}`, entropy));
  const document = signAll(unsignedGenesis(plan, boxes, accounts), boxes);
  const text = formatGenesis(document);
  const genesisPath = join(directory, HOME.genesis);
  writeNew(genesisPath, text);
  const keys = boxes.map(({ validator }) => toHex(validator.publicKey));
  for (const [index, box] of boxes.entries()) {
    writeNew(join(box.home, HOME.genesis), text);
    const settings = { "keys.passphraseFile": HOME.passphrase, ...plan.settingsOf(index, keys) };
    writeNew(join(box.home, HOME.configuration), renderNodeToml(settings));
    createHomeJournal(box.home, box.validator.publicKey);
  }
  const homes = boxes.map((box) => box.home);
  return {
    directory,
    genesisPath,
    genesisHash: genesisHashOf(document),
    homes,
    keys,
    accounts: accounts.filter((a) => a.name !== TRAFFIC_ACCOUNT),
  };
}

function createAccount(directory: string, name: string, entropy: Entropy): { name: string; address: string; key: string } {
  const seed = entropy.bytes(32);
  const key = join(directory, "accounts", `${name}.pem`);
  writeNew(key, encodePkcs8Pem(seed));
  return { name, address: formatAddress(localSigner(seed).publicKey), key };
}

/** A home's keys, sealed under a random passphrase that only its owner can read; on an appliance that is kept by the hardware. */
async function createBox(home: string, name: string, entropy: Entropy): Promise<Box> {
  const passphrase = toHex(entropy.bytes(32));
  writeNew(join(home, HOME.passphrase), `${passphrase}\n`);
  const validator = await makeKeyFile("validator", passphrase, RANDOM_PASSPHRASE_COST, entropy);
  const identity = await makeKeyFile("identity", passphrase, RANDOM_PASSPHRASE_COST, entropy);
  const owner = await makeKeyFile("account", passphrase, RANDOM_PASSPHRASE_COST, entropy);
  writeNew(join(home, HOME.validatorKey), validator.text);
  writeNew(join(home, HOME.identityKey), identity.text);
  writeNew(join(home, "keys/owner.json"), owner.text);
  return { name, home, validator: validator.signer, owner: owner.signer };
}

function unsignedGenesis(plan: NetworkPlan, boxes: readonly Box[], accounts: readonly { address: string }[]): GenesisDocument {
  return {
    format: "bizra-genesis/1",
    chainName: plan.chainName,
    time: `${new Date(plan.timeMs).toISOString().slice(0, 19)}Z`,
    parameters: {
      minimumFee: "1000",
      maxValidity: "1000000",
      feePolicy: "validators",
      blockBytesMax: 1_048_576,
      blockTransactionsMax: 4_096,
      epochBlocks: plan.epochBlocks ?? EPOCH_BLOCKS_DEFAULT,
      epochMs: 86_400_000,
    },
    accounts: accounts.map(({ address }) => ({ address, balance: DEMO_BALANCE.toString() })),
    validators: boxes.map((box) => ({
      name: box.name,
      publicKey: toHex(box.validator.publicKey),
      owner: formatAddress(box.owner.publicKey),
      stake: "1000000",
      proofOfPossession: toHex(box.validator.sign(proofOfPossessionBytes(box.validator.publicKey, plan.chainName))),
    })),
    signatures: [],
  };
}

function signAll(document: GenesisDocument, boxes: readonly Box[]): GenesisDocument {
  const message = genesisSignBytes(genesisHashOf(document));
  const signatures = boxes.map(({ validator }) => ({ publicKey: toHex(validator.publicKey), signature: toHex(validator.sign(message)) }));
  return { ...document, signatures };
}

/** Settings by which the nodes of one machine find each other: node i listens on loopback at `ports[i]` and dials the others. */
export function meshSettings(index: number, keys: readonly string[], ports: readonly number[]): Readonly<Record<string, string>> {
  const peers = keys.flatMap((key, other) => (other === index ? [] : [`${key}@127.0.0.1:${ports[other]}`]));
  return { "network.listen": `127.0.0.1:${ports[index]}`, ...(peers.length > 0 && { "network.peers": peers.join(",") }) };
}
