import { writeFileSync } from "node:fs";
import { verifyEd25519 } from "../../crypto/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { systemClock } from "../../node/index.ts";
import {
  formatGenesis,
  type Genesis,
  type GenesisDocument,
  type GenesisReport,
  genesisDocumentSchema,
  genesisHashOf,
  genesisOf,
  genesisSignBytes,
  networkIdOf,
  parseGenesis,
  proofOfPossessionBytes,
  validateGenesis,
} from "../../protocol/index.ts";
import { type Command, CommandFailure, type CommandInput, parseAmount, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { writeNew } from "../home.ts";
import { openSigner, PASSPHRASE_FLAG } from "../signer.ts";

const KEY_FLAG = { key: { kind: "text", value: "FILE", doc: "The validator's key file." } } as const;

/** `bizra genesis new`: starts a ceremony. */
export const genesisNew: Command = {
  name: "genesis new",
  summary: "Starts a genesis document: chain name, parameters, accounts.",
  flags: {
    chain: { kind: "text", value: "NAME", doc: "Chain name, 1 to 63 of a-z, 0-9 and -." },
    out: { kind: "text", value: "FILE", doc: "Where to write it; an existing file is left alone." },
    time: { kind: "text", value: "RFC3339", doc: "Time of genesis in UTC (default: now, to the second)." },
    account: { kind: "text", value: "ADDRESS=AMOUNT", doc: "An account with its balance in base units.", isRepeatable: true },
    "minimum-fee": { kind: "text", value: "UNITS", doc: "Least fee of a transaction (default 1000)." },
    "max-validity": { kind: "text", value: "BLOCKS", doc: "How far ahead validUntil may lie (default 1000000)." },
    "fee-policy": { kind: "text", value: "POLICY", doc: "burn (default) or validators." },
    parameter: {
      kind: "text",
      value: "NAME=VALUE",
      doc: "Any other parameter, e.g. epochBlocks=10000, minimumStake=1000000 or unbondingMs=604800000.",
      isRepeatable: true,
    },
  },
  run(input, terminal) {
    const document = newDocument(input);
    const out = required(input, "out");
    writeNew(out, formatGenesis(document));
    terminal.result(
      { file: out, hash: toHex(genesisHashOf(document)) },
      () => `Wrote ${out}. Next: \`bizra genesis add-validator ${out} ...\` for each box.`,
    );
    return Promise.resolve(0);
  },
};

/** Amounts are text in a document, as `minimumStake` is, other numbers are numbers; the schema judges both. */
function parametersOf(input: CommandInput): Record<string, string | number> {
  const given = input.flags("parameter").map((text): [string, string | number] => {
    const [name = "", value = ""] = text.split("=");
    return [name, name === "minimumStake" || !/^[0-9]{1,15}$/.test(value) ? value : Number(value)];
  });
  return Object.fromEntries(given);
}

/** A document without validators and signatures from the flags of `genesis new`. */
function newDocument(input: CommandInput): GenesisDocument {
  const accounts = input.flags("account").map((text) => {
    const [address = "", balance = ""] = text.split("=");
    return { address, balance };
  });
  const document = {
    format: "bizra-genesis/1",
    chainName: required(input, "chain"),
    time: input.flag("time") ?? `${new Date(systemClock.nowMs()).toISOString().slice(0, 19)}Z`,
    parameters: {
      minimumFee: input.flag("minimum-fee") ?? "1000",
      maxValidity: input.flag("max-validity") ?? "1000000",
      feePolicy: input.flag("fee-policy") ?? "burn",
      blockBytesMax: 1_048_576,
      blockTransactionsMax: 4_096,
      epochBlocks: 100_000,
      epochMs: 86_400_000,
      ...parametersOf(input),
    },
    accounts,
    validators: [],
    signatures: [],
  };
  const checked = genesisDocumentSchema.safeParse(document);
  if (!checked.success) throw new UsageError(checked.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  return checked.data;
}

/** `bizra genesis add-validator`: adds a box with its proof of possession. */
export const genesisAddValidator: Command = {
  name: "genesis add-validator",
  summary: "Adds an initial validator; any signatures given before are dropped, since the hash changes.",
  arguments: "GENESIS",
  positionalsMin: 1,
  flags: {
    ...KEY_FLAG,
    ...PASSPHRASE_FLAG,
    "public-key": { kind: "text", value: "HEX", doc: "Instead of --key: the key of a box elsewhere..." },
    proof: { kind: "text", value: "HEX", doc: "...with the proof of possession that box printed." },
    name: { kind: "text", value: "NAME", doc: "Name of the box." },
    owner: { kind: "text", value: "ADDRESS", doc: "Account that owns the stake." },
    stake: { kind: "text", value: "UNITS", doc: "Stake, which is its voting weight." },
  },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const { document } = readGenesis(path);
    const stake = parseAmount(required(input, "stake"), "--stake").toString();
    const publicKey = input.flag("public-key");
    const key = input.flag("key");
    if ((key === undefined) === (publicKey === undefined))
      throw new UsageError("expected either --key FILE or --public-key HEX with --proof HEX");
    const signer = key === undefined ? undefined : await openSigner(key, "validator", input, terminal);
    const validator = {
      name: required(input, "name"),
      publicKey: signer ? toHex(signer.publicKey) : (publicKey ?? ""),
      owner: required(input, "owner"),
      stake,
      proofOfPossession: signer
        ? toHex(signer.sign(proofOfPossessionBytes(signer.publicKey, document.chainName)))
        : required(input, "proof"),
    };
    const changed = { ...document, validators: [...document.validators, validator], signatures: [] };
    const checked = genesisDocumentSchema.safeParse(changed);
    if (!checked.success) throw new UsageError(checked.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
    refuseNewFaults(checked.data);
    writeFileSync(path, formatGenesis(checked.data));
    terminal.result(
      { file: path, validators: checked.data.validators.length, hash: toHex(genesisHashOf(checked.data)) },
      () =>
        `Added ${validator.name} (${validator.publicKey}); ${checked.data.validators.length} validators. When all are in, each box runs \`bizra genesis sign ${path}\`.`,
    );
    return 0;
  },
};

/** Faults that adding more could not mend are refused at once; missing signatures and a lone quorum come later. */
function refuseNewFaults(document: GenesisDocument): void {
  const report = validateGenesis(formatGenesis(document), verifyEd25519);
  const faults = report.checks.filter((c) => c.verdict === "fail" && c.check !== "signatures" && c.check !== "quorum arithmetic");
  if (faults.length > 0) throw new CommandFailure(`nothing was written: ${faults.map((c) => `${c.check}: ${c.detail}`).join("; ")}`);
}

/** `bizra genesis sign`: an initial validator accepts the document. */
export const genesisSign: Command = {
  name: "genesis sign",
  summary: "Signs the document's hash with a validator's key: its operator accepts all that it says.",
  arguments: "GENESIS",
  positionalsMin: 1,
  flags: { ...KEY_FLAG, ...PASSPHRASE_FLAG },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const genesis = readGenesis(path);
    const signer = await openSigner(required(input, "key"), "validator", input, terminal);
    const publicKey = toHex(signer.publicKey);
    if (!genesis.document.validators.some((v) => v.publicKey === publicKey)) {
      throw new CommandFailure(
        `expected the key of one of the document's validators, got ${publicKey}; add it first with \`bizra genesis add-validator\``,
      );
    }
    const signature = { publicKey, signature: toHex(signer.sign(genesisSignBytes(genesis.hash))) };
    const signatures = [...genesis.document.signatures.filter((s) => s.publicKey !== publicKey), signature];
    writeFileSync(path, formatGenesis({ ...genesis.document, signatures }));
    const missing = genesis.document.validators.length - signatures.length;
    terminal.result(
      { file: path, hash: toHex(genesis.hash), missing },
      () => `Signed ${toHex(genesis.hash)}; ${missing === 0 ? "all have signed" : `${missing} signatures to come`}.`,
    );
    return 0;
  },
};

/** `bizra genesis validate`: prints every check with its verdict. */
export const genesisValidate: Command = {
  name: "genesis validate",
  summary: "Checks everything a node insists on and prints each check with its verdict.",
  arguments: "GENESIS",
  positionalsMin: 1,
  flags: { hash: { kind: "text", value: "HEX", doc: "Hash that the document is expected to have." } },
  run(input, terminal) {
    const expected = input.flag("hash");
    const hash = expected === undefined ? undefined : parseHex(expected);
    if (expected !== undefined && hash?.length !== 32) throw new UsageError("expected --hash as 64 hex digits");
    const report = validateGenesis(readText(input.positionals[0] ?? ""), verifyEd25519, hash);
    const isValid = report.genesis !== undefined;
    terminal.result({ valid: isValid, checks: report.checks }, () => formatReport(report));
    return Promise.resolve(isValid ? 0 : 1);
  },
};

/** The report as text, one line a check. */
export function formatReport(report: GenesisReport): string {
  const lines = report.checks.map((c) => `${c.verdict.toUpperCase().padEnd(5)} ${c.check.padEnd(22)} ${c.detail}`);
  return [...lines, report.genesis ? "This genesis is valid." : "This genesis is NOT valid; a node refuses to start on it."].join("\n");
}

/** `bizra genesis show`: what a document says. */
export const genesisShow: Command = {
  name: "genesis show",
  summary: "Shows a genesis document: hash, parameters, validators, accounts.",
  arguments: "GENESIS",
  positionalsMin: 1,
  flags: {},
  run(input, terminal) {
    const genesis = readGenesis(input.positionals[0] ?? "");
    const hash = toHex(genesis.hash);
    terminal.result({ hash, network: networkIdOf(genesis.hash), ...genesis.document }, () => describe(genesis, hash));
    return Promise.resolve(0);
  },
};

function describe(genesis: Genesis, hash: string): string {
  const { document } = genesis;
  const parameters = Object.entries(document.parameters).map(([name, value]) => `  ${name.padEnd(21)} ${value}`);
  const validators = document.validators.map((v) => {
    const signed = document.signatures.some((s) => s.publicKey === v.publicKey) ? "signed" : "not signed";
    return `  ${v.name.padEnd(21)} ${v.publicKey}  stake ${v.stake}  ${signed}`;
  });
  const accounts = document.accounts.slice(0, 20).map((a) => `  ${a.address}  ${a.balance}`);
  const more = document.accounts.length > 20 ? [`  and ${document.accounts.length - 20} more`] : [];
  const head = [`Chain ${document.chainName}, ${document.time}`, `Hash ${hash} (network ${networkIdOf(genesis.hash)})`];
  return [...head, "Parameters", ...parameters, "Validators", ...validators, "Accounts", ...accounts, ...more].join("\n");
}

/** A well-shaped genesis from a file; a sentence when it is none. */
export function readGenesis(path: string): Genesis {
  const genesis = parseGenesis(readText(path));
  if (!genesis.ok) throw new CommandFailure(`${path} is no genesis document: ${genesis.error}`);
  return genesisOf(genesis.value.document);
}
