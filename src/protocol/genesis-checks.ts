import { checkPublicKey, isTorsionFree } from "../crypto/portable.ts";
import { bytesEqual, parseHex, toHex } from "../kernel/index.ts";
import type { VerifySignature } from "./certificate.ts";
import { type Genesis, genesisSignBytes, genesisValidatorSet, parseGenesis, proofOfPossessionBytes } from "./genesis.ts";
import { U64_MAX } from "./limits.ts";

/** One item of a genesis validation with its verdict and a sentence. */
export type GenesisCheck = { readonly check: string; readonly verdict: "pass" | "warn" | "fail"; readonly detail: string };

/** All checks in order, and the genesis when none failed. */
export type GenesisReport = { readonly checks: readonly GenesisCheck[]; readonly genesis?: Genesis };

/**
 * Checks everything about a genesis document's text that a node insists on before it starts: schema, canonical form,
 * sums, unique keys, key validity, proofs of possession, quorum arithmetic, parameter relations, signatures, hash.
 *
 * @param expectedHash when given, the hash must be this one
 */
export function validateGenesis(text: string, verify: VerifySignature, expectedHash?: Uint8Array): GenesisReport {
  const parsed = parseGenesis(text);
  if (!parsed.ok) return { checks: [fail("schema", parsed.error)] };
  const genesis = parsed.value;
  const checks = [
    pass("schema", "every field has its expected shape"),
    checkForm(text, genesis),
    checkSums(genesis),
    checkUniqueKeys(genesis),
    checkKeys(genesis),
    checkPossession(genesis, verify),
    ...checkQuorum(genesis),
    checkParameters(genesis),
    checkSignatures(genesis, verify),
    checkHash(genesis, expectedHash),
  ];
  return checks.some((c) => c.verdict === "fail") ? { checks } : { checks, genesis };
}

/** JSON.parse keeps the last of two equal keys; comparing with what was parsed, white space apart, shows such a text. */
function checkForm(text: string, genesis: Genesis): GenesisCheck {
  const bare = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
  if (bare === JSON.stringify(JSON.parse(text))) return pass("canonical form", "one meaning: no repeated keys, no unusual spellings");
  return fail(
    "canonical form",
    `the text says something twice or spells a value unusually; write it again from \`genesis show --json\` of ${genesis.chainName}`,
  );
}

function checkSums(genesis: Genesis): GenesisCheck {
  const balances = genesis.accounts.reduce((sum, a) => sum + a.balance, 0n);
  const stakes = genesis.validators.reduce((sum, v) => sum + v.stake, 0n);
  const total = balances + stakes;
  if (total > U64_MAX) return fail("sums", `balances ${balances} and stakes ${stakes} add up to ${total}, above ${U64_MAX}`);
  return pass("sums", `balances ${balances}, stakes ${stakes}, together ${total}`);
}

function checkUniqueKeys(genesis: Genesis): GenesisCheck {
  const repeated = [
    ...repeats(genesis.accounts.map((a) => toHex(a.publicKey))).map((key) => `account ${key}`),
    ...repeats(genesis.validators.map((v) => toHex(v.publicKey))).map((key) => `validator key ${key}`),
    ...repeats(genesis.validators.map((v) => v.name)).map((name) => `validator name ${name}`),
  ];
  if (repeated.length > 0) return fail("unique keys", `given more than once: ${repeated.join(", ")}`);
  return pass("unique keys", `${genesis.accounts.length} accounts and ${genesis.validators.length} validators, all different`);
}

function checkKeys(genesis: Genesis): GenesisCheck {
  const bad = [
    ...genesis.accounts.filter((a) => !checkPublicKey(a.publicKey)).map((a) => `account ${toHex(a.publicKey)}`),
    ...genesis.validators.filter((v) => !checkPublicKey(v.publicKey) || !isTorsionFree(v.publicKey)).map((v) => `validator ${v.name}`),
    ...genesis.validators.filter((v) => !checkPublicKey(v.owner)).map((v) => `owner of ${v.name}`),
  ];
  if (bad.length > 0) return fail("key validity", `not a valid Ed25519 key: ${bad.join(", ")}`);
  return pass("key validity", "every key is canonical and not of small order; validator keys are torsion free");
}

function checkPossession(genesis: Genesis, verify: VerifySignature): GenesisCheck {
  const bad = genesis.validators.filter(
    (v) => !verify(v.publicKey, proofOfPossessionBytes(v.publicKey, genesis.chainName), v.proofOfPossession),
  );
  if (bad.length > 0) return fail("proofs of possession", `does not verify for this chain name: ${bad.map((v) => v.name).join(", ")}`);
  return pass("proofs of possession", "every validator key signed for this chain name");
}

