import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bizra, bizraJson } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { NetworkLoad } from "./support/network-trial.ts";
import { highestOf, STUCK_AFTER_MS, until } from "./support/network-watch.ts";
import { NodeNetwork } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { fundOwners } from "./support/owners.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
/** Which of the four dies. */
const DEAD = 1;
const objects = place.at("objects");
const recoveryKey = place.at("recovery.json");
const secret = place.at("recovery-passphrase");
const ownerKey = place.at("owner.json");
const fresh = place.at("fresh");
let network: NodeNetwork;
let load: NetworkLoad;
let nodeId: string;
let passphraseFile: string;
let oldKey: string;
let replacement: NodeProcess | undefined;

beforeAll(async () => {
  writeFileSync(secret, "a passphrase of the fleet\n", { mode: 0o600 });
  const site = await bizraJson("backup", "new-key", "--out", recoveryKey, "--passphrase-file", secret);
  const fleet = await bizraJson("backup", "new-key", "--out", place.at("fleet.json"), "--passphrase-file", secret);
  const words = ["--backup-objects", objects, "--backup-recipients", `${fleet["recipient"]},${site["recipient"]}`];
  const often = ["--backup-every-seconds", "2", "--backup-every-blocks", "20", "--backup-drill-seconds", "4"];
  network = await NodeNetwork.start(place, "restore", { validators: 4, chance, words: [...words, ...often] });
  await fundOwners(network.net, nodeAt(0));
  nodeId = String((await nodeAt(DEAD).get("/api/v2/status"))["id"]);
  oldKey = network.keyOf(DEAD);
  const home = network.net.homes[DEAD] ?? "";
  // The owner's key and the passphrase are kept elsewhere than on the box that dies.
  cpSync(join(home, "keys/owner.json"), ownerKey);
  passphraseFile = place.at("passphrase");
  cpSync(join(home, "keys/passphrase"), passphraseFile);
  load = await NetworkLoad.of(network, chance, 200);
  load.start();
  await until("three backups of the box that is to die", async () => (await backupsOf(nodeId)).length >= 3);
}, 240_000);

afterAll(async () => {
  await load?.stop();
  await replacement?.kill();
  await place.end();
});

function nodeAt(index: number): NodeProcess {
  const node = network.nodes[index];
  if (!node) throw new Error(`node ${index} does not run`);
  return node;
}

type Backup = { readonly height: number; readonly takenAt: string; readonly name: string };

async function backupsOf(id: string): Promise<readonly Backup[]> {
  const listed = await bizraJson("backup", "list", "--objects", objects, "--genesis", network.net.genesis, "--from", id);
  return listed["backups"] as readonly Backup[];
}

const keyWords = (): string[] => ["--recovery-key", recoveryKey, "--recovery-passphrase-file", secret];
const sourceWords = (): string[] => ["--objects", objects, "--genesis", network.net.genesis, "--from", nodeId, ...keyWords()];
const restoreWords = (home: string): string[] => ["restore", "--home", home, ...sourceWords(), "--passphrase-file", passphraseFile];

