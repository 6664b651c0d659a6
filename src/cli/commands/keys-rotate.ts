import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatFault, loadConfiguration, loadPassphrase } from "../../config/index.ts";
import { SCRYPT_COST_DEFAULT, type Signer } from "../../crypto/index.ts";
import { makeKeyFile, parseKeyFile, unlockKeyFile } from "../../identity/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { findNextKey, findRunningNode, HOME, layNextKey, systemEntropy, systemTimers, validatorKeyOf } from "../../node/index.ts";
import { parseAddress, validatorKeyProofBytes } from "../../protocol/index.ts";
import { isJson, type Json, NodeClient, textOf, wideOf } from "../client.ts";
import { type Command, CommandFailure, type CommandInput, parseCount, required } from "../command.ts";
import { SIGN_FLAGS, signAndSubmit } from "../submit.ts";
import type { Terminal } from "../terminal.ts";

const LOOK_MS = 200;

/**
 * `bizra keys rotate`: gives the validator of a running home a new signing key, guided from the key to its first vote. The
 * new key and its journal are made on the box, the owner signs, and the node takes the key up at the epoch's boundary.
 */
export const keysRotate: Command = {
  name: "keys rotate",
  summary: "Gives the validator of a running home a new signing key: makes it, has its owner sign, and waits until it signs.",
  flags: {
    ...SIGN_FLAGS,
    home: { kind: "text", value: "DIR", doc: "Home of the running node." },
    key: { kind: "text", value: "FILE", doc: "The owner's key; without it, prints what the owner runs elsewhere." },
    epoch: { kind: "text", value: "N", doc: "First epoch in which the new key signs (default: the next)." },
    "no-wait": { kind: "presence", doc: "Ends once the rotation is final; the node takes the key up by itself." },
  },
  async run(input, terminal) {
    const home = required(input, "home");
    const client = NodeClient.of(input);
    const status = await client.get("/api/v2/status");
    // Where custody bars the home's key the node runs with another one: the home says which validator is meant.
    const current = validatorKeyOf(home);
    const validator = await client.get(`/api/v2/validators/${current ? toHex(current) : textOf(status, "validator")}`);
    const next = await nextSigner(home, terminal);
    const order = orderOf(input, status, validator, next);
    if (input.flag("key") === undefined) return tellOwner(order, terminal);
    const submitted: Submitted = {};
    const asked = await signAndSubmit(withoutWait(input), remembering(terminal, submitted), () => ({
      type: 11,
      validator: order.id,
      newKey: order.newKey,
      proof: order.proof,
      term: order.term,
      effectiveEpoch: order.epoch,
    }));
    if (asked !== 0) return asked;
    const isDone = input.has("no-wait") ? isNamed : isTaken;
    terminal.note(`The rotation is handed in. Waiting for epoch ${order.epoch}, in which the node takes the new key up.`);
    await untilNode(home, (running) => isDone(running, { ...order, ...submitted }));
    const shown = { publicKey: toHex(order.newKey), term: order.term, epoch: order.epoch, signs: !input.has("no-wait") };
    terminal.result(shown, () =>
      shown.signs ? `${shown.publicKey} signs from epoch ${order.epoch} on.` : `It signs from epoch ${order.epoch} on.`,
    );
    return 0;
  },
};

/** A rotation as its owner signs it. */
type Order = {
  readonly id: Uint8Array;
  readonly owner: Uint8Array;
  readonly newKey: Uint8Array;
  readonly proof: Uint8Array;
  readonly term: number;
  readonly epoch: number;
};

function orderOf(input: CommandInput, status: Json, validator: Json, next: Signer): Order {
  const [id, chainId] = [parseHex(textOf(validator, "id")), parseHex(textOf(status, "genesisHash"))];
  const owner = parseAddress(textOf(validator, "owner"));
  if (!id || !chainId || !owner.ok) throw new CommandFailure("expected an id, an owner and a genesis hash from the node");
  const named = validator["next"];
  const isNamed = isJson(named) && named["publicKey"] === toHex(next.publicKey);
  const term = Number(wideOf(isJson(named) ? named : validator, "term")) + (isNamed ? 0 : 1);
  const given = input.flag("epoch");
  const epoch = given === undefined ? Number(wideOf(status, "epoch")) + 1 : parseCount(given, "--epoch", 1, Number.MAX_SAFE_INTEGER);
  const proof = next.sign(validatorKeyProofBytes(chainId, owner.value, id, next.publicKey, term));
  return { id, owner: owner.value, newKey: next.publicKey, proof, term, epoch };
}

/** The key that waits in the home, made now unless an earlier call made it: sealed under the passphrase of the home's other keys. */
async function nextSigner(home: string, terminal: Terminal): Promise<Signer> {
  const passphrase = await homePassphrase(home, terminal);
  const current = await unlockAt(join(home, HOME.validatorKey), passphrase);
  if (findNextKey(home)) {
    terminal.note(`A new key waits in ${join(home, HOME.nextKey)} already; going on with it.`);
    return await unlockAt(join(home, HOME.nextKey), passphrase);
  }
  const { text, signer } = await makeKeyFile("validator", passphrase, SCRYPT_COST_DEFAULT, systemEntropy);
  layNextKey(home, text, signer.publicKey);
  terminal.note(`Made ${toHex(signer.publicKey)}, which is to follow ${toHex(current.publicKey)}.`);
  return signer;
}

