import type { Signer } from "../../crypto/index.ts";
import { parseHex, utf8 } from "../../kernel/index.ts";
import { LIMITS, type TransactionBody, U64_MAX, validatorKeyProofBytes } from "../../protocol/index.ts";
import { isJson, wideOf } from "../client.ts";
import { type Command, type CommandInput, type FlagSpec, parseAmount, parseCount, required, UsageError } from "../command.ts";
import { openSigner } from "../signer.ts";
import { SIGN_FLAGS, type SigningPlace, signAndSubmit } from "../submit.ts";
import type { Terminal } from "../terminal.ts";

const VALIDATOR_FLAG: Readonly<Record<string, FlagSpec>> = {
  validator: { kind: "text", value: "HEX", doc: "The validator's id: its first signing key." },
};
const DESCRIPTION_FLAGS: Readonly<Record<string, FlagSpec>> = {
  commission: { kind: "text", value: "N", doc: "Share of its fees that the owner keeps, in 1/10,000." },
  endpoint: { kind: "text", value: "TEXT", doc: "Where it can be reached, up to 128 bytes." },
  metadata: { kind: "text", value: "TEXT", doc: "Anything about it, up to 256 bytes." },
};
const NEW_KEY_FLAGS: Readonly<Record<string, FlagSpec>> = {
  "validator-key": { kind: "text", value: "FILE", doc: "The signing key, when it is on this machine." },
  "public-key": { kind: "text", value: "HEX", doc: "Instead: the key of a box elsewhere..." },
  proof: { kind: "text", value: "HEX", doc: "...with the proof that `bizra keys prove` printed there." },
};

/** `bizra tx validator-register`. */
export const txValidatorRegister: Command = {
  name: "tx validator-register",
  summary: "Makes a validator that the sender owns. It comes into the set at an epoch's end, once it has stake.",
  flags: { ...SIGN_FLAGS, ...NEW_KEY_FLAGS, ...DESCRIPTION_FLAGS },
  async run(input, terminal) {
    const newKey = await newKeyOf(input, terminal);
    const { commission = 0, endpoint = "", metadata = "" } = descriptionOf(input);
    return await signAndSubmit(input, terminal, ({ genesisHash, sender }) => {
      const { publicKey } = newKey;
      const proof = newKey.prove(validatorKeyProofBytes(genesisHash, sender, publicKey, publicKey, 0));
      return { type: 5, publicKey, proof, commission, endpoint, metadata };
    });
  },
};

/** `bizra tx validator-update`. */
export const txValidatorUpdate: Command = {
  name: "tx validator-update",
  summary: "Changes what is given of a validator's commission, endpoint and metadata.",
  flags: { ...SIGN_FLAGS, ...VALIDATOR_FLAG, ...DESCRIPTION_FLAGS },
  run(input, terminal) {
    const validator = hashOf(required(input, "validator"), "--validator");
    const change = descriptionOf(input);
    if (Object.keys(change).length === 0) throw new UsageError("expected at least one of --commission, --endpoint and --metadata");
    return signAndSubmit(input, terminal, () => ({ type: 6, validator, ...change }));
  },
};

/** `bizra tx validator-exit`. */
export const txValidatorExit: Command = {
  name: "tx validator-exit",
  summary: "Takes a validator out of the set at the epoch's end, for good. Its stake is then to be unstaked and withdrawn.",
  flags: { ...SIGN_FLAGS, ...VALIDATOR_FLAG },
  run(input, terminal) {
    const validator = hashOf(required(input, "validator"), "--validator");
    return signAndSubmit(input, terminal, () => ({ type: 7, validator }));
  },
};

/** `bizra tx stake`. */
export const txStake: Command = stakingCommand("stake", 8, "Bonds an amount to a validator.");
/** `bizra tx unstake`. */
export const txUnstake: Command = stakingCommand("unstake", 9, "Begins to take an amount out of a validator's stake.");
/** `bizra tx withdraw`. */
export const txWithdraw: Command = stakingCommand("withdraw", 10, "Takes back what has unbonded.");

function stakingCommand(word: string, type: 8 | 9 | 10, summary: string): Command {
  const amountDoc = type === 8 ? "How much, in base units." : "How much, in base units, or all.";
  return {
    name: `tx ${word}`,
    summary,
    flags: { ...SIGN_FLAGS, ...VALIDATOR_FLAG, amount: { kind: "text", value: type === 8 ? "UNITS" : "UNITS|all", doc: amountDoc } },
    run(input, terminal) {
      const validator = hashOf(required(input, "validator"), "--validator");
      const text = required(input, "amount");
      const amount = type !== 8 && text === "all" ? U64_MAX : parseAmount(text, "--amount");
      if (amount === 0n) throw new UsageError("expected --amount of at least 1");
      return signAndSubmit(input, terminal, () => ({ type, validator, amount }));
    },
  };
}

