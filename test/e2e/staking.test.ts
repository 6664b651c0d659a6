import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { bizra, bizraJson, lastJson } from "./support/bizra.ts";
import { Client } from "./support/client.ts";
import { addressOf, type Cbor, type Keys, map, newKeys } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

/** A chain of one validator with epochs of eight blocks, on which a client that shares no code stakes, waits and votes. */
const place = new Workplace();
const passphrase = "correct horse battery staple";
const sealed = ["--passphrase-file", place.at("passphrase")] as const;
const [alice, owner, newcomer] = [newKeys(), newKeys(), newKeys()];
const genesis = place.at("genesis.json");
let node: NodeProcess;
let client: Client;

beforeAll(async () => {
  writeFileSync(place.at("passphrase"), `${passphrase}\n`, { mode: 0o600 });
  const home = place.at("box");
  const accounts = [alice, owner].flatMap(({ publicKey }) => ["--account", `${addressOf(publicKey)}=1000000000`]);
  const short = ["epochBlocks=8", "minimumStake=100", "unbondingMs=0"].flatMap((text) => ["--parameter", text]);
  await bizraJson("genesis", "new", "--chain", "staking", "--out", genesis, "--fee-policy", "validators", ...accounts, ...short);
  const { file } = await bizraJson("keys", "new", "--purpose", "validator", "--home", home, ...sealed);
  await bizraJson("keys", "new", "--purpose", "identity", "--home", home, ...sealed);
  const words = ["--key", String(file), "--name", "box", "--owner", addressOf(owner.publicKey), "--stake", "1000", ...sealed];
  await bizraJson("genesis", "add-validator", genesis, ...words);
  const { hash } = await bizraJson("genesis", "sign", genesis, "--key", String(file), ...sealed);
  writeFileSync(`${home}/genesis.json`, readFileSync(genesis));
  node = await place.start(home, { words: ["--http-listen", "127.0.0.1:0"], environment: { BIZRA_PASSPHRASE: passphrase } });
  client = new Client(node, Buffer.from(String(hash), "hex"));
}, 240_000);
afterAll(() => place.end());

const epochNow = async (): Promise<number> => Number((await node.get("/api/v2/status"))["epoch"]);

/** Executes and gives the code of the receipt with the id. */
async function act(keys: Keys, type: number, body: Cbor): Promise<{ code: string; id: string }> {
  const { id, receipt } = await client.execute(keys, type, body);
  return { code: (receipt as { code: string }).code, id: String(id) };
}

/** Makes blocks until an epoch has begun. */
async function waitForEpoch(epoch: number): Promise<void> {
  for (let left = 200; (await epochNow()) < epoch && left > 0; left--) await client.pay(alice, newcomer.publicKey, 1);
  expect(await epochNow()).toBe(epoch);
}

describe("stake and votes over epochs", () => {
  test("e2e: a validator registered, staked to, and unbonded after two whole epochs, to the unit", async () => {
    const id = newcomer.publicKey;
    const term = Buffer.alloc(8);
    const consent = Buffer.concat([Buffer.from("bizra/validator-key/1", "ascii"), client.genesisHash, alice.publicKey, id, id, term]);
    const register = map([1, id], [2, sign(null, consent, newcomer.privateKey)], [3, 500], [4, "box.example:1"], [5, "{}"]);
    expect((await act(alice, 5, register)).code).toBe("applied");
    expect((await act(alice, 8, map([1, id], [2, 99]))).code).toBe("amountTooSmall");
    expect((await act(alice, 8, map([1, id], [2, 700]))).code).toBe("applied");
    expect((await act(alice, 9, map([1, id], [2, 300]))).code).toBe("applied");
    const begun = await epochNow();
    expect(await node.get(`/api/v2/validators/${id.toString("hex")}`)).toMatchObject({ stake: "400", unbonding: "300", status: "waiting" });
    await waitForEpoch(begun + 2);
    expect((await act(alice, 10, map([1, id], [2, 300]))).code).toBe("insufficientFunds");
    await waitForEpoch(begun + 3);
    const before = BigInt(String((await client.account(alice.publicKey))["balance"]));
    expect((await act(alice, 10, map([1, id], [2, 300]))).code).toBe("applied");
    const after = await client.account(alice.publicKey);
    expect(BigInt(String(after["balance"]))).toBe(before - 1_000n + 300n);
    expect(after["stake"]).toBe("400");
  }, 240_000);

  test("e2e: a fee voted up by the owner of the only member, asked for from its epoch on", async () => {
    const from = (await epochNow()) + 2;
    expect((await act(owner, 13, map([1, "minimumFee"], [2, 5_000], [3, from]))).code).toBe("applied");
    expect((await node.get("/api/v2/status"))["minimumFee"]).toBe("1000");
    await waitForEpoch(from);
    expect((await node.get("/api/v2/status"))["minimumFee"]).toBe("5000");
    const order = await client.order(alice, 1, map([1, owner.publicKey], [2, 1]), { fee: 4_999n });
    expect((await node.submit(client.sign(alice, order).encoded)).json["code"]).toBe("feeTooLow");
    const { id } = await act(alice, 1, map([1, owner.publicKey], [2, 1]));
    const proof = place.at("receipt.proof");
    await bizraJson("proof", "get", id, "--url", node.http, "--out", proof);
    expect(await bizraJson("proof", "verify", proof, "--genesis", genesis, "--id", id)).toMatchObject({ valid: true, code: "applied" });
  }, 240_000);

  test("e2e: fees of ended epochs, in the stake of the validator, and every unit accounted for", async () => {
    await waitForEpoch((await epochNow()) + 1);
    const { validators } = (await node.get("/api/v2/validators")) as { validators: { id: string; stake: string; weight: string }[] };
    const [member] = validators;
    expect(BigInt(member?.stake ?? 0)).toBeGreaterThan(1_000n);
    const pools = [`/api/v2/validators/${member?.id}`, `/api/v2/validators/${newcomer.publicKey.toString("hex")}`];
    let held = 0n;
    for (const path of pools) {
      const { stake, unbonding } = await node.get(path);
      held += BigInt(String(stake)) + BigInt(String(unbonding));
    }
    for (const { publicKey } of [alice, owner, newcomer]) held += BigInt(String((await client.account(publicKey))["balance"]));
    const { issued, burned, feePot } = await node.get("/api/v2/supply");
    expect(held + BigInt(String(burned)) + BigInt(String(feePot))).toBe(BigInt(String(issued)));
    expect(String(issued)).toBe("2000001000");
  }, 240_000);

  test("e2e: the home, stopped and examined, the same state by executing again", async () => {
    const root = ((await node.get("/api/v2/blocks/latest"))["header"] as { stateRoot: string }).stateRoot;
    expect(await node.stop()).toBe(0);
    const { out } = await bizra("doctor", "--home", place.at("box"), "--reexecute", ...sealed, "--json");
    expect(lastJson(out)).toMatchObject({ stateRoot: root, reexecutedStateRoot: root });
  }, 240_000);
});
