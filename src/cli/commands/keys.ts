import { join } from "node:path";
import { SCRYPT_COST_DEFAULT } from "../../crypto/index.ts";
import { type KeyPurpose, makeKeyFile, parseKeyFile, unlockKeyFile } from "../../identity/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { bindNewKey, HOME, systemEntropy } from "../../node/index.ts";
import { formatAddress, proofOfPossessionBytes, validatorKeyProofBytes } from "../../protocol/index.ts";
import { type Command, CommandFailure, parseCount, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { createHomeJournal, writeNew } from "../home.ts";
import { obtainNewPassphrase, obtainPassphrase, openSigner, PASSPHRASE_FLAG } from "../signer.ts";
import { keyOf } from "../submit.ts";

const PURPOSES: readonly KeyPurpose[] = ["account", "validator", "identity"];

/** `bizra keys new`: makes a key on this machine; a validator's key comes with its journal. */
export const keysNew: Command = {
  name: "keys new",
  summary: "Makes a key sealed under a passphrase. A validator's key gets its journal with it, which starting a node never makes.",
  flags: {
    ...PASSPHRASE_FLAG,
    purpose: { kind: "text", value: "PURPOSE", doc: "account (default), validator or identity." },
    out: { kind: "text", value: "FILE", doc: "Where to write an account's key." },
    home: { kind: "text", value: "DIR", doc: "Home of the node, for a validator's or identity key." },
  },
  async run(input, terminal) {
    const purpose = PURPOSES.find((p) => p === (input.flag("purpose") ?? "account"));
    if (!purpose) throw new UsageError(`expected --purpose ${PURPOSES.join(", ")}, got ${input.flag("purpose")}`);
    const path =
      purpose === "account"
        ? required(input, "out")
        : join(required(input, "home"), purpose === "validator" ? HOME.validatorKey : HOME.identityKey);
    const { text, signer } = await makeKeyFile(purpose, await obtainNewPassphrase(input, terminal), SCRYPT_COST_DEFAULT, systemEntropy);
    writeNew(path, text);
    if (purpose === "validator") {
      createHomeJournal(required(input, "home"), signer.publicKey);
      bindNewKey(required(input, "home"), signer);
    }
    const address = formatAddress(signer.publicKey);
    terminal.result(
      { file: path, purpose, publicKey: toHex(signer.publicKey), address },
      () => `Wrote ${path}\npublic key ${toHex(signer.publicKey)}\naddress    ${address}`,
    );
    return 0;
  },
};

/** `bizra keys show`: the public half; with --chain also the proof of possession for a genesis. */
export const keysShow: Command = {
  name: "keys show",
  summary: "Shows the public half of a key file; never the secret.",
  arguments: "FILE",
  positionalsMin: 1,
  flags: {
    ...PASSPHRASE_FLAG,
    chain: { kind: "text", value: "NAME", doc: "Also prints the proof of possession for this chain's genesis." },
  },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const file = parseKeyFile(readText(path));
    if (!file.ok) throw new CommandFailure(`${path}: ${file.error.detail}`);
    const { purpose, publicKey } = file.value;
    const chain = input.flag("chain");
    const shown = { file: path, purpose, publicKey: toHex(publicKey), address: formatAddress(publicKey) };
    if (chain === undefined) {
      terminal.result(shown, () => `${purpose} key\npublic key ${shown.publicKey}\naddress    ${shown.address}`);
      return 0;
    }
    const signer = await unlockKeyFile(file.value, await obtainPassphrase(input, terminal, `Passphrase of ${path}: `));
    if (!signer.ok) throw new CommandFailure(`${path}: ${signer.error.detail}`);
    const proofOfPossession = toHex(signer.value.sign(proofOfPossessionBytes(publicKey, chain)));
    terminal.result(
      { ...shown, proofOfPossession },
      () => `${purpose} key\npublic key ${shown.publicKey}\naddress    ${shown.address}\nproof      ${proofOfPossession}`,
    );
    return 0;
  },
};

/** `bizra keys prove`: what a box prints so that its validator's owner, elsewhere, can register or rotate to its key. */
export const keysProve: Command = {
  name: "keys prove",
  summary: "Prints a validator key's proof of possession for `tx validator-register` and `tx rotate-key`; the key stays on this box.",
  arguments: "FILE",
  positionalsMin: 1,
  flags: {
    ...PASSPHRASE_FLAG,
    "chain-id": { kind: "text", value: "HEX", doc: "The chain's genesis hash." },
    owner: { kind: "text", value: "ADDRESS", doc: "Account that owns, or will own, the validator." },
    validator: { kind: "text", value: "HEX", doc: "For a rotation: the validator's id." },
    term: { kind: "text", value: "N", doc: "For a rotation: the new key's number, one above the last." },
  },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const chainId = parseHex(required(input, "chain-id"));
    if (chainId?.length !== 32) throw new UsageError("expected --chain-id as 64 hex digits");
    const owner = keyOf(required(input, "owner"), "--owner");
    const [id, term] = [input.flag("validator"), input.flag("term")];
    if ((id === undefined) !== (term === undefined))
      throw new UsageError("expected --validator and --term together, for a rotation, or neither");
    const validator = id === undefined ? undefined : parseHex(id);
    if (id !== undefined && validator?.length !== 32) throw new UsageError("expected --validator as 64 hex digits");
    const number = term === undefined ? 0 : parseCount(term, "--term", 1, Number.MAX_SAFE_INTEGER);
    const signer = await openSigner(path, "validator", input, terminal);
    const { publicKey } = signer;
    const proof = toHex(signer.sign(validatorKeyProofBytes(chainId, owner, validator ?? publicKey, publicKey, number)));
    const shown = { publicKey: toHex(publicKey), term: number, proof };
    terminal.result(shown, () => `public key ${shown.publicKey}\nproof      ${proof}`);
    return 0;
  },
};
