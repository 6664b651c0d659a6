import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  asciiOf,
  type BoxNode,
  type EnrolmentOutcome,
  fingerprintOf,
  type ProvisionDocument,
  type PublicKeys,
} from "../../../appliance/provisioning/index.ts";
import { ENROLMENT_FILES, readBundle, writeWhole } from "../../../sync/agent/index.ts";
import { loadConfiguration } from "../../config/index.ts";
import { verifyEd25519 } from "../../crypto/index.ts";
import { makeKeyFile, parseKeyFile } from "../../identity/index.ts";
import { type Log, parseHex, present, toHex } from "../../kernel/index.ts";
import { bindNewKey, changeSettings, enrolHome, HOME, isEnrolledAt, systemEntropy, systemTimers } from "../../node/index.ts";
import { findValidatorIndex, genesisValidatorSet, validateGenesis } from "../../protocol/index.ts";
import { CommandFailure } from "../command.ts";
import { openEnrolmentHome } from "../enrolment.ts";
import { createHomeJournal } from "../home.ts";
import { RANDOM_PASSPHRASE_COST } from "../network-files.ts";
import { FIRST_SETTINGS } from "./box-files.ts";
import { askBox } from "./control-client.ts";
import { emptyPlace } from "./reset.ts";

/** Where the console keeps its administrator's password, hashed, below the node's home. */
export const CONSOLE_FILE = "box/console.json";

/** The node of a home, as provisioning needs it. */
export class ProvisionedNode implements BoxNode {
  readonly #home: string;
  readonly #log: Log;

  constructor(home: string, log: Log) {
    this.#home = home;
    this.#log = log;
  }