async function homePassphrase(home: string, terminal: Terminal): Promise<string> {
  const loaded = loadConfiguration({ home, flags: {} });
  if (!loaded.ok) throw new CommandFailure(loaded.error.map(formatFault).join("\n"));
  const passphrase = loadPassphrase(home, loaded.value.values.keys.passphraseFile);
  if (!passphrase.ok) throw new CommandFailure(formatFault(passphrase.error));
  const given = passphrase.value ?? (await terminal.askSecret("Passphrase of the node's keys: "));
  if (given) return given;
  throw new CommandFailure("expected the passphrase of the node's keys, got none; set BIZRA_PASSPHRASE, or run it on a terminal");
}

async function unlockAt(path: string, passphrase: string): Promise<Signer> {
  const file = parseKeyFile(readFileSync(path, "utf8"));
  const signer = file.ok ? await unlockKeyFile(file.value, passphrase) : file;
  if (!signer.ok) throw new CommandFailure(`${path}: ${signer.error.detail}`);
  return signer.value;
}

function tellOwner({ id, newKey, proof, term, epoch }: Order, terminal: Terminal): number {
  const shown = { validator: toHex(id), publicKey: toHex(newKey), proof: toHex(proof), term, epoch };
  terminal.result(shown, () =>
    [
      "The validator's owner signs it where the owner's key is:",
      `bizra tx rotate-key --validator ${shown.validator} --public-key ${shown.publicKey} --proof ${shown.proof} --term ${term} --epoch ${epoch} --key FILE --wait final`,
      "The node takes the key up by itself at that epoch.",
    ].join("\n"),
  );
  return 0;
}

/** A rotation that ended and changed nothing: no further question to the node finds another answer. */
class WithoutEffect extends CommandFailure {}

/** The transaction that asks for a rotation. */
type Submitted = { transaction?: string };

/** The same command line without a wait: the node changes keys in the block of the rotation itself, and answers nothing meanwhile. */
function withoutWait(input: CommandInput): CommandInput {
  return { ...input, flag: (name) => (name === "wait" ? undefined : input.flag(name)), has: (name) => input.has(name) };
}

/** The same terminal, which also keeps the id that is told. */
function remembering(terminal: Terminal, submitted: Submitted): Terminal {
  return {
    ...terminal,
    result(value, text) {
      if (isJson(value) && typeof value["id"] === "string") submitted.transaction = value["id"];
      terminal.result(value, text);
    },
  };
}

/** Resolves once a node of the home answers and a condition holds. It answers nothing for the moment in which it changes keys. */
async function untilNode(home: string, holds: (client: NodeClient) => Promise<boolean>): Promise<void> {
  for (;;) {
    const running = findRunningNode(home);
    if (running && (await isAnswering(running.http)) && (await holdsNow(running.http, holds))) return;
    await new Promise<void>((resolve) => void systemTimers.after(LOOK_MS, resolve));
  }
}

/** A node that goes away between two questions answers the next time. */
async function holdsNow(http: string, holds: (client: NodeClient) => Promise<boolean>): Promise<boolean> {
  try {
    return await holds(new NodeClient(http));
  } catch (error) {
    if (!(error instanceof CommandFailure) || error instanceof WithoutEffect) throw error;
    return false;
  }
}

async function isAnswering(http: string): Promise<boolean> {
  try {
    return (await fetch(`${http}/livez`)).ok;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // a refused connection
    return false;
  }
}

/** Whether the chain names the new key. A rotation may be final and without effect, or never execute: then it throws. */
async function isNamed(client: NodeClient, { id, newKey, transaction }: Order & Submitted): Promise<boolean> {
  const ended = transaction === undefined ? undefined : await client.get(`/api/v2/transactions/${transaction}`);
  const validator = await client.get(`/api/v2/validators/${toHex(id)}`);
  const next = validator["next"];
  if ((isJson(next) ? next : validator)["publicKey"] === toHex(newKey)) return true;
  if (ended === undefined || ended["status"] === "accepted" || ended["status"] === "unknown") return false;
  const receipt = ended["receipt"];
  const why = isJson(receipt) ? String(receipt["code"]) : String(ended["status"]);
  throw new WithoutEffect(`the rotation had no effect (${why}); the new key still waits in the home, and the same command goes on with it`);
}

async function isTaken(client: NodeClient, order: Order & Submitted): Promise<boolean> {
  if (!(await isNamed(client, order))) return false;
  const status = await client.get("/api/v2/status");
  return status["validator"] === toHex(order.newKey) && (await client.request("/readyz", {})).ok;
}
