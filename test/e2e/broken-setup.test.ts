import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bizra, homeOf, lastJson, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Client } from "./support/client.ts";
import { readKeys } from "./support/independent-client.ts";
import type { StartOptions } from "./support/node-process.ts";
import { edit, findMutenessFaults, findRefusalFaults, raiseDatabaseVersion, raiseLogVersion } from "./support/start-refusal.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
/** A home that has run and was stopped, and one of another chain. */
let home: string;
let stranger: string;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  home = homeOf(net);
  const other = await makeTestnet(place.at("other"));
  stranger = homeOf(other);
  for (const network of [net, other]) {
    const node = await place.start(homeOf(network));
    const client = new Client(node, network.hash);
    const [alice = "", bob = ""] = Object.values(network.accounts);
    await client.pay(readKeys(alice), readKeys(bob).publicKey, 5);
    expect(await node.stop()).toBe(0);
  }
}, 240_000);

afterAll(() => place.end());

/** One way to break a home: what is done, and what the refusal has to say. */
type Break = {
  readonly name: string;
  readonly harm: (copy: string) => void;
  readonly says: readonly (RegExp | string)[];
  readonly start?: StartOptions;
};

/** Requires of each broken copy that the node refuses it in words. */
async function refusesEach(breaks: readonly Break[]): Promise<void> {
  const found: string[][] = [];
  for (const { name, harm, says, start } of breaks) {
    const copy = place.copyOf(home);
    harm(copy);
    const faults = await findRefusalFaults(place, copy, says, start);
    if (faults.length > 0) found.push([name, ...faults]);
  }
  expect(found).toEqual([]);
}

const at = (copy: string, name: string): string => join(copy, name);