  /**
   * The validator's key file comes last: while there is none nothing has signed with the key, so what a power cut left of
   * its journal, and of what binds it to this machine, is made anew.
   */
  async makeKeys(): Promise<PublicKeys> {
    const at = (name: string): string => join(this.#home, name);
    if (!existsSync(at(HOME.validatorKey))) {
      if (!existsSync(at(HOME.passphrase))) writeWhole(at(HOME.passphrase), `${toHex(systemEntropy.bytes(32))}\n`);
      const passphrase = readFileSync(at(HOME.passphrase), "utf8").trim();
      const make = (purpose: "identity" | "validator") => makeKeyFile(purpose, passphrase, RANDOM_PASSPHRASE_COST, systemEntropy);
      if (!existsSync(at(HOME.identityKey))) writeWhole(at(HOME.identityKey), (await make("identity")).text);
      if (!existsSync(at(HOME.configuration))) this.#change(FIRST_SETTINGS);
      const validator = await make("validator");
      for (const name of [HOME.journal, HOME.custody]) emptyPlace(at(name));
      createHomeJournal(this.#home, validator.signer.publicKey);
      bindNewKey(this.#home, validator.signer);
      writeWhole(at(HOME.validatorKey), validator.text);
    }
    return present(this.publicKeys(), "a box whose keys were made has them");
  }

  publicKeys(): PublicKeys | undefined {
    const [validator, identity] = [HOME.validatorKey, HOME.identityKey].map((name) => this.#publicKeyIn(join(this.#home, name)));
    if (validator === undefined || identity === undefined) return undefined;
    const loaded = loadConfiguration({ home: this.#home, flags: {} });
    const named = loaded.ok ? loaded.value.values.node.id : "";
    return { validator, identity, node: named || identity.slice(0, 16) };
  }

  checkChain({ chain }: ProvisionDocument, genesisText: string | undefined): readonly string[] {
    const { peers } = chain;
    const own = join(this.#home, HOME.genesis);
    const hasOwn = existsSync(own);
    const text = hasOwn ? readFileSync(own, "utf8") : genesisText;
    if (text === undefined)
      return [
        "chain.genesis: expected the genesis document as a file genesis.json beside provision.json, got none; copy the network's there.",
      ];
    const { genesis, checks } = validateGenesis(text, verifyEd25519);
    if (!genesis) {
      const faults = checks.filter(({ verdict }) => verdict === "fail").map(({ check, detail }) => `${check}: ${detail}`);
      return [
        asciiOf(`genesis.json: expected a valid genesis document, got faults: ${faults.join("; ")}; copy the network's there again.`),
      ];
    }
    const hash = toHex(genesis.hash);
    if (hash !== chain.genesis)
      return [
        hasOwn
          ? `chain.genesis: expected ${hash}, the chain that this box belongs to, got ${chain.genesis}; only a factory reset lets it join another.`
          : `chain.genesis: expected ${hash}, which is the hash of genesis.json here, got ${chain.genesis}; correct the hash, or copy the right document.`,
      ];
    const set = genesisValidatorSet(genesis);
    const key = parseHex(this.publicKeys()?.validator ?? "");
    const isValidator = set.ok && key !== undefined && findValidatorIndex(set.value, key) !== undefined;
    if (chain.role === "observer" && isValidator)
      return ['chain.role: expected "validator", since this box\'s key is among the validators of the genesis, got "observer".'];
    if (!isValidator && peers === undefined && genesis.validators.length === 1)
      return [
        "chain.peers: expected nodes to connect to, since the chain's one validator is another box, got nothing; the field is missing.",
      ];
    return [];
  }

  apply({ chain }: ProvisionDocument, genesisText: string | undefined): void {
    const hasChanged = this.#change(chain.peers ? { "network.peers": chain.peers.join(",") } : {});
    const path = join(this.#home, HOME.genesis);
    if (!existsSync(path))
      writeWhole(path, present(genesisText, "a plan is taken with the genesis of its chain")); // last: with it the node starts
    else if (hasChanged) this.#restartNode();
  }

  async enrol(plan: ProvisionDocument, signal: AbortSignal, onRemark: (sentence: string) => void): Promise<EnrolmentOutcome> {
    const { url, caPin } = present(plan.aggregator, "a plan without an aggregator is not enrolled");
    if (isEnrolledAt(this.#home, url, caPin)) {
      rmSync(join(this.#home, ENROLMENT_FILES.request), { force: true }); // left by a power cut right after the certificate
      return { kind: "done" };
    }
    const token = present(plan.token, "a plan for an aggregator that the box is not enrolled at has its token");
    const { identity, nodeId, genesis } = await openEnrolmentHome(this.#home, async () => undefined);
    const pin = present(parseHex(caPin), "a pin was judged as hex");
    const enrolled = await enrolHome(
      { home: this.#home, node: nodeId, network: genesis.hash, identity, url, token, pin },
      {
        timers: systemTimers,
        signal,
        entropy: systemEntropy,
        onPending: () =>
          onRemark(
            `it waits for somebody to run \`bizra aggregator approve ${nodeId}\`; the identity's fingerprint is ${fingerprintOf(toHex(identity.publicKey))}.`,
          ),
        onLost: (reason) => onRemark(`nobody answers there (${reason}); it is tried again and again.`),
      },
    );
    if (!enrolled.ok && enrolled.error.code === "settings") throw settingsRefused(enrolled.error.detail);
    if (!enrolled.ok) return { kind: "refused", sentence: asciiOf(`${enrolled.error.code}: ${enrolled.error.detail}.`) };
    this.#restartNode();
    return { kind: "done" };
  }

  enrolledAt(): string | undefined {
    const loaded = loadConfiguration({ home: this.#home, flags: {} });
    const hasCertificate = readBundle(join(this.#home, ENROLMENT_FILES.bundle)) !== undefined;
    return loaded.ok && hasCertificate ? loaded.value.values.sync.aggregators[0] : undefined;
  }

  hasPassword(): boolean {
    return existsSync(join(this.#home, CONSOLE_FILE));
  }

  #change(values: Readonly<Record<string, string>>): boolean {
    const path = join(this.#home, HOME.configuration);
    const before = existsSync(path) ? readFileSync(path, "utf8") : undefined;
    const fault = changeSettings(this.#home, values);
    if (fault !== undefined) throw settingsRefused(fault);
    return before !== readFileSync(path, "utf8");
  }

  #publicKeyIn(path: string): string | undefined {
    if (!existsSync(path)) return undefined;
    const file = parseKeyFile(readFileSync(path, "utf8"));
    return file.ok ? toHex(file.value.publicKey) : undefined;
  }

  /** A node that runs takes its settings up by a new process; without a supervisor it is left to whoever started it. */
  #restartNode(): void {
    void askBox(this.#home, "POST", "/node/restart").catch((error: unknown) => {
      if (!(error instanceof CommandFailure)) throw error;
      this.#log.warn("provisioning.nodeNotRestarted", { detail: error.message });
    });
  }
}

/** node.toml could not be changed: told, and tried again. */
function settingsRefused(fault: string): Error {
  return Object.assign(new Error(fault), { code: "settingsRefused" });
}
