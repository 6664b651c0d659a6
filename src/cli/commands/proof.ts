import { nobleSuite, verifyEd25519 } from "../../crypto/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import {
  decodeEntry,
  decodeProofBundle,
  decodeTransaction,
  ENTRY_KIND,
  formatAddress,
  genesisValidatorSet,
  type ProvenFact,
  parseAddress,
  transactionAad,
  validateGenesis,
  verifyProofBundle,
} from "../../protocol/index.ts";
import { NODE_FLAGS, NodeClient } from "../client.ts";
import { type Command, CommandFailure, required, UsageError } from "../command.ts";
import { readBytes, readText } from "../files.ts";

/** `bizra proof get`: fetches the proof of a final transaction, of an account, or of a validator. */
export const proofGet: Command = {
  name: "proof get",
  summary: "Fetches the proof of a transaction's receipt, or of an account's or validator's state.",
  arguments: "ID|ADDRESS",
  positionalsMin: 1,
  flags: {
    ...NODE_FLAGS,
    out: { kind: "text", value: "FILE", doc: "Where to write the proof (CBOR)." },
    validator: { kind: "presence", doc: "The id is a validator's: the state of that is proven." },
  },
  async run(input, terminal) {
    const [subject = ""] = input.positionals;
    const isId = parseHex(subject)?.length === 32;
    if (!isId && !parseAddress(subject).ok) throw new UsageError("expected a transaction id (64 hex digits) or an account address");
    if (input.has("validator") && !isId) throw new UsageError("expected a validator's id (64 hex digits) with --validator");
    const collection = input.has("validator") ? "validators" : isId ? "transactions" : "accounts";
    const path = `/api/v2/${collection}/${subject}/proof`;
    const bytes = await NodeClient.of(input).getBytes(path, "application/cbor");
    const out = required(input, "out");
    await Bun.write(out, bytes);
    terminal.result({ file: out, bytes: bytes.length }, () => `Wrote ${out} (${bytes.length} bytes)`);
    return 0;
  },
};

/** `bizra proof verify`: checks a proof offline against a genesis document, by the portable verifier. */
export const proofVerify: Command = {
  name: "proof verify",
  summary: "Verifies a proof offline against a genesis document and says what it proves.",
  arguments: "PROOF",
  positionalsMin: 1,
  flags: {
    genesis: { kind: "text", value: "FILE", doc: "The chain's genesis document." },
    hash: { kind: "text", value: "HEX", doc: "Hash that the genesis is expected to have." },
    transaction: { kind: "text", value: "FILE", doc: "The COSE bytes that the proof is expected to be about." },
    id: { kind: "text", value: "HEX", doc: "The transaction id that the proof is expected to be about." },
  },
  run(input, terminal) {
    const expectedHash = input.flag("hash");
    const hash = expectedHash === undefined ? undefined : parseHex(expectedHash);
    if (expectedHash !== undefined && hash?.length !== 32) throw new UsageError("expected --hash as 64 hex digits");
    const { genesis, checks } = validateGenesis(readText(required(input, "genesis")), verifyEd25519, hash);
    if (!genesis)
      throw new CommandFailure(
        `the genesis is not valid: ${checks
          .filter((c) => c.verdict === "fail")
          .map((c) => `${c.check}: ${c.detail}`)
          .join("; ")}`,
      );
    const set = genesisValidatorSet(genesis);
    if (!set.ok) throw new CommandFailure(`the genesis has no validator set: ${set.error}`);
    const bundle = decodeProofBundle(readBytes(input.positionals[0] ?? ""));
    if (!bundle.ok)
      throw new CommandFailure(`expected a proof bundle (docs/proof.cddl), got bytes that are ${bundle.error}; fetch it again`);
    const fact = verifyProofBundle(nobleSuite, { chainId: genesis.hash, epoch: 0, set: set.value }, bundle.value);
    if (!fact.ok) throw new CommandFailure(`this proof proves nothing: ${fact.error.detail} (${fact.error.code})`);
    const expectedId = expectedIdOf(input.flag("transaction"), input.flag("id"), genesis.hash);
    if (expectedId !== undefined && (fact.value.kind !== "receipt" || toHex(fact.value.receipt.transactionId) !== expectedId)) {
      throw new CommandFailure(`the proof is valid, but is not about transaction ${expectedId}`);
    }
    terminal.result(factJson(fact.value), () => describeFact(fact.value));
    return Promise.resolve(0);
  },
};

function expectedIdOf(file: string | undefined, id: string | undefined, genesisHash: Uint8Array): string | undefined {
  if (file === undefined) return id?.toLowerCase();
  const transaction = decodeTransaction(transactionAad(genesisHash), readBytes(file));
  if (!transaction.ok) throw new CommandFailure(`expected one transaction at ${file}, got bytes that are ${transaction.error}`);
  const found = toHex(transaction.value.id);
  if (id !== undefined && id.toLowerCase() !== found) throw new CommandFailure(`--transaction has id ${found}, --id says ${id}`);
  return found;
}

function factJson(fact: ProvenFact): Record<string, unknown> {
  const place = { valid: true, kind: fact.kind, height: fact.header.height, time: new Date(fact.header.timeMs).toISOString() };
  if (fact.kind === "state") {
    const value = fact.value ? toHex(fact.value) : null;
    return { ...place, key: toHex(fact.key), value, ...Object.fromEntries(describeEntry(fact)) };
  }
  const { receipt } = fact;
  return { ...place, transactionId: toHex(receipt.transactionId), index: receipt.index, code: receipt.code, fee: receipt.fee.toString() };
}

function describeFact(fact: ProvenFact): string {
  const when = `in block ${fact.header.height} of ${new Date(fact.header.timeMs).toISOString()}`;
  if (fact.kind === "receipt") {
    const { receipt } = fact;
    return `Valid. Transaction ${toHex(receipt.transactionId)} was executed ${when}, index ${receipt.index}: ${receipt.code}, fee ${receipt.fee}.`;
  }
  const [kind = 0] = fact.key;
  const subject =
    kind === ENTRY_KIND.account ? formatAddress(fact.key.subarray(1)) : `${kindOf(kind)} ${toHex(fact.key.subarray(1))}`.trim();
  if (!fact.value) return `Valid. ${subject} does not exist ${when}.`;
  const fields = describeEntry(fact);
  const content = fields.length > 0 ? `has ${fields.map(([name, value]) => `${name} ${value}`).join(", ")}` : `is ${toHex(fact.value)}`;
  return `Valid. After the state ${when}, ${subject} ${content}.`;
}

function kindOf(kind: number): string {
  return Object.entries(ENTRY_KIND).find(([, number]) => number === kind)?.[0] ?? "entry";
}

/** What people ask of an entry, where it is an account's or a validator's; else nothing, and its bytes speak. */
function describeEntry({ key, value }: Extract<ProvenFact, { kind: "state" }>): readonly (readonly [string, string])[] {
  const decoded = value ? decodeEntry(key, value) : undefined;
  if (!decoded?.ok) return [];
  const entry = decoded.value;
  if (entry.kind === "account") {
    return [
      ["balance", String(entry.balance)],
      ["nonce", String(entry.nonce)],
    ];
  }
  if (entry.kind !== "validator") return [];
  return [
    ["owner", formatAddress(entry.owner)],
    ["signingKey", toHex(entry.signingKey)],
    ["term", String(entry.term)],
    ["stake", String(entry.stake)],
    ["unbonding", String(entry.unbondingStake)],
    ["reputation", String(entry.reputation)],
  ];
}