describe("homes that cannot run", () => {
  test("e2e: a genesis that is damaged, changed, unsigned or another chain's, refused in words", async () => {
    await refusesEach([
      { name: "missing", harm: (copy) => rmSync(at(copy, "genesis.json")), says: ["genesis.json", /copy/i] },
      { name: "empty", harm: (copy) => writeFileSync(at(copy, "genesis.json"), ""), says: ["genesis.json", /JSON/] },
      { name: "no JSON", harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.slice(0, 200)), says: ["genesis.json", /JSON/] },
      {
        name: "a later format",
        harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.replace("bizra-genesis/1", "bizra-genesis/2")),
        says: ["genesis.json", "format"],
      },
      {
        name: "more money",
        harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.replace(/"balance": "1/, '"balance": "2')),
        says: ["genesis.json", /signature/],
      },
      {
        name: "an unknown field",
        harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.replace('"accounts"', '"extra": 1,\n  "accounts"')),
        says: ["genesis.json", "extra"],
      },
      {
        name: "a field twice",
        harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.replace('"chainName"', '"chainName": "other",\n  "chainName"')),
        says: ["genesis.json", /twice|canonical/],
      },
      {
        name: "no signatures",
        harm: (copy) => edit(at(copy, "genesis.json"), (text) => text.replace(/"signatures": \[[^\]]*\]/, '"signatures": []')),
        says: ["genesis.json", /missing/, "genesis sign"],
      },
      {
        name: "another chain's",
        harm: (copy) => copyFileSync(at(stranger, "genesis.json"), at(copy, "genesis.json")),
        says: ["genesis.json", /expected|differs|not among/],
      },
    ]);
  }, 240_000);

  test("e2e: a configuration that says nonsense, refused with file, line and remedy", async () => {
    const append = (text: string) => (copy: string) => edit(at(copy, "node.toml"), (before) => `${before}\n${text}\n`);
    const inMempool = (line: string) => (copy: string) =>
      edit(at(copy, "node.toml"), (before) => before.replace("[mempool]", `[mempool]\n${line}`));
    await refusesEach([
      { name: "no TOML", harm: append("= = ="), says: [/node\.toml:\d+/, "expected"] },
      { name: "an unknown key", harm: inMempool("bytesMaximum = 5"), says: ["node.toml", "bytesMax"] },
      { name: "an unknown section", harm: append("[mempol]\nbytesMax = 5"), says: ["node.toml", "mempol"] },
      { name: "a wrong type", harm: inMempool('bytesMax = "many"'), says: ["node.toml", "mempool.bytesMax", "expected"] },
      { name: "out of bounds", harm: inMempool("bytesMax = 5"), says: ["node.toml", "mempool.bytesMax", "expected"] },
      {
        name: "a later version",
        harm: (copy) => edit(at(copy, "node.toml"), (text) => text.replace(/^version = 1$/m, "version = 2")),
        says: ["node.toml", "version"],
      },
      {
        name: "a wrong variable",
        harm: () => {},
        says: ["BIZRA_MEMPOOL_BYTES_MAX", "expected"],
        start: { environment: { BIZRA_MEMPOOL_BYTES_MAX: "lots" } },
      },
      { name: "an unknown variable", harm: () => {}, says: ["BIZRA_MEMPOL", "expected"], start: { environment: { BIZRA_MEMPOL: "1" } } },
      {
        name: "an address of nobody",
        harm: () => {},
        says: ["192.0.2.1", "http.listen"],
        start: { words: ["--http-listen", "192.0.2.1:0"] },
      },
    ]);
  }, 240_000);

  test("e2e: keys that are gone, damaged, for another purpose or of a stranger, refused with their path", async () => {
    const key = (copy: string): string => at(copy, "keys/validator.json");
    await refusesEach([
      { name: "missing", harm: (copy) => rmSync(key(copy)), says: ["keys/validator.json"] },
      { name: "empty", harm: (copy) => writeFileSync(key(copy), ""), says: ["keys/validator.json"] },
      { name: "cut off", harm: (copy) => edit(key(copy), (text) => text.slice(0, 100)), says: ["keys/validator.json"] },
      {
        name: "a later format",
        harm: (copy) => edit(key(copy), (text) => text.replace("bizra-key/1", "bizra-key/2")),
        says: ["keys/validator.json", "bizra-key/1"],
      },
      {
        name: "another purpose",
        harm: (copy) => copyFileSync(at(copy, "keys/identity.json"), key(copy)),
        says: ["keys/validator.json", "identity"],
      },
      {
        name: "another public key",
        harm: (copy) => edit(key(copy), (text) => text.replace(/"publicKey": "../, '"publicKey": "00')),
        says: ["keys/validator.json"],
      },
      { name: "no identity", harm: (copy) => rmSync(at(copy, "keys/identity.json")), says: ["keys/identity.json"] },
      {
        name: "a stranger's",
        harm: (copy) => {
          for (const name of ["validator.json", "identity.json", "passphrase"])
            copyFileSync(at(stranger, `keys/${name}`), at(copy, `keys/${name}`));
        },
        says: ["keys/validator.json", "genesis.json"],
      },
    ]);
  }, 240_000);

  test("e2e: a passphrase that is gone, wrong, empty or open to others, refused with its path", async () => {
    const file = (copy: string): string => at(copy, "keys/passphrase");
    await refusesEach([
      { name: "missing", harm: (copy) => rmSync(file(copy)), says: ["keys/passphrase", "passphraseFile"] },
      { name: "wrong", harm: (copy) => writeFileSync(file(copy), "another\n"), says: [/passphrase/, "keys/validator.json"] },
      { name: "empty", harm: (copy) => writeFileSync(file(copy), "\n"), says: ["keys/passphrase", "empty"] },
      { name: "readable by others", harm: (copy) => chmodSync(file(copy), 0o644), says: ["keys/passphrase", "chmod 600"] },
      { name: "wrong variable", harm: () => {}, says: [/passphrase/], start: { environment: { BIZRA_PASSPHRASE: "another" } } },
    ]);
  }, 240_000);

  test("e2e: stores of another chain or a later release, refused by name", async () => {
    const names = readdirSync(home);
    const databases = names.filter((name) => name.endsWith(".db") && name !== "state.db");
    expect(databases).toContain("chain.db");
    const later = databases.map(
      (name): Break => ({
        name: `${name} marked as of a later release`,
        harm: (copy) => raiseDatabaseVersion(at(copy, name)),
        says: [name, /later|version|sum/],
      }),
    );
    const moveIn =
      (name: string) =>
      (copy: string): void => {
        for (const file of readdirSync(copy)) if (file.startsWith(name)) rmSync(at(copy, file), { recursive: true });
        for (const file of readdirSync(stranger))
          if (file.startsWith(name)) cpSync(at(stranger, file), at(copy, file), { recursive: true });
      };
    await refusesEach([
      ...later,
      {
        name: "batches of a later release",
        harm: (copy) => raiseLogVersion(at(copy, "batches")),
        says: ["batches", /version|later|release/],
      },
      { name: "another chain's chain.db", harm: moveIn("chain.db"), says: ["chain.db"] },
      { name: "another chain's node.db", harm: moveIn("node.db"), says: ["node.db"] },
      { name: "another chain's batches", harm: moveIn("batches"), says: [/batches|chain\.db/] },
    ]);
  }, 240_000);
});

