import { z } from "zod";
import { canonicalJson, DOMAIN_TAGS, sha256 } from "../crypto/portable.ts";
import { assert, concatBytes, err, ok, parseHex, type Result, toHex, utf8 } from "../kernel/index.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { amountSchema, type GenesisParameters, genesisParametersOf, genesisParametersSchema } from "./genesis-parameters.ts";
import { LIMITS } from "./limits.ts";
import { makeValidatorSet, REPUTATION_MAX, type ValidatorSet, type ValidatorSetFault } from "./validator-set.ts";

/** Value of a genesis document's `format`. */
export const GENESIS_FORMAT = "bizra-genesis/1";

const hex32 = z.string().regex(/^[0-9a-f]{64}$/, "expected 32 bytes as 64 lower-case hex digits");
const hex64 = z.string().regex(/^[0-9a-f]{128}$/, "expected 64 bytes as 128 lower-case hex digits");
const address = z.string().refine(isCanonicalAddress, "expected a lower-case bech32m address with prefix bz");
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "expected 1 to 63 of a-z, 0-9 and -, starting with a letter or digit");

/** Schema of the genesis document as JSON. Unknown keys are refused. */
export const genesisDocumentSchema = z.strictObject({
  format: z.literal(GENESIS_FORMAT),
  chainName: name,
  time: z.iso.datetime({ offset: false }),
  parameters: genesisParametersSchema,
  accounts: z.array(z.strictObject({ address, balance: amountSchema })).max(10_000_000),
  validators: z
    .array(z.strictObject({ name, publicKey: hex32, owner: address, stake: amountSchema, proofOfPossession: hex64 }))
    .max(LIMITS.validatorsMax),
  signatures: z.array(z.strictObject({ publicKey: hex32, signature: hex64 })).max(LIMITS.validatorsMax),
});

/** A genesis document as JSON: amounts are decimal strings, bytes lower-case hex, time RFC 3339 UTC. */
export type GenesisDocument = z.infer<typeof genesisDocumentSchema>;

/** An initial validator. */
export type GenesisValidator = {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly owner: Uint8Array;
  readonly stake: bigint;
  readonly proofOfPossession: Uint8Array;
};

/** A genesis in the program's own types; `hash` is the chain id. */
export type Genesis = {
  readonly document: GenesisDocument;
  /** SHA-256 of the RFC 8785 form without `signatures`, 32 bytes. */
  readonly hash: Uint8Array;
  readonly chainName: string;
  readonly timeMs: number;
  readonly parameters: GenesisParameters;
  readonly accounts: readonly { readonly publicKey: Uint8Array; readonly balance: bigint }[];
  readonly validators: readonly GenesisValidator[];
};

/** Reads the text of a genesis document: shape only. The error is a sentence naming each place that does not fit. */
export function parseGenesis(text: string): Result<Genesis, string> {
  if (text.length > LIMITS.genesisBytesMax) return err(`expected at most ${LIMITS.genesisBytesMax} characters, got ${text.length}`);
  const json = parseJson(text);
  if (!json.ok) return json;
  const parsed = genesisDocumentSchema.safeParse(json.value);
  if (!parsed.success) return err(parsed.error.issues.map((issue) => `${issue.path.join(".") || "document"}: ${issue.message}`).join("; "));
  return ok(genesisOf(parsed.data));
}

/** A well-shaped document in the program's own types. */
export function genesisOf(document: GenesisDocument): Genesis {
  return {
    document,
    hash: genesisHashOf(document),
    chainName: document.chainName,
    timeMs: Date.parse(document.time),
    parameters: genesisParametersOf(document.parameters),
    accounts: document.accounts.map((a) => ({ publicKey: keyOfAddress(a.address), balance: BigInt(a.balance) })),
    validators: document.validators.map((v) => ({
      name: v.name,
      publicKey: bytesOfHex(v.publicKey),
      owner: keyOfAddress(v.owner),
      stake: BigInt(v.stake),
      proofOfPossession: bytesOfHex(v.proofOfPossession),
    })),
  };
}

/** SHA-256 of the RFC 8785 form of the document without `signatures`. */
export function genesisHashOf(document: GenesisDocument): Uint8Array {
  const { signatures: _signatures, ...unsigned } = document;
  const canonical = canonicalJson(unsigned);
  assert(canonical.ok, "a well-shaped genesis document has a canonical form");
  return sha256(utf8(canonical.value));
}

/** The text form in which tools write a document: two-space indentation, one final newline. */
export function formatGenesis(document: GenesisDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The set of epoch 0: every initial validator with its stake as weight and, since nothing speaks against anyone, full reputation. */
export function genesisValidatorSet(genesis: Genesis): Result<ValidatorSet, ValidatorSetFault> {
  const members = genesis.validators.map(({ publicKey, owner, stake }) => ({
    publicKey,
    owner,
    weight: stake,
    reputation: REPUTATION_MAX,
  }));
  return makeValidatorSet(members);
}

/** Bytes whose signature proves possession of a validator key: tag | key | chain name. */
export function proofOfPossessionBytes(publicKey: Uint8Array, chainName: string): Uint8Array {
  return concatBytes(DOMAIN_TAGS.proofOfPossession, publicKey, utf8(chainName));
}

/** Bytes an initial validator signs to accept a genesis: tag | genesis hash. */
export function genesisSignBytes(genesisHash: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN_TAGS.genesis, genesisHash);
}

/** `{net}` of topics and addresses: the first 8 hex digits of the genesis hash. */
export function networkIdOf(genesisHash: Uint8Array): string {
  return toHex(genesisHash.subarray(0, 4));
}

function isCanonicalAddress(text: string): boolean {
  const key = parseAddress(text);
  return key.ok && formatAddress(key.value) === text;
}

function parseJson(text: string): Result<unknown, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a SyntaxError is how JSON.parse reports malformed text
    return err(`expected JSON: ${error.message}`);
  }
  return ok(value);
}

function keyOfAddress(text: string): Uint8Array {
  const key = parseAddress(text);
  assert(key.ok, "an address that passed the schema parses");
  return key.value;
}

function bytesOfHex(text: string): Uint8Array {
  const bytes = parseHex(text);
  assert(bytes !== undefined, "hex that passed the schema parses");
  return bytes;
}