/** `bizra tx rotate-key`. */
export const txRotateKey: Command = {
  name: "tx rotate-key",
  summary: "Gives a validator a new signing key from an epoch on: the safe way back after losing a box.",
  flags: {
    ...SIGN_FLAGS,
    ...VALIDATOR_FLAG,
    ...NEW_KEY_FLAGS,
    term: { kind: "text", value: "N", doc: "Number of the new key (default: the one after the last)." },
    epoch: { kind: "text", value: "N", doc: "First epoch in which it signs (default: the next)." },
  },
  async run(input, terminal) {
    const validator = hashOf(required(input, "validator"), "--validator");
    const newKey = await newKeyOf(input, terminal);
    return await signAndSubmit(input, terminal, async (place) => {
      const term = await termOf(input, place, required(input, "validator"));
      const effectiveEpoch = epochOf(input, place.epoch + 1);
      const proof = newKey.prove(validatorKeyProofBytes(place.genesisHash, place.sender, validator, newKey.publicKey, term));
      return { type: 11, validator, newKey: newKey.publicKey, proof, term, effectiveEpoch };
    });
  },
};

/** `bizra tx propose`. */
export const txPropose: Command = {
  name: "tx propose",
  summary: "Proposes a parameter's value, or turns a feature on or off, from an epoch on; the owner of a member may.",
  flags: {
    ...SIGN_FLAGS,
    name: { kind: "text", value: "NAME", doc: "A parameter as /parameters lists it, or feature.NAME." },
    value: { kind: "text", value: "N", doc: "Its new value; 1 or 0 for a feature." },
    epoch: { kind: "text", value: "N", doc: "Epoch from which it is in force (default: the one after the next)." },
  },
  run(input, terminal) {
    const key = required(input, "name");
    const length = utf8(key).length;
    if (length < 1 || length > LIMITS.parameterNameBytesMax) throw new UsageError("expected --name of 1 to 64 bytes");
    const value = parseAmount(required(input, "value"), "--value");
    return signAndSubmit(input, terminal, ({ epoch }) => ({ type: 13, key, value, activationEpoch: epochOf(input, epoch + 2) }));
  },
};

/** `bizra tx vote`. */
export const txVote: Command = {
  name: "tx vote",
  summary: "Votes on a proposal for all the members of the set that the sender owns.",
  flags: {
    ...SIGN_FLAGS,
    proposal: { kind: "text", value: "HEX", doc: "Id of the transaction that proposed." },
    approve: { kind: "presence", doc: "Approves." },
    reject: { kind: "presence", doc: "Rejects." },
  },
  run(input, terminal) {
    const proposal = hashOf(required(input, "proposal"), "--proposal");
    if (input.has("approve") === input.has("reject")) throw new UsageError("expected either --approve or --reject");
    return signAndSubmit(input, terminal, () => ({ type: 14, proposal, isApproval: input.has("approve") }));
  },
};

/** A key that is to sign for a validator: it proves itself, or brings the proof that its box made. */
type NewKey = { readonly publicKey: Uint8Array; readonly prove: (message: Uint8Array) => Uint8Array };

async function newKeyOf(input: CommandInput, terminal: Terminal): Promise<NewKey> {
  const [file, publicKey] = [input.flag("validator-key"), input.flag("public-key")];
  if ((file === undefined) === (publicKey === undefined)) {
    throw new UsageError("expected either --validator-key FILE or --public-key HEX with --proof HEX");
  }
  if (file !== undefined) {
    const signer: Signer = await openSigner(file, "validator", input, terminal);
    return { publicKey: signer.publicKey, prove: (message) => signer.sign(message) };
  }
  const proof = parseHex(required(input, "proof"));
  if (proof?.length !== 64) throw new UsageError("expected --proof as 128 hex digits");
  return { publicKey: hashOf(publicKey ?? "", "--public-key"), prove: () => proof };
}

type Description = Partial<Pick<Extract<TransactionBody, { type: 5 }>, "commission" | "endpoint" | "metadata">>;

function descriptionOf(input: CommandInput): Description {
  const [commission, endpoint, metadata] = [input.flag("commission"), input.flag("endpoint"), input.flag("metadata")];
  if (utf8(endpoint ?? "").length > LIMITS.endpointBytesMax) throw new UsageError("expected --endpoint of at most 128 bytes");
  if (utf8(metadata ?? "").length > LIMITS.metadataBytesMax) throw new UsageError("expected --metadata of at most 256 bytes");
  return {
    ...(commission !== undefined && { commission: parseCount(commission, "--commission", 0, 10_000) }),
    ...(endpoint !== undefined && { endpoint }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** The number of a validator's next key: one above that of the key named last, as the node tells. */
async function termOf(input: CommandInput, { client }: SigningPlace, validator: string): Promise<number> {
  const given = input.flag("term");
  if (given !== undefined) return parseCount(given, "--term", 1, Number.MAX_SAFE_INTEGER);
  const found = await client.get(`/api/v2/validators/${validator}`);
  const next = found["next"];
  return Number(wideOf(isJson(next) ? next : found, "term")) + 1;
}

function epochOf(input: CommandInput, usual: number): number {
  const given = input.flag("epoch");
  return given === undefined ? usual : parseCount(given, "--epoch", 0, Number.MAX_SAFE_INTEGER);
}

function hashOf(text: string, flag: string): Uint8Array {
  const bytes = parseHex(text);
  if (bytes?.length !== 32) throw new UsageError(`expected ${flag} as 64 hex digits, got ${JSON.stringify(text)}`);
  return bytes;
}