describe("a journal that is not there (J7)", () => {
  test("e2e: a journal of a later release, refused by name and left as it is, named by doctor", async () => {
    const copy = place.copyOf(home);
    raiseLogVersion(at(copy, "journal"));
    expect(await findRefusalFaults(place, copy, [/journal.*format 999 is newer/])).toEqual([]);
    expect(readdirSync(copy).filter((name) => name.startsWith("journal"))).toEqual(["journal"]);
    const doctor = await bizra("doctor", "--home", copy);
    expect(doctor.code).toBe(1);
    expect(doctor.out).toMatch(/journal.*format 999 is newer/);
  }, 240_000);

  for (const [what, harm] of [
    ["missing", (copy: string) => rmSync(at(copy, "journal"), { recursive: true })],
    ["empty", (copy: string) => readdirSync(at(copy, "journal")).forEach((name) => void rmSync(at(copy, `journal/${name}`)))],
    ["another key's", (copy: string) => cpSync(at(stranger, "journal"), at(copy, "journal"), { recursive: true, force: true })],
  ] as const) {
    test(`e2e: a journal ${what}, no vote, named with a way out, which leads out`, async () => {
      const copy = place.copyOf(home);
      harm(copy);
      const before = readdirSync(copy).includes("journal") ? readdirSync(at(copy, "journal")) : [];
      expect(await findMutenessFaults(place, copy, [/journal/])).toEqual([]);
      expect(readdirSync(copy).includes("journal") ? readdirSync(at(copy, "journal")) : []).toEqual(before);
      const doctor = await bizra("doctor", "--home", copy, "--json");
      expect([doctor.code, lastJson(doctor.out)["ok"]]).toEqual([1, false]);
      expect(doctor.out).toMatch(/journal.*--recover-journal/);
      const recovered = await bizra("doctor", "--home", copy, "--recover-journal");
      expect([what, recovered.code, recovered.out + recovered.err]).toEqual([what, 0, expect.any(String)]);
      const node = await place.start(copy);
      const [alice = "", bob = ""] = Object.values(net.accounts);
      await new Client(node, net.hash).pay(readKeys(alice), readKeys(bob).publicKey, 5);
      expect(await node.stop()).toBe(0);
    }, 240_000);
  }
});

describe("places and words", () => {
  test("e2e: a home in use, a second node steps back and says who has it, doctor says that it runs", async () => {
    const node = await place.start(place.copyOf(home));
    expect(await findRefusalFaults(place, node.home, [node.home, /running|use/i])).toEqual([]);
    const doctor = await bizra("doctor", "--home", node.home);
    expect(doctor.err + doctor.out).toMatch(/run/i);
    expect((await node.request("/readyz")).status).toBe(200);
    const taken = new URL(node.http).host;
    const faults = await findRefusalFaults(place, place.copyOf(home), [taken, /taken|in use/, "http.listen"], {
      words: ["--http-listen", taken],
    });
    expect(faults).toEqual([]);
    expect(await node.stop()).toBe(0);
  }, 240_000);

  test("e2e: a home that does not exist or is a file, exit 1; wrong words, exit 2 with the usage", async () => {
    expect(await findRefusalFaults(place, place.at("nowhere"), [place.at("nowhere"), /expected/])).toEqual([]);
    writeFileSync(place.at("file"), "");
    expect(await findRefusalFaults(place, place.at("file"), [place.at("file")])).toEqual([]);
    const wrong = [
      ["node"],
      ["node", "--home"],
      ["node", "--home", home, "--no-such-flag", "1"],
      ["node", "--home", home, "--home", home],
      ["node", "extra", "--home", home],
      ["testnet", "--validators", "x", "--out", place.at("x")],
      ["testnet", "--validators", "0", "--out", place.at("x")],
      ["frobnicate"],
      ["genesis", "frobnicate"],
      ["tx", "transfer", "--to", "nobody", "--amount", "1"],
    ];
    for (const words of wrong) {
      const { code, err } = await bizra(...words);
      expect([words.join(" "), code]).toEqual([words.join(" "), 2]);
      expect(err).toMatch(/expected|Usage/);
    }
  }, 240_000);
});
