import { afterEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../src/cli/network-files.ts";
import { localSigner, parsePkcs8Pem } from "../../src/crypto/index.ts";
import { Prng, silentLog, utf8 } from "../../src/kernel/index.ts";
import { examineHome, openSetup, type RunningNode, StartRefused, startNode } from "../../src/node/index.ts";
import { signTransaction, transactionAad } from "../../src/protocol/index.ts";

const folders: string[] = [];
const running: RunningNode[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function makeHome() {
  const folder = mkdtempSync(join(tmpdir(), "bizra-node-"));
  folders.push(folder);
  const random = new Prng(folder.length);
  const plan = {
    directory: join(folder, "net"),
    chainName: "unit",
    validators: 1,
    timeMs: 1_790_000_000_000,
    settingsOf: () => ({ "http.listen": "127.0.0.1:0" }),
  };
  const files = await createNetwork(plan, { bytes: (count) => random.bytes(count) });
  return { files, home: files.homes[0] as string };
}

const start = async (home: string): Promise<RunningNode> => {
  const node = await startNode(await openSetup(home, {}, () => Promise.resolve(undefined)), silentLog);
  running.push(node);
  return node;
};

const refusalOf = async (home: string): Promise<string> => {
  try {
    await start(home);
  } catch (error) {
    if (error instanceof StartRefused) return error.message;
    throw error;
  }
  return "it started";
};

/** Submits one anchor and waits until it is final; gives its height. */
async function anchor(node: RunningNode, genesisHash: Uint8Array, keyPath: string, nonce: bigint): Promise<number> {
  const seed = parsePkcs8Pem(readFileSync(keyPath, "utf8"));
  if (!seed.ok) throw new Error("the demo key parses");
  const signer = localSigner(seed.value);
  const body = { type: 2, stream: "s", content: { data: utf8("1") } } as const;
  const encoded = signTransaction(signer, transactionAad(genesisHash), {
    sender: signer.publicKey,
    nonce,
    fee: 1000n,
    validUntil: 1_000n,
    body,
  });
  const answer = await fetch(`${node.http}/api/v2/transactions`, {
    method: "POST",
    headers: { "content-type": "application/cose" },
    body: Uint8Array.from(encoded),
  });
  const { transactions } = (await answer.json()) as { transactions: { id: string }[] };
  const ended = await fetch(`${node.http}/api/v2/transactions/${transactions[0]?.id}?wait=final&timeoutMs=10000`);
  const { status, height } = (await ended.json()) as { status: string; height: number };
  expect(status).toBe("final");
  return height;
}

describe("node", () => {
  test("node: started, stopped and started again, goes on with the chain", async () => {
    const { files, home } = await makeHome();
    const key = files.accounts[0]?.key as string;
    const first = await start(home);
    expect(await anchor(first, files.genesisHash, key, 0n)).toBe(1);
    await first.stop();
    running.pop();
    expect(existsSync(join(home, "run.json"))).toBe(false);
    expect(await anchor(await start(home), files.genesisHash, key, 1n)).toBe(2);
  });

  test("node: a home's files, for their owner's eyes alone", async () => {
    const { home } = await makeHome();
    await start(home);
    const open = readdirSync(home, { recursive: true, encoding: "utf8" }).filter((name) => (statSync(join(home, name)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  test("node: a chain older than the journal's floor, refused as lost blocks", async () => {
    const { files, home } = await makeHome();
    const key = files.accounts[0]?.key as string;
    const first = await start(home);
    await anchor(first, files.genesisHash, key, 0n);
    await first.stop();
    running.pop();
    const old = `${home}-old`;
    cpSync(home, old, { recursive: true });
    const second = await start(home);
    for (let nonce = 1n; nonce < 4n; nonce++) await anchor(second, files.genesisHash, key, nonce);
    await second.stop();
    running.pop();
    for (const name of readdirSync(old).filter((file) => file.startsWith("chain.db"))) {
      rmSync(join(home, name), { recursive: true, force: true });
      cpSync(join(old, name), join(home, name), { recursive: true });
    }
    expect(await refusalOf(home)).toMatch(/chain\.db.*(lost|damaged)/);
  });

  test("node: files missing, of another chain or of nobody, each a sentence that names the file", async () => {
    const { files, home } = await makeHome();
    const first = await start(home);
    await anchor(first, files.genesisHash, files.accounts[0]?.key as string, 0n);
    await first.stop();
    running.pop();
    for (const name of ["batches", "node.db", "ops.db", "chain.db", "genesis.json", "keys/validator.json"]) {
      renameSync(join(home, name), join(home, "away"));
      expect(await refusalOf(home)).toContain(name);
      renameSync(join(home, "away"), join(home, name));
    }
    const genesis = readFileSync(join(home, "genesis.json"), "utf8");
    writeFileSync(join(home, "genesis.json"), genesis.replace('"unit"', '"other"'));
    expect(await refusalOf(home)).toContain("genesis.json");
    writeFileSync(join(home, "genesis.json"), genesis);
    expect(await refusalOf(`${home}-nowhere`)).toContain("does not exist");
  });

  test("node: examined by the doctor after a stop, nothing wrong and the same state again", async () => {
    const { files, home } = await makeHome();
    const first = await start(home);
    for (let nonce = 0n; nonce < 3n; nonce++) await anchor(first, files.genesisHash, files.accounts[0]?.key as string, nonce);
    await first.stop();
    running.pop();
    const report = await examineHome(home, { reexecutes: true, askPassphrase: () => Promise.resolve(undefined), onProgress() {} });
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, height: 3, transactions: 3 });
    expect(report.reexecutedStateRoot).toBe(report.stateRoot as string);
  });
});
