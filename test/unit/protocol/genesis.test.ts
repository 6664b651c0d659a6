import { describe, expect, test } from "bun:test";
import { localSigner, type Signer, sha256, verifyEd25519 } from "../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";
import {
  formatAddress,
  formatGenesis,
  type GenesisDocument,
  genesisHashOf,
  genesisOf,
  genesisSignBytes,
  parseGenesis,
  proofOfPossessionBytes,
  validateGenesis,
} from "../../../src/protocol/index.ts";

const chainName = "barn-north";
const signers = Array.from({ length: 7 }, (_, i) => localSigner(sha256(utf8(`genesis ${i}`))));

function unsigned(count: number): GenesisDocument {
  return {
    format: "bizra-genesis/1",
    chainName,
    time: "2026-11-22T00:00:00Z",
    parameters: {
      minimumFee: "1000",
      maxValidity: "1000000",
      feePolicy: "burn",
      blockBytesMax: 1_048_576,
      blockTransactionsMax: 4_096,
      epochBlocks: 10_000,
      epochMs: 86_400_000,
    },
    accounts: [{ address: formatAddress(localSigner(sha256(utf8("rich"))).publicKey), balance: "1000000000000000000" }],
    validators: signers.slice(0, count).map((signer, i) => ({
      name: `box-${i}`,
      publicKey: toHex(signer.publicKey),
      owner: formatAddress(signer.publicKey),
      stake: "100",
      proofOfPossession: toHex(signer.sign(proofOfPossessionBytes(signer.publicKey, chainName))),
    })),
    signatures: [],
  };
}

function signed(document: GenesisDocument, by: readonly Signer[] = signers.slice(0, document.validators.length)): GenesisDocument {
  const message = genesisSignBytes(genesisHashOf(document));
  return { ...document, signatures: by.map((s) => ({ publicKey: toHex(s.publicKey), signature: toHex(s.sign(message)) })) };
}

const failed = (document: GenesisDocument): string[] => failedText(formatGenesis(document));
const failedText = (text: string): string[] =>
  validateGenesis(text, verifyEd25519)
    .checks.filter((c) => c.verdict === "fail")
    .map((c) => c.check);