describe(`backups of four validators under load, and one of them replaced, seed ${chance.seed}`, () => {
  test("e2e: a backup names no key of the box and holds none of its secrets; a drill restores it and leaves nothing", async () => {
    const home = network.net.homes[DEAD] ?? "";
    const sealed = JSON.parse(readFileSync(join(home, "keys/validator.json"), "utf8")) as { sealed: { sealed: string } };
    const bytes = readdirSync(objects, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    expect(bytes.length).toBeGreaterThan(8);
    for (const object of bytes) {
      expect(object.includes(sealed.sealed.sealed)).toBe(false);
      expect(object.includes(Buffer.from(sealed.sealed.sealed, "hex"))).toBe(false);
    }
    const drilled = await bizraJson("restore", "--drill", "--home", place.at("drilled"), ...sourceWords());
    expect([drilled["restored"], Number(drilled["height"]) > 0]).toEqual([true, true]);
    expect(existsSync(place.at("drilled", "drill"))).toBe(false);
  }, 240_000);

  test("e2e: a node drills by itself, beside its work, and says how it went", async () => {
    await until("a drill of the node", async () => (await drillFigure()) !== -1, nodeAt(0));
    expect(await drillFigure()).toBe(1);
    const { events } = (await nodeAt(0).get("/api/v2/events?lane=crit&limit=1000")) as {
      events: { type: string; data?: Record<string, unknown> }[];
    };
    expect(events.some((event) => JSON.stringify(event).includes("restoreDrill"))).toBe(true);
    await until("what a drill restored is gone", async () => !existsSync(join(network.net.homes[0] ?? "", "drill")));
  }, 240_000);

  test("e2e: a changed part, an unknown box, the wrong passphrase and a home in use are refused in words", async () => {
    const stray = await bizra(...restoreWords(network.net.homes[0] ?? ""));
    expect([stray.code, stray.err]).toEqual([1, expect.stringContaining("a restore makes a fresh home, and this one is or was in use")]);
    const copy = place.at("objects-copy");
    cpSync(objects, copy, { recursive: true });
    const [first] = readdirSync(copy, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.parentPath.endsWith("/parts"),
    );
    const folder = first?.parentPath ?? "";
    for (const name of readdirSync(folder)) {
      const content = readFileSync(join(folder, name));
      content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 1;
      writeFileSync(join(folder, name), content);
    }
    const named = (words: readonly string[], flag: string, value: string): string[] =>
      words.map((word, at) => (words[at - 1] === flag ? value : word));
    const ids = new Set(readdirSync(join(copy, "backup", readdirSync(join(copy, "backup"))[0] ?? "")));
    const spoiled = [...ids].find((id) => folder.includes(`/${id}/`)) ?? "";
    const damaged = await bizra(...named(named(restoreWords(place.at("damaged")), "--objects", copy), "--from", spoiled));
    expect([damaged.code, damaged.err]).toEqual([
      1,
      expect.stringMatching(/is not what was stored[\s\S]*none of \d+ backups of .* can be used/),
    ]);
    const unknown = await bizra(...named(restoreWords(place.at("unknown")), "--from", "nobody"));
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringMatching(/expected a backup of nobody .* found those of /)]);
    const wrong = await bizra(...named(restoreWords(place.at("wrong")), "--recovery-passphrase-file", passphraseFile));
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("the passphrase is wrong, or the file is damaged")]);
  }, 240_000);

  test("e2e: a restore that is killed at any moment goes on, and what it leaves signs nothing", async () => {
    const home = place.at("interrupted");
    for (let tries = 0; tries < 4; tries++) {
      const running = Bun.spawn([process.env["E2E_BINARY"] ?? "dist/bizra", ...restoreWords(home)], { stdout: "ignore", stderr: "ignore" });
      await Bun.sleep(60 + chance.between(0, 400));
      running.kill(9);
      await running.exited;
    }
    const again = await bizra(...restoreWords(home));
    expect(again.code).toBe(0);
    const { validators } = (await nodeAt(0).get("/api/v2/validators")) as { validators: { publicKey: string }[] };
    const key = JSON.parse(readFileSync(join(home, "keys/validator.json"), "utf8")) as { publicKey: string };
    expect(validators.some(({ publicKey }) => publicKey === key.publicKey)).toBe(false);
    expect([existsSync(join(home, "restore.wanted")), existsSync(join(home, "snapshot.manifest"))]).toEqual([false, true]);
  }, 240_000);

  test("e2e: a point in time gives the newest backup before it", async () => {
    const backups = await backupsOf(nodeId);
    const middle = backups[1];
    const restored = await bizraJson(...restoreWords(place.at("earlier")), "--at", middle?.takenAt ?? "");
    expect([restored["height"], restored["signs"]]).toEqual([middle?.height ?? 0, false]);
  }, 240_000);

  test("e2e: a box dies and its home is gone; restored and replaced by one command, a new box votes; one chain", async () => {
    const home = network.net.homes[DEAD] ?? "";
    await network.killNode(DEAD);
    const diedAt = performance.now();
    renameSync(home, place.at("thrown-away"));
    const before = await highestOf(network);
    const words = [
      ...restoreWords(fresh),
      "--replace",
      "--key",
      ownerKey,
      "--owner-passphrase-file",
      passphraseFile,
      "--url",
      nodeAt(0).http,
    ];
    const replaced = await bizra(...words);
    expect([replaced.code, replaced.err]).toEqual([0, expect.stringContaining("is handed in")]);
    const restoredAt = performance.now();
    network.boxes.set(DEAD, { home: fresh });
    replacement = network.launch(DEAD);
    await replacement.ready(STUCK_AFTER_MS);
    const newKey = (JSON.parse(readFileSync(join(fresh, "keys/validator.json"), "utf8")) as { publicKey: string }).publicKey;
    expect(newKey).not.toBe(oldKey);
    await until("the new key is in the set and signs", async () => await signsNow(newKey), replacement, 120_000);
    const votedAt = performance.now();
    console.log(
      JSON.stringify({
        restoreDrill: { restoredMs: Math.round(restoredAt - diedAt), firstVoteMs: Math.round(votedAt - diedAt), lost: "home" },
      }),
    );
    expect(await highestOf(network)).toBeGreaterThan(before);
    await network.reach((await highestOf(network)) + 5, STUCK_AFTER_MS);
    const roots = await Promise.all(
      [0, DEAD].map(
        async (index) => (await nodeAt(index).get(`/api/v2/blocks/${before + 1}`)) as { hash?: string; header?: { stateRoot: string } },
      ),
    );
    expect(roots[0]?.header?.stateRoot).toBe(roots[1]?.header?.stateRoot);
  }, 240_000);

  test("e2e: the old box comes back with its home and its key: it votes in nothing, and nobody is convicted", async () => {
    const { pid } = nodeAt(DEAD).child;
    const old = network.launchTwin(DEAD, { home: place.at("thrown-away") });
    await old.alive(STUCK_AFTER_MS);
    const tip = await highestOf(network);
    await until("the old box has caught up", async () => Number((await old.get("/api/v2/status"))["height"]) >= tip, old);
    const status = await old.get("/api/v2/status");
    expect([status["validator"], status["role"]]).toEqual([oldKey, "observer"]);
    const { validators } = (await nodeAt(0).get("/api/v2/validators")) as { validators: Record<string, unknown>[] };
    expect(validators.filter(({ jailedUntilEpoch }) => jailedUntilEpoch !== undefined)).toEqual([]);
    expect(validators.some(({ publicKey }) => publicKey === oldKey)).toBe(false);
    expect(nodeAt(DEAD).child.pid).toBe(pid);
    expect(await old.stop()).toBe(0);
    rmSync(place.at("thrown-away"), { recursive: true, force: true });
  }, 240_000);
});

/** What the first node's drill came to: 1 restored, 0 failed, -1 not yet. */
async function drillFigure(): Promise<number> {
  const text = await (await fetch(`${nodeAt(0).http}/metrics`)).text();
  return Number(/^bizra_backup_drill_ok(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

/** Whether a finalization of the newest blocks counts this key's vote. */
async function signsNow(key: string): Promise<boolean> {
  const { validators } = (await nodeAt(0).get("/api/v2/validators")) as { validators: { publicKey: string; index?: number }[] };
  const seat = validators.find(({ publicKey }) => publicKey === key)?.index;
  if (seat === undefined) return false;
  const tip = await highestOf(network);
  const { blocks } = (await nodeAt(0).get(`/api/v2/blocks?from=${Math.max(1, tip - 3)}&limit=4`)) as {
    blocks: { header: { leader: number; epoch: number } }[];
  };
  return blocks.some(({ header }) => header.leader === seat);
}
