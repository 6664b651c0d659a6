import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { bizra, bizraJson, lastJson } from "./support/bizra.ts";
import { Client } from "./support/client.ts";
import { addressOf, newKeys } from "./support/independent-client.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const passphrase = place.at("passphrase");
writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 });
const sealed = ["--passphrase-file", passphrase] as const;
const alice = newKeys();
const owner = newKeys();

afterAll(() => place.end());

/** A box of a ceremony: its home with keys, and what it tells the others. */
type Box = { readonly name: string; readonly home: string; readonly key: string; readonly publicKey: string };

async function makeBox(name: string): Promise<Box> {
  const home = place.at(name);
  const { file, publicKey } = await bizraJson("keys", "new", "--purpose", "validator", "--home", home, ...sealed);
  return { name, home, key: String(file), publicKey: String(publicKey) };
}

/** Starts a document with one funded account. */
async function newGenesis(chain: string): Promise<string> {
  const file = place.at(`${chain}.json`);
  await bizraJson(
    "genesis",
    "new",
    "--chain",
    chain,
    "--out",
    file,
    "--account",
    `${addressOf(alice.publicKey)}=1000000000`,
    "--minimum-fee",
    "10",
  );
  return file;
}

/** Adds a box that is elsewhere: by its public key and the proof of possession that it printed. */
async function addRemote(genesis: string, chain: string, box: Box): Promise<void> {
  const { proofOfPossession } = await bizraJson("keys", "show", box.key, "--chain", chain, ...sealed);
  const words = ["--public-key", box.publicKey, "--proof", String(proofOfPossession), "--name", box.name];
  await bizraJson("genesis", "add-validator", genesis, ...words, "--owner", addressOf(owner.publicKey), "--stake", "1000");
}

/** Verdicts of `genesis validate` by check. */
async function verdicts(genesis: string, ...words: readonly string[]): Promise<{ code: number; failed: string[]; said: string }> {
  const { code, out } = await bizra("genesis", "validate", genesis, ...words, "--json");
  const { valid, checks } = lastJson(out) as { valid: boolean; checks: { check: string; verdict: string; detail: string }[] };
  expect(valid).toBe(code === 0);
  expect(checks.every(({ detail }) => detail.length > 0)).toBe(true);
  const failed = checks.filter(({ verdict }) => verdict === "fail");
  return { code, failed: failed.map(({ check }) => check), said: failed.map(({ detail }) => detail).join("; ") };
}

