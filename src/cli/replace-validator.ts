import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Signer } from "../crypto/index.ts";
import { parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { assert, bytesEqual, parseHex, toHex } from "../kernel/index.ts";
import { HOME } from "../node/index.ts";
import { formatAddress, parseAddress, validatorKeyProofBytes } from "../protocol/index.ts";
import { isJson, type Json, NodeClient, textOf, wideOf } from "./client.ts";
import { CommandFailure, type CommandInput } from "./command.ts";
import { obtainPassphrase, openSigner, withPassphraseOf } from "./signer.ts";
import { signAndSubmit } from "./submit.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Gives a validator the key of a restored home: its owner signs the rotation, any node takes it. From the boundary on the old
 * box's key is in no set, whatever has become of that box; that is the fence (DR-5, DR-6). Asked again, it sees that the chain
 * names the key and changes nothing.
 *
 * @param input with --key (the owner's), --url and maybe --validator
 */
export async function replaceValidator(home: string, input: CommandInput, terminal: Terminal): Promise<void> {
  // The home of a box that is not running yet is not the node to ask.
  const owners = withPassphraseOf(input, "owner-passphrase-file");
  const asking: CommandInput = { ...input, flag: (name) => (name === "home" || name === "wait" ? undefined : owners.flag(name)) };
  const client = NodeClient.of(asking);
  const signer = await newKeyOf(home, input, terminal);
  const owner = formatAddress((await openSigner(input.flag("key") ?? "", "account", asking, terminal)).publicKey);
  const validator = await validatorOf(client, owner, input.flag("validator"), signer.publicKey);
  const named = validator["next"];
  const publicKey = toHex(signer.publicKey);
  if (validator["publicKey"] === publicKey || (isJson(named) && named["publicKey"] === publicKey)) {
    terminal.note(`The chain gives the validator ${textOf(validator, "id")} this box's key already.`);
    return;
  }
  const id = parseHex(textOf(validator, "id"));
  const ownerKey = parseAddress(textOf(validator, "owner"));
  if (!id || !ownerKey.ok) throw new CommandFailure("expected an id and an owner from the node");
  assert(!bytesEqual(id, signer.publicKey), "a new key names no validator (DR-6)");
  const term = Number(wideOf(isJson(named) ? named : validator, "term")) + 1;
  const code = await signAndSubmit(asking, terminal, ({ genesisHash, epoch }) => ({
    type: 11,
    validator: id,
    newKey: signer.publicKey,
    proof: signer.sign(validatorKeyProofBytes(genesisHash, ownerKey.value, id, signer.publicKey, term)),
    term,
    effectiveEpoch: epoch + 1,
  }));
  if (code !== 0) throw new CommandFailure("the rotation was refused; the home is restored and follows, run the same command again");
  terminal.note(
    `The rotation of ${toHex(id)} to ${publicKey} is handed in. It takes effect with the next epoch, which it brings about within a minute; ` +
      `then the node on ${home} validates, and the old key is refused.`,
  );
}

async function newKeyOf(home: string, input: CommandInput, terminal: Terminal): Promise<Signer> {
  const path = join(home, HOME.validatorKey);
  const file = parseKeyFile(readFileSync(path, "utf8"));
  const signer = file.ok ? await unlockKeyFile(file.value, await obtainPassphrase(input, terminal, `Passphrase of ${path}: `)) : file;
  if (!signer.ok) throw new CommandFailure(`${path}: ${signer.error.detail}`);
  return signer.value;
}

/** The validator that is meant: by id or key, or the only one of this owner that the new key is not. */
async function validatorOf(client: NodeClient, owner: string, given: string | undefined, newKey: Uint8Array): Promise<Json> {
  if (given !== undefined) return await client.get(`/api/v2/validators/${given}`);
  const list = (await client.get("/api/v2/validators"))["validators"];
  const own = (Array.isArray(list) ? list.filter(isJson) : []).filter((validator) => validator["owner"] === owner);
  const [only, ...more] = own;
  if (!only || more.length > 0)
    throw new CommandFailure(
      `expected one validator of ${owner} to give the key ${toHex(newKey)}, found ${own.length}; say which with --validator`,
    );
  return await client.get(`/api/v2/validators/${textOf(only, "id")}`);
}
