import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bizra, bizraJson } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { auditRunning, NetworkLoad } from "./support/network-trial.ts";
import { highestOf, STUCK_AFTER_MS, until } from "./support/network-watch.ts";
import { NodeNetwork } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { fundOwners } from "./support/owners.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
/** Which of the four rotates. */
const ROTATING = 2;
let network: NodeNetwork;
let load: NetworkLoad;
let home: string;
let oldKey: string;
let acts = 0;

beforeAll(async () => {
  network = await NodeNetwork.start(place, "rotate", { validators: 4, chance, netWords: ["--epoch-blocks", "60"] });
  home = network.net.homes[ROTATING] ?? "";
  oldKey = network.keyOf(ROTATING);
  acts += await fundOwners(network.net, nodeAt(0));
  load = await NetworkLoad.of(network, chance, 200);
  load.start();
  await network.reach(10, STUCK_AFTER_MS);
}, 240_000);

afterAll(async () => {
  await load?.stop();
  await place.end();
});

function nodeAt(index: number): NodeProcess {
  const node = network.nodes[index];
  if (!node) throw new Error(`node ${index} does not run`);
  return node;
}

/** Flags that sign as the owner of the rotating validator. */
const ownerWords = (): string[] => ["--key", join(home, "keys/owner.json"), "--passphrase-file", join(home, "keys/passphrase")];

/**
 * What is wrong with the books of all running nodes. Two things are not: what the owner did is in no books, and the audit checks
 * finalizations by genesis' keys, of which one signs no more.
 */
async function findFaults(): Promise<string[]> {
  await load.finish(STUCK_AFTER_MS);
  const { faults } = await auditRunning(load);
  load.start();
  return faults.filter((fault) => {
    const [, held, signed] = /^node \d: the blocks hold (\d+) receipts, (\d+) transactions were signed$/.exec(fault) ?? [];
    return Number(held) - Number(signed) !== acts && !/has no valid finalization$/.test(fault);
  });
}

/** Resolves once a block above all of now is final that the member with this key led. */
async function leadsWith(key: string): Promise<void> {
  let from = (await highestOf(network)) + 1;
  await until(`${key} leads a block`, async () => {
    const { validators } = (await nodeAt(0).get("/api/v2/validators")) as { validators: { publicKey: string; index?: number }[] };
    const seat = validators.find(({ publicKey }) => publicKey === key)?.index;
    const { blocks } = (await nodeAt(0).get(`/api/v2/blocks?from=${from}&limit=100`)) as { blocks: { header: { leader: number } }[] };
    from += blocks.length;
    return seat !== undefined && blocks.some(({ header }) => header.leader === seat);
  });
}

describe(`one of four validators under load takes a new key, seed ${chance.seed}`, () => {
  let newKey = "";
  test("e2e: keys rotate on a running home, the same process signs with the new key from its epoch on", async () => {
    const { pid } = nodeAt(ROTATING).child;
    const rotated = await bizraJson("keys", "rotate", "--home", home, ...ownerWords());
    acts += 1;
    newKey = String(rotated["publicKey"]);
    expect([newKey !== oldKey, rotated["signs"]]).toEqual([true, true]);
    const status = await nodeAt(ROTATING).get("/api/v2/status");
    expect([status["validator"], status["role"], nodeAt(ROTATING).child.exitCode, nodeAt(ROTATING).child.pid]).toEqual([
      newKey,
      "validator",
      null,
      pid,
    ]);
    expect(Number(status["epoch"])).toBeGreaterThanOrEqual(Number(rotated["epoch"]));
    await leadsWith(newKey);
    expect(await findFaults()).toEqual([]);
  }, 240_000);

  test("e2e: the old key is gone, its tombstone and its journal are kept, and nobody was convicted", async () => {
    const tombstone = JSON.parse(readFileSync(join(home, "retired", `${oldKey}.json`), "utf8")) as Record<string, unknown>;
    expect([tombstone["publicKey"], tombstone["successor"]]).toEqual([oldKey, newKey]);
    expect(readdirSync(join(home, "retired")).sort()).toEqual([`${oldKey}.journal`, `${oldKey}.json`]);
    expect([existsSync(join(home, "keys/validator.next.json")), existsSync(join(home, "journal.next"))]).toEqual([false, false]);
    expect(readFileSync(join(home, "keys/validator.json"), "utf8")).toContain(newKey);
    const { validators } = (await nodeAt(0).get("/api/v2/validators")) as { validators: Record<string, unknown>[] };
    expect(
      validators.flatMap(({ publicKey, jailedUntilEpoch, stake }) => (publicKey === newKey ? [[jailedUntilEpoch, stake]] : [])),
    ).toEqual([[undefined, expect.stringMatching(/^1\d{6}$/)]]);
  }, 240_000);

  test("e2e: killed and started again, it goes on with the new key; the retired one put back, refused in words", async () => {
    await network.killNode(ROTATING);
    await network.startNode(ROTATING, STUCK_AFTER_MS);
    await leadsWith(newKey);
    const node = nodeAt(ROTATING);
    network.nodes[ROTATING] = undefined;
    expect(await node.stop()).toBe(0);
    const path = join(home, "keys/validator.json");
    const kept = readFileSync(path, "utf8");
    writeFileSync(path, kept.replace(newKey, oldKey));
    const { code, err } = await bizra("node", "--home", home);
    expect([code, err]).toEqual([1, expect.stringMatching(/was retired and signs no more; its successor is [0-9a-f]{64}/)]);
    writeFileSync(path, kept);
    await network.startNode(ROTATING, STUCK_AFTER_MS);
    expect(await findFaults()).toEqual([]);
  }, 240_000);
});
