import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHomeJournal } from "../../src/cli/home.ts";
import { COMMANDS, runCommandLine } from "../../src/cli/index.ts";
import { createNetwork } from "../../src/cli/network-files.ts";
import { nobleSuite } from "../../src/crypto/index.ts";
import { makeKeyFile, parseKeyFile } from "../../src/identity/index.ts";
import { Prng, parseHex, present, silentLog, toHex } from "../../src/kernel/index.ts";
import { examineHome, HOME, openSetup, type RunningNode, startNode } from "../../src/node/index.ts";
import {
  decodeEntry,
  decodeProofBundle,
  formatAddress,
  genesisValidatorSet,
  parseGenesis,
  verifyProofBundle,
} from "../../src/protocol/index.ts";

/** A node of one validator and the commands of its operator, in one process: command line, HTTP, mempool, blocks, ledger and state. */
const folder = mkdtempSync(join(tmpdir(), "bizra-staking-"));
const random = new Prng(20_261_122);
const entropy = { bytes: (count: number) => random.bytes(count) };
const passphraseFile = join(folder, "passphrase");
let node: RunningNode;
let home: string;
let genesisHash: Uint8Array;
let alice: string;
let running: string;

beforeAll(async () => {
  const plan = { directory: join(folder, "net"), chainName: "staking", validators: 1, timeMs: 1_790_000_000_000 };
  const files = await createNetwork({ ...plan, settingsOf: () => ({ "http.listen": "127.0.0.1:0" }) }, entropy);
  home = present(files.homes[0], "a network of one has a home");
  alice = present(files.accounts[0], "a demo network has accounts").key;
  genesisHash = files.genesisHash;
  writeFileSync(passphraseFile, "correct horse\n", { mode: 0o600 });
  node = await startNode(await openSetup(home, {}, () => Promise.resolve(undefined)), silentLog);
  running = (await read<{ validator: string }>("status")).validator;
});
afterAll(async () => {
  await node.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function read<T>(path: string): Promise<T> {
  return (await (await fetch(`${node.http}/api/v2/${path}`)).json()) as T;
}

/** Runs a command to its end; the JSON it printed last. */
async function bizra<T = Record<string, unknown>>(...words: readonly string[]): Promise<T> {
  let printed = "";
  const out = spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await runCommandLine(COMMANDS, [...words, "--json"]);
  } finally {
    out.mockRestore();
  }
  return JSON.parse(printed.trim().split("\n").at(-1) ?? "{}");
}

/** Submits a transaction and waits until it is final; the code of its receipt, or of its refusal. */
async function tx(command: string, key: string, ...words: readonly string[]): Promise<string> {
  const secret = key === alice ? [] : ["--passphrase-file", join(home, HOME.passphrase)];
  const outcome = await bizra<{ id?: string; code?: string; receipt?: { code: string }; error?: unknown }>(
    "tx",
    command,
    "--url",
    node.http,
    "--key",
    key,
    "--wait",
    "final",
    ...secret,
    ...words,
  );
  if (outcome.id !== undefined) last = outcome.id;
  return outcome.receipt?.code ?? outcome.code ?? JSON.stringify(outcome);
}
let last = "";

/** A sealed validator key of a box elsewhere. */
async function makeBox(name: string): Promise<{ file: string; id: string }> {
  const { text, signer } = await makeKeyFile("validator", "correct horse", { n: 2 ** 12, r: 8, p: 1 }, entropy);
  const file = join(folder, `${name}.json`);
  writeFileSync(file, text);
  return { file, id: toHex(signer.publicKey) };
}

describe("a validator's life by command line", () => {
  let box: { file: string; id: string };

  test("register, stake, unstake: told by HTTP as done", async () => {
    box = await makeBox("box");
    const described = ["--commission", "500", "--endpoint", "box.example:4600", "--metadata", "a box"];
    const words = ["--validator-key", box.file, "--passphrase-file", passphraseFile, ...described];
    expect(await tx("validator-register", alice, ...words)).toBe("applied");
    expect(await tx("validator-register", alice, ...words)).toBe("notAuthorized");
    expect(await read(`validators/${box.id}`)).toMatchObject({ id: box.id, status: "waiting", commission: 500, stake: "0", duties: [] });
    expect(await tx("stake", alice, "--validator", box.id, "--amount", "1000")).toBe("applied");
    expect(await tx("unstake", alice, "--validator", box.id, "--amount", "400")).toBe("applied");
    expect(await tx("withdraw", alice, "--validator", box.id, "--amount", "all")).toBe("insufficientFunds");
    const address = (await bizra<{ address: string }>("account", alice, "--url", node.http)).address;
    const { epoch } = await read<{ epoch: number }>("status"); // the genesis is old, so the first block ended its epoch
    expect(await read(`accounts/${address}`)).toMatchObject({
      stake: "600",
      bonds: [
        { validator: box.id, stake: "600", withdrawable: "0", unbonding: [{ amount: "400", releaseEpoch: epoch + 3, isReleased: false }] },
      ],
    });
    expect(await read(`validators/${box.id}`)).toMatchObject({ stake: "600", unbonding: "400" });
  });

  test("update, rotate, exit: by the owner alone", async () => {
    expect(await tx("validator-update", alice, "--validator", box.id, "--commission", "100")).toBe("applied");
    expect(await tx("validator-update", alice, "--validator", running, "--commission", "100")).toBe("notAuthorized");
    const spare = await makeBox("spare");
    const owner = (await bizra<{ address: string }>("account", alice, "--url", node.http)).address;
    const where = ["--chain-id", toHex(genesisHash), "--owner", owner, "--validator", box.id, "--term", "1"];
    const made = await bizra<{ publicKey: string; proof: string }>(
      "keys",
      "prove",
      spare.file,
      "--passphrase-file",
      passphraseFile,
      ...where,
    );
    expect(made.publicKey).toBe(spare.id);
    const key = ["--public-key", made.publicKey, "--proof", made.proof];
    expect(await tx("rotate-key", alice, "--validator", box.id, ...key, "--epoch", "9")).toBe("applied");
    expect(await read(`validators/${spare.id}`)).toMatchObject({
      id: box.id,
      commission: 100,
      term: 0,
      next: { publicKey: spare.id, term: 1, effectiveEpoch: 9 },
    });
    expect(await tx("validator-exit", alice, "--validator", box.id)).toBe("applied");
    expect(await tx("stake", alice, "--validator", box.id, "--amount", "1000")).toBe("validatorExiting");
    expect(await read(`validators/${box.id}`)).toMatchObject({ status: "exiting" });
  });

  test("propose and vote: by the owner of the only member, decided at once", async () => {
    const owner = join(home, "keys/owner.json");
    const parsed = parseKeyFile(readFileSync(owner, "utf8"));
    if (!parsed.ok) throw new Error("the owner's key file parses");
    await tx("transfer", alice, "--to", formatAddress(parsed.value.publicKey), "--amount", "1000000");
    expect(await tx("propose", alice, "--name", "minimumFee", "--value", "2000")).toBe("notAuthorized");
    expect(await tx("propose", owner, "--name", "minimumFee", "--value", "2000", "--epoch", "7")).toBe("applied");
    expect(await tx("vote", owner, "--proposal", last, "--approve")).toBe("notRegistered");
    expect(await tx("propose", owner, "--name", "feature.fast-sync", "--value", "1")).toBe("applied");
    const { epoch } = await read<{ epoch: number }>("status");
    expect(await read("parameters")).toMatchObject({
      approved: [
        { name: "minimumFee", value: "2000", activationEpoch: 7 },
        { name: "feature.fast-sync", value: "1", activationEpoch: epoch + 2 },
      ],
      proposals: [],
    });
  });

  test("proof: a validator's entry, verified offline by the portable verifier", async () => {
    const genesis = parseGenesis(readFileSync(join(home, "genesis.json"), "utf8"));
    const set = genesis.ok ? genesisValidatorSet(genesis.value) : genesis;
    if (!set.ok) throw new Error("the genesis has a set");
    const answer = await fetch(`${node.http}/api/v2/validators/${box.id}/proof`, { headers: { accept: "application/cbor" } });
    const bundle = decodeProofBundle(await answer.bytes());
    if (!bundle.ok) throw new Error(bundle.error);
    const fact = verifyProofBundle(nobleSuite, { chainId: genesisHash, epoch: 0, set: set.value }, bundle.value);
    if (!fact.ok || fact.value.kind !== "state") throw new Error("the bundle proves a state entry");
    expect(fact.value.key.subarray(1)).toEqual(present(parseHex(box.id), "an id in hex"));
    const file = join(folder, "validator.proof");
    await bizra("proof", "get", box.id, "--validator", "--url", node.http, "--out", file);
    const shown = await bizra("proof", "verify", file, "--genesis", join(home, "genesis.json"));
    expect(shown).toMatchObject({ valid: true, kind: "state", term: "0", stake: "600", unbonding: "400" });
    const entry = decodeEntry(fact.value.key, present(fact.value.value, "the entry is there"));
    expect(entry.ok && entry.value).toMatchObject({ kind: "validator", stake: 600n, unbondingStake: 400n, isExiting: true });
  });

  test("doctor: the chain executed again, the same state", async () => {
    await node.stop();
    const report = await examineHome(home, { reexecutes: true, askPassphrase: () => Promise.resolve(undefined), onProgress() {} });
    expect(report.findings).toEqual([]);
    const { issued, ...held } = present(report.supply, "the doctor adds up the state");
    expect(Object.values(held).reduce((sum, units) => sum + BigInt(units), 0n)).toBe(BigInt(issued));
    expect(BigInt(held.staked)).toBeGreaterThan(1_001_000n - 1n);
    expect(report.reexecutedStateRoot).toBe(present(report.stateRoot, "a state has a root"));
    node = await startNode(await openSetup(home, {}, () => Promise.resolve(undefined)), silentLog);
    expect(await read(`validators/${box.id}`)).toMatchObject({ stake: "600" });
  });

  test("rotation: of the only validator's own key, the chain goes on with the new one alone", async () => {
    const owner = join(home, "keys/owner.json");
    const fresh = await makeBox("fresh");
    const { owner: address } = await read<{ owner: string }>(`validators/${running}`);
    const where = ["--chain-id", toHex(genesisHash), "--owner", address, "--validator", running, "--term", "1"];
    const { proof } = await bizra<{ proof: string }>("keys", "prove", fresh.file, "--passphrase-file", passphraseFile, ...where);
    expect(await tx("rotate-key", owner, "--validator", running, "--public-key", fresh.id, "--proof", proof)).toBe("applied");
    await node.stop();
    const setup = () => openSetup(home, {}, () => Promise.resolve(undefined));
    const refusal = await startNode(await setup(), silentLog).then(
      () => "it started",
      (error: Error) => error.message,
    );
    expect(refusal).toContain(fresh.id);
    for (const name of ["keys/validator.json", "keys/passphrase", "journal"])
      renameSync(join(home, name), join(folder, name.replace("/", "-")));
    copyFileSync(fresh.file, join(home, "keys/validator.json"));
    createHomeJournal(home, present(parseHex(fresh.id), "a key in hex"));
    writeFileSync(join(home, "keys/passphrase"), "correct horse\n", { mode: 0o600 });
    const identity = await makeKeyFile("identity", "correct horse", { n: 2 ** 12, r: 8, p: 1 }, entropy);
    writeFileSync(join(home, "keys/identity.json"), identity.text);
    node = await startNode(await setup(), silentLog);
    expect(await tx("anchor", alice, "--stream", "after", "--data", "1")).toBe("applied");
    expect(await read(`validators/${running}`)).toMatchObject({ publicKey: fresh.id, term: 1, status: "active", index: 0 });
  });
});