describe("the ceremony", () => {
  test("e2e: a genesis made by hand for one validator, a node that runs on it", async () => {
    const genesis = await newGenesis("solo");
    const box = await makeBox("solo-box");
    await bizraJson("keys", "new", "--purpose", "identity", "--home", box.home, ...sealed);
    const words = ["--key", box.key, "--name", "solo-box", "--owner", addressOf(owner.publicKey), "--stake", "1000", ...sealed];
    await bizraJson("genesis", "add-validator", genesis, ...words);
    expect(await verdicts(genesis)).toMatchObject({ code: 1, failed: ["signatures"] });
    const signed = await bizraJson("genesis", "sign", genesis, "--key", box.key, ...sealed);
    expect(signed["missing"]).toBe(0);
    expect(await verdicts(genesis)).toMatchObject({ code: 0, failed: [] });
    const { hash } = await bizraJson("genesis", "show", genesis);
    expect(hash).toBe(signed["hash"]);
    expect(await verdicts(genesis, "--hash", String(hash))).toMatchObject({ code: 0 });
    writeFileSync(`${box.home}/genesis.json`, readFileSync(genesis));
    const node = await place.start(box.home, {
      words: ["--http-listen", "127.0.0.1:0"],
      environment: { BIZRA_PASSPHRASE: "correct horse battery staple" },
    });
    const client = new Client(node, Buffer.from(String(hash), "hex"));
    await client.pay(alice, owner.publicKey, 5);
    expect((await client.account(owner.publicKey))["balance"]).toBe("5");
    expect((await client.account(alice.publicKey))["balance"]).toBe("999999985");
    expect(await node.get("/api/v2/genesis")).toEqual(JSON.parse(readFileSync(genesis, "utf8")) as Record<string, unknown>);
    expect(await node.stop()).toBe(0);
  }, 240_000);

  test("e2e: four boxes that are apart, each signs, and every tampering is named", async () => {
    const genesis = await newGenesis("quartet");
    const boxes = await Promise.all(["north", "east", "south", "west"].map(makeBox));
    for (const box of boxes) await addRemote(genesis, "quartet", box);
    for (const [at, box] of boxes.entries()) {
      expect((await verdicts(genesis)).failed).toEqual(["signatures"]);
      const { missing } = await bizraJson("genesis", "sign", genesis, "--key", box.key, ...sealed);
      expect(missing).toBe(3 - at);
    }
    expect(await verdicts(genesis)).toMatchObject({ code: 0, failed: [] });
    const text = readFileSync(genesis, "utf8");
    const { hash } = await bizraJson("genesis", "show", genesis);
    const tampered = place.at("tampered.json");
    const tampers: readonly (readonly [string, (text: string) => string, string])[] = [
      ["a balance", (t) => t.replace('"1000000000"', '"2000000000"'), "signatures"],
      ["a stake", (t) => t.replace('"stake": "1000"', '"stake": "1001"'), "signatures"],
      ["a parameter", (t) => t.replace('"minimumFee": "10"', '"minimumFee": "0"'), "signatures"],
      ["the chain's name", (t) => t.replace('"quartet"', '"quintet"'), "proofs of possession"],
      [
        "a signature",
        (t) => t.replace(/"signature": "(..)/, (_, first: string) => `"signature": "${first === "00" ? "01" : "00"}`),
        "signatures",
      ],
      [
        "a proof",
        (t) => t.replace(/"proofOfPossession": "(..)/, (_, first: string) => `"proofOfPossession": "${first === "00" ? "01" : "00"}`),
        "proofs of possession",
      ],
      ["a validator twice", (t) => t.replace(boxes[0]?.publicKey ?? "", boxes[1]?.publicKey ?? ""), "unique keys"],
      ["most of the weight", (t) => t.replace('"stake": "1000"', '"stake": "100000"'), "quorum arithmetic"],
      ["beyond 64 bits", (t) => t.replace('"1000000000"', '"18446744073709551615"'), "sums"],
      ["an amount with a letter", (t) => t.replace('"1000000000"', '"10000q0000"'), "schema"],
      ["an amount below zero", (t) => t.replace('"1000000000"', '"-1"'), "schema"],
      ["a word twice", (t) => t.replace('"chainName"', '"chainName": "x",\n  "chainName"'), "canonical form"],
      ["an unknown word", (t) => t.replace('"accounts"', '"note": 1, "accounts"'), "schema"],
      ["half of it", (t) => t.slice(0, t.length / 2), "schema"],
    ];
    for (const [name, change, check] of tampers) {
      const changed = change(text);
      expect([name, changed === text]).toEqual([name, false]);
      writeFileSync(tampered, changed);
      const { code, failed } = await verdicts(tampered);
      expect([name, code, failed.includes(check)]).toEqual([name, 1, true]);
    }
    expect(await verdicts(genesis, "--hash", "00".repeat(32))).toMatchObject({ code: 1, failed: ["hash"] });
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  }, 240_000);

  test("e2e: what would go wrong silently, refused: overwriting, strangers, wrong passphrases", async () => {
    const genesis = await newGenesis("careful");
    const box = await makeBox("careful-box");
    const before = readFileSync(genesis, "utf8");
    const refusals = [
      ["genesis", "new", "--chain", "careful", "--out", genesis, "--account", `${addressOf(alice.publicKey)}=1`],
      ["keys", "new", "--purpose", "validator", "--home", box.home, ...sealed],
      ["genesis", "sign", genesis, "--key", box.key, ...sealed],
      ["genesis", "show", place.at("nowhere.json")],
    ];
    for (const words of refusals) {
      const { code, err } = await bizra(...words);
      expect([words.slice(0, 2).join(" "), code]).toEqual([words.slice(0, 2).join(" "), 1]);
      expect(err).toMatch(/expected/);
    }
    const wrong = place.at("wrong");
    writeFileSync(wrong, "wrong\n", { mode: 0o600 });
    const shown = await bizra("keys", "show", box.key, "--chain", "careful", "--passphrase-file", wrong);
    expect([shown.code, /passphrase/.test(shown.err)]).toEqual([1, true]);
    const proof = "00".repeat(64);
    const words = ["--public-key", box.publicKey, "--proof", proof, "--name", "x", "--owner", addressOf(owner.publicKey), "--stake", "1"];
    const added = await bizra("genesis", "add-validator", genesis, ...words);
    expect([added.code, /possession/.test(added.err)]).toEqual([1, true]);
    expect(readFileSync(genesis, "utf8")).toBe(before);
    expect(readFileSync(box.key, "utf8")).not.toContain("PRIVATE KEY");
  }, 240_000);
});