function checkQuorum(genesis: Genesis): GenesisCheck[] {
  const set = genesisValidatorSet(genesis);
  if (!set.ok) return [fail("quorum arithmetic", QUORUM_FAULTS[set.error])];
  const { totalWeight, faultyWeightMax, quorumWeight } = set.value;
  const count = genesis.validators.length;
  const figures = `W ${totalWeight}, F ${faultyWeightMax}, Q ${quorumWeight} of ${count} validators`;
  if (count === 5 || count === 6)
    return [warn("quorum arithmetic", `${figures}; 5 or 6 tolerate no more faults than 4, and need a larger quorum`)];
  if (count < 7) return [warn("quorum arithmetic", `${figures}; production sets have 7 or more, 4 is the pilot size`)];
  return [pass("quorum arithmetic", figures)];
}

const QUORUM_FAULTS = {
  empty: "there is no validator; add one with `genesis add-validator`",
  tooMany: "there are more validators than a set may have",
  duplicateKey: "two validators share a key",
  zeroWeight: "a validator has no stake; each needs at least 1 unit",
  weightOverflow: "the stakes add up to more than 64 bits",
  singleWeightAboveF: "one validator has more weight than the faulty weight a network of these tolerates; spread the stake",
} as const;

function checkParameters(genesis: Genesis): GenesisCheck {
  const { parameters: p } = genesis;
  const problems: string[] = [];
  if (p.maxValidity < 1n) problems.push("maxValidity must be at least 1 block");
  if (genesis.accounts.length > 0 && genesis.accounts.every((a) => a.balance < p.minimumFee))
    problems.push("no account can pay minimumFee");
  const poor = genesis.validators.filter(({ stake }) => stake > 0n && stake < p.minimumStake).map(({ name }) => name);
  if (poor.length > 0) problems.push(`minimumStake ${p.minimumStake} is more than the stake of ${poor.join(", ")}`);
  if (genesis.validators.length > p.validatorsMax) problems.push(`validatorsMax ${p.validatorsMax} is below the validators there are`);
  if (!Number.isSafeInteger(genesis.timeMs) || genesis.timeMs < 0) problems.push("time lies before 1970");
  if (problems.length > 0) return fail("parameter relations", problems.join("; "));
  return pass("parameter relations", `minimum fee ${p.minimumFee}, fees: ${p.feePolicy}, validity up to ${p.maxValidity} blocks`);
}

function checkSignatures(genesis: Genesis, verify: VerifySignature): GenesisCheck {
  const message = genesisSignBytes(genesis.hash);
  const given = new Map(genesis.document.signatures.map((s) => [s.publicKey, parseHex(s.signature) ?? new Uint8Array(0)]));
  const strangers = [...given.keys()].filter((key) => !genesis.validators.some((v) => toHex(v.publicKey) === key));
  const missing = genesis.validators.filter((v) => !given.has(toHex(v.publicKey))).map((v) => v.name);
  const bad = genesis.validators.filter((v) => {
    const signature = given.get(toHex(v.publicKey));
    return signature !== undefined && !verify(v.publicKey, message, signature);
  });
  const problems = [
    missing.length > 0 ? `missing from ${missing.join(", ")} (run \`genesis sign\` there)` : "",
    bad.length > 0 ? `wrong from ${bad.map((v) => v.name).join(", ")} (the document changed after they signed)` : "",
    strangers.length > 0 ? `by keys that are no validators: ${strangers.join(", ")}` : "",
    given.size !== genesis.document.signatures.length ? "one key signed twice" : "",
  ].filter((problem) => problem !== "");
  if (problems.length > 0) return fail("signatures", problems.join("; "));
  return pass("signatures", `all ${genesis.validators.length} initial validators signed the hash`);
}

function checkHash(genesis: Genesis, expected: Uint8Array | undefined): GenesisCheck {
  if (expected && !bytesEqual(genesis.hash, expected))
    return fail("hash", `expected ${toHex(expected)}, this document has ${toHex(genesis.hash)}`);
  return pass("hash", toHex(genesis.hash));
}

function repeats(values: readonly string[]): string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const value of values) (seen.has(value) ? repeated : seen).add(value);
  return [...repeated];
}

function pass(check: string, detail: string): GenesisCheck {
  return { check, verdict: "pass", detail };
}

function warn(check: string, detail: string): GenesisCheck {
  return { check, verdict: "warn", detail };
}

function fail(check: string, detail: string): GenesisCheck {
  return { check, verdict: "fail", detail };
}