describe("genesis", () => {
  test("genesis: complete and signed by all, every check passes", () => {
    const report = validateGenesis(formatGenesis(signed(unsigned(7))), verifyEd25519);
    expect(report.checks.map((c) => c.verdict)).toEqual(Array(10).fill("pass"));
    expect(report.genesis?.validators.length).toBe(7);
  });

  test("genesis: white space and key order of the text, same hash", () => {
    const document = signed(unsigned(4));
    const { chainName: name, ...rest } = document;
    const reordered = parseGenesis(JSON.stringify({ ...rest, chainName: name }));
    if (!reordered.ok) throw new Error(reordered.error);
    expect(toHex(reordered.value.hash)).toBe(toHex(genesisHashOf(document)));
  });

  test("genesis: signatures do not change the hash, anything else does", () => {
    expect(genesisHashOf(signed(unsigned(4)))).toEqual(genesisHashOf(unsigned(4)));
    expect(genesisHashOf({ ...unsigned(4), time: "2026-11-22T00:00:01Z" })).not.toEqual(genesisHashOf(unsigned(4)));
  });

  test("genesis: 5 or 6 validators or below 7, a warning and no failure", () => {
    for (const count of [1, 4, 5, 6]) {
      const report = validateGenesis(formatGenesis(signed(unsigned(count))), verifyEd25519);
      expect(report.checks.filter((c) => c.verdict !== "pass").map((c) => [c.check, c.verdict])).toEqual([["quorum arithmetic", "warn"]]);
    }
  });

  test("genesis: each kind of mistake, its own failed check", () => {
    const good = unsigned(7);
    const [account] = good.accounts as [GenesisDocument["accounts"][0]];
    const [validator] = good.validators as [GenesisDocument["validators"][0]];
    const withValidator = (change: Partial<typeof validator>) =>
      signed({ ...good, validators: [{ ...validator, ...change }, ...good.validators.slice(1)] });
    expect(failed(good)).toEqual(["signatures"]);
    expect(failed(signed(good, signers.slice(0, 6)))).toEqual(["signatures"]);
    expect(failed(signed(good, [...signers, localSigner(sha256(utf8("stranger")))]))).toEqual(["signatures"]);
    expect(failed({ ...signed(good), time: "2027-01-01T00:00:00Z" })).toEqual(["signatures"]);
    expect(failed(signed({ ...good, accounts: [account, account] }))).toEqual(["unique keys"]);
    expect(failed(signed({ ...good, accounts: [{ ...account, balance: "18446744073709551615" }] }))).toEqual(["sums"]);
    expect(failed(withValidator({ stake: "0" }))).toEqual(["quorum arithmetic"]);
    expect(failed(withValidator({ stake: "100000" }))).toEqual(["quorum arithmetic"]);
    expect(failed(withValidator({ proofOfPossession: "0".repeat(128) }))).toEqual(["proofs of possession"]);
    expect(failed(signed({ ...good, parameters: { ...good.parameters, maxValidity: "0" } }))).toEqual(["parameter relations"]);
    expect(failed(signed({ ...good, parameters: { ...good.parameters, minimumStake: "101" } }))).toEqual(["parameter relations"]);
    expect(failed(signed({ ...good, parameters: { ...good.parameters, validatorsMax: 6 } }))).toEqual(["parameter relations"]);
    const smallOrder = `01${"00".repeat(31)}`;
    expect(failed(withValidator({ publicKey: smallOrder }))).toContain("key validity");
  });

  test("genesis: staking parameters, their defaults when absent, without a trace in the hash, and refused out of bounds", () => {
    const absent = genesisOf(unsigned(4));
    const staking = { minimumStake: 1n, slashPerMyriad: 500, jailEpochs: 4, validatorsMax: 128, unbondingMs: 604_800_000 };
    expect(absent.parameters).toMatchObject({ ...staking, reputationEntryMin: 1_000 });
    const given = { ...unsigned(4), parameters: { ...unsigned(4).parameters, minimumStake: "100", slashPerMyriad: 0, jailEpochs: 9 } };
    expect(genesisOf(given).parameters).toMatchObject({ minimumStake: 100n, slashPerMyriad: 0, jailEpochs: 9 });
    expect(toHex(genesisOf(given).hash)).not.toBe(toHex(absent.hash));
    const bad = {
      minimumStake: "0",
      slashPerMyriad: 10_000,
      jailEpochs: 0,
      validatorsMax: 129,
      unbondingMs: -1,
      reputationEntryMin: 10_001,
    };
    for (const [name, value] of Object.entries(bad)) {
      const parsed = parseGenesis(JSON.stringify({ ...unsigned(4), parameters: { ...unsigned(4).parameters, [name]: value } }));
      expect(parsed.ok ? "" : parsed.error).toContain(`parameters.${name}`);
    }
  });

  test("genesis: text that repeats a key or is no genesis, refused with where", () => {
    const text = formatGenesis(signed(unsigned(7)));
    expect(failedText(text.replace('"chainName"', '"chainName": "other",\n  "chainName"'))).toEqual(["canonical form"]);
    expect(failedText("{")).toEqual(["schema"]);
    const wrong = parseGenesis(text.replace('"1000000000000000000"', '"01"'));
    expect(wrong.ok ? "" : wrong.error).toContain("accounts.0.balance");
    const extra = parseGenesis(text.replace('"chainName"', '"surprise": 1, "chainName"'));
    expect(extra.ok ? "" : extra.error).toContain("surprise");
  });

  test("genesis: another hash than expected, refused", () => {
    const report = validateGenesis(formatGenesis(signed(unsigned(7))), verifyEd25519, new Uint8Array(32));
    expect(report.checks.at(-1)?.verdict).toBe("fail");
    expect(report.genesis).toBeUndefined();
  });
});
