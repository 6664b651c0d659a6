/** Backups of two boxes, one in S3 and one at an aggregator that keeps them in S3, and a fresh home from each. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { S3_CREDENTIALS, S3Server } from "../integration/aggregator/s3.ts";
import { AggregatorProcess } from "./support/aggregator-process.ts";
import { bizra, bizraJson, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Chance } from "./support/chance.ts";
import { loadFor, makeDemoLoad } from "./support/demo-load.ts";
import { until } from "./support/network-watch.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const ADMIN = "root:a password of an admin";
const [, SECRET = ""] = S3_CREDENTIALS.split(":");
const recoveryKey = place.at("recovery.json");
const secret = place.at("recovery-passphrase");
let s3: S3Server;
let aggregator: AggregatorProcess;
let recipient: string;

beforeAll(async () => {
  s3 = await S3Server.start(place.at("bucket"));
  writeFileSync(secret, "a passphrase of the fleet\n", { mode: 0o600 });
  recipient = String((await bizraJson("backup", "new-key", "--out", recoveryKey, "--passphrase-file", secret))["recipient"]);
  const cloud = place.at("aggregator");
  const words = ["--listen", "127.0.0.1:0", "--tls", "--objects", s3.url("fleet")];
  aggregator = place.keep(await AggregatorProcess.start(cloud, words, { BIZRA_OBJECTS_CREDENTIALS: S3_CREDENTIALS }));
  const [name = "", password = ""] = ADMIN.split(":");
  const passwordFile = place.at("password");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  await bizraJson("aggregator", "user", "add", name, "--role", "admin", "--password-file", passwordFile, "--home", cloud);
}, 240_000);

afterAll(async () => {
  await s3?.stop();
  await place.end();
});

/** A file of credentials. */
function credentials(name: string, text: string): string {
  const path = place.at(name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

/** A box under load that keeps backups and drills, until it has done both. */
async function backedUp(net: Testnet, words: readonly string[]): Promise<NodeProcess> {
  const often = ["--backup-every-seconds", "1", "--backup-every-blocks", "5", "--backup-drill-seconds", "2"];
  const node = await place.start(homeOf(net), { words: [...often, "--backup-recipients", recipient, ...words] });
  const { load } = await makeDemoLoad(net, node, new Chance(1), 200);
  await loadFor(load, node, 3_000);
  await until("a backup and a drill that restored it", async () => {
    const metrics = await (await fetch(`${node.http}/metrics`)).text();
    return /bizra_backup_taken_total [1-9]/.test(metrics) && /bizra_backup_drill_ok 1\n/.test(metrics);
  });
  return node;
}

/** Lists and restores by what the flags name; the height that came back. */
async function restored(net: Testnet, node: string, fresh: string, words: readonly string[]): Promise<number> {
  const source = ["--genesis", net.genesis, "--from", node, ...words];
  const { backups } = (await bizraJson("backup", "list", ...source)) as { backups: unknown[] };
  expect(backups.length).toBeGreaterThan(0);
  const keys = ["--recovery-key", recoveryKey, "--recovery-passphrase-file", secret, "--passphrase-file", secret];
  return Number((await bizraJson("restore", "--home", fresh, ...source, ...keys))["height"]);
}

const idOf = async (node: NodeProcess): Promise<string> => String((await node.get("/api/v2/status"))["id"]);

describe("backups in S3 and at an aggregator", () => {
  test("e2e: a box brings its backups to S3, and a fresh home is made from there", async () => {
    const net = await makeTestnet(place.at("net-s3"));
    const file = credentials("s3-credentials", S3_CREDENTIALS);
    const where = s3.url("boxes");
    const node = await backedUp(net, ["--backup-objects", where, "--backup-credentials-file", file]);
    const id = await idOf(node);
    await node.stop();
    expect(node.output).not.toContain(S3_CREDENTIALS);
    const words = ["--objects", where, "--credentials-file", file];
    expect(await restored(net, id, place.at("fresh-s3"), words)).toBeGreaterThan(0);
    const other = credentials("other-credentials", "STRANGER:a-secret-of-mine");
    const refused = await bizra("backup", "list", "--objects", where, "--credentials-file", other, "--genesis", net.genesis);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("the objects cannot be reached")]);
    expect(refused.err).not.toContain("a-secret-of-mine");
  }, 240_000);

  test("e2e: an enrolled box brings its backups to the aggregator by its certificate; an admin restores from there", async () => {
    const net = await makeTestnet(place.at("net-cloud"));
    const home = homeOf(net);
    const claim = await bizraJson("aggregator", "claim", "--home", place.at("aggregator"), "--network-home", home, "--approve", "auto");
    const [, pin = ""] = /pin the authority ([0-9a-f]{64})/.exec(aggregator.output) ?? [];
    await bizraJson("enroll", "--home", home, "--aggregator", aggregator.http, "--token", String(claim["token"]), "--ca-pin", pin);
    const node = await backedUp(net, ["--backup-objects", aggregator.http]);
    const id = await idOf(node);
    await node.stop();
    const authority = join(home, "sync/authority.pem");
    const words = ["--objects", aggregator.http, "--ca-file", authority, "--credentials-file"];
    expect(await restored(net, id, place.at("fresh-cloud"), [...words, credentials("admin", ADMIN)])).toBeGreaterThan(0);
    const wrong = credentials("wrong-admin", "root:another password");
    const refused = await bizra("backup", "list", ...words, wrong, "--genesis", net.genesis);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("wrongCredentials")]);
    const kept = readdirSync(place.at("bucket"), { recursive: true, withFileTypes: true }).map(({ parentPath }) => parentPath);
    expect(kept.some((path) => path.includes("trial/fleet/backup/"))).toBe(true);
    for (const output of [aggregator.output, node.output, refused.err, readFileSync(join(home, "node.toml"), "utf8")])
      for (const hidden of [`:${SECRET}`, "a password of an admin", "another password"]) expect(output).not.toContain(hidden);
    expect(await aggregator.stop()).toBe(0);
  }, 240_000);
});
