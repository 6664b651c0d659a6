import { nobleSuite, verifyEd25519 } from "../../crypto/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import {
  decodeEntry,
  decodeProofBundle,
  decodeTransaction,
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

/** `bizra proof get`: fetches the proof of a final transaction, or of an account. */
export const proofGet: Command = {
  name: "proof get",
  summary: "Fetches the proof of a transaction's receipt, or of an account's state.",
  arguments: "ID|ADDRESS",
  positionalsMin: 1,
  flags: { ...NODE_FLAGS, out: { kind: "text", value: "FILE", doc: "Where to write the proof (CBOR)." } },
  async run(input, terminal) {
    const [subject = ""] = input.positionals;
    const isId = parseHex(subject)?.length === 32;
    if (!isId && !parseAddress(subject).ok) throw new UsageError("expected a transaction id (64 hex digits) or an account address");
    const path = isId ? `/api/v2/transactions/${subject}/proof` : `/api/v2/accounts/${subject}/proof`;
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
    const entry = fact.value ? decodeEntry(fact.key, fact.value) : undefined;
    const account =
      entry?.ok && entry.value.kind === "account" ? { balance: entry.value.balance.toString(), nonce: entry.value.nonce.toString() } : {};
    return { ...place, key: toHex(fact.key), value: fact.value ? toHex(fact.value) : null, ...account };
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
  const subject = fact.key.length === 33 ? formatAddress(fact.key.subarray(1)) : toHex(fact.key);
  if (!fact.value) return `Valid. ${subject} does not exist ${when}.`;
  const entry = decodeEntry(fact.key, fact.value);
  const content =
    entry.ok && entry.value.kind === "account"
      ? `has balance ${entry.value.balance} and nonce ${entry.value.nonce}`
      : `is ${toHex(fact.value)}`;
  return `Valid. After the state ${when}, ${subject} ${content}.`;
}
