import { afterEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../src/cli/network-files.ts";
import { SCRYPT_COST_DEFAULT } from "../../src/crypto/index.ts";
import { makeKeyFile } from "../../src/identity/index.ts";
import { Prng, silentLog, toHex } from "../../src/kernel/index.ts";
import {
  bindHomeKey,
  examineHome,
  exportHomeHistory,
  importHomeHistory,
  layNextKey,
  openSetup,
  type RunningNode,
  StartRefused,
  startNode,
  systemEntropy,
  takeUpNextKey,
} from "../../src/node/index.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { bindKey, openJournal } from "../../src/validator/index.ts";

const folders: string[] = [];
const running: RunningNode[] = [];
const ask = (): Promise<undefined> => Promise.resolve(undefined);

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function makeHome(validators: number, seed = validators): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bizra-custody-"));
  folders.push(folder);
  const random = new Prng(seed);
  const plan = {
    directory: join(folder, "net"),
    chainName: "unit",
    validators,
    timeMs: 1_790_000_000_000,
    settingsOf: () => ({ "http.listen": "127.0.0.1:0", "network.listen": "127.0.0.1:0" }),
  };
  const { homes } = await createNetwork(plan, { bytes: (count) => random.bytes(count) });
  return homes[0] as string;
}

async function start(home: string): Promise<RunningNode> {
  const node = await startNode(await openSetup(home, {}, ask), silentLog);
  running.push(node);
  return node;
}

async function stop(node: RunningNode): Promise<void> {
  running.splice(running.indexOf(node), 1);
  await node.stop();
}

const keyOf = (home: string): string =>
  (JSON.parse(readFileSync(join(home, "keys/validator.json"), "utf8")) as { publicKey: string }).publicKey;

/** Makes a home look as if it had been copied from another machine: its key is bound to that one. */
async function bindElsewhere(home: string): Promise<void> {
  const { validator } = await openSetup(home, {}, ask, "examine");
  const files = { fs: nodeFileSystem, directory: join(home, "custody"), publicKey: validator.publicKey };
  bindKey(files, validator, { machineId: ["another installation"], productUuid: ["another board"], disks: ["d"], cards: ["c"] }, 5);
}

async function refusalOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof StartRefused) return error.message;
    throw error;
  }
  return "it was done";
}

type Audit = { readonly action: string; readonly outcome: string; readonly target: string; readonly actor: string };

/** The audit records of a running node's vital lane. */
async function auditsOf(node: RunningNode): Promise<readonly Audit[]> {
  const answer = (await (await fetch(`${node.http}/api/v2/events?lane=crit&limit=100`)).json()) as {
    events: readonly { type: string; payload: Audit }[];
  };
  return answer.events.filter(({ type }) => type === "audit.recorded").map(({ payload }) => payload);
}

const metricOf = async (node: RunningNode, line: string): Promise<string | undefined> =>
  (await (await fetch(`${node.http}/metrics`)).text()).split("\n").find((text) => text.startsWith(line));

const validatorOf = async (node: RunningNode): Promise<string> =>
  ((await (await fetch(`${node.http}/api/v2/status`)).json()) as { validator: string }).validator;

test("custody: a key that is bound to nothing, is bound by its first start, which is audited once, and signs", async () => {
  const home = await makeHome(1);
  const first = await start(home);
  expect(await auditsOf(first)).toMatchObject([{ actor: "node", action: "bindKey", target: keyOf(home), outcome: "done" }]);
  expect(await metricOf(first, "bizra_custody_signs")).toBe("bizra_custody_signs 1");
  await stop(first);
  const again = await start(home);
  expect(await auditsOf(again)).toHaveLength(1);
  expect(existsSync(join(home, "custody", `${keyOf(home)}.binding`))).toBe(true);
}, 180_000);

test("custody: a home copied to another machine, follows with another key, and says so in metric, audit lane and doctor", async () => {
  const home = await makeHome(4);
  await stop(await start(home));
  await bindElsewhere(home);
  const node = await start(home);
  expect(await validatorOf(node)).not.toBe(keyOf(home));
  expect(await metricOf(node, 'bizra_custody_refusals_total{rule="otherHardware"}')).toEndWith(" 1");
  expect(await metricOf(node, "bizra_custody_signs")).toBe("bizra_custody_signs 0");
  expect((await auditsOf(node)).at(-1)).toMatchObject({ actor: "node", action: "sign", target: keyOf(home), outcome: "refused" });
  const observer = await validatorOf(node);
  await stop(node);
  const again = await start(home);
  expect(await validatorOf(again)).toBe(observer);
  await stop(again);
  const report = await examineHome(home, { reexecutes: false, askPassphrase: ask, onProgress: () => {} });
  expect(report.ok).toBe(false);
  const errors = report.findings.filter(({ severity }) => severity === "error").map(({ detail }) => detail);
  expect(errors).toHaveLength(1);
  for (const words of ["bound to another machine", "keys rotate", "keys bind"]) expect(errors[0]).toContain(words);
}, 180_000);

test("custody: a single validator's home on another machine, does not start and says what to do", async () => {
  const home = await makeHome(1);
  await bindElsewhere(home);
  expect(await refusalOf(() => start(home))).toMatch(/bound to another machine .*nobody to follow.*keys bind/);
}, 180_000);

test("custody: with keys.bindToHardware off, a home signs wherever it is started", async () => {
  const home = await makeHome(1);
  await bindElsewhere(home);
  writeFileSync(
    join(home, "node.toml"),
    `${readFileSync(join(home, "node.toml"), "utf8")}\n`.replace("[keys]", '[keys]\nbindToHardware = "off"'),
  );
  const node = await start(home);
  expect(await validatorOf(node)).toBe(keyOf(home));
}, 180_000);

test("custody: a barred home that takes up its next key, signs with that one, bound here, and the old one is retired", async () => {
  const home = await makeHome(4);
  await stop(await start(home));
  await bindElsewhere(home);
  const old = keyOf(home);
  const { passphrase } = await openSetup(home, {}, ask);
  const { text, signer } = await makeKeyFile("validator", passphrase(), SCRYPT_COST_DEFAULT, systemEntropy);
  layNextKey(home, text, signer.publicKey);
  takeUpNextKey(home, { epoch: 0, view: 0 });
  expect(keyOf(home)).toBe(toHex(signer.publicKey));
  const node = await start(home);
  expect(await validatorOf(node)).toBe(toHex(signer.publicKey));
  const audits = await auditsOf(node);
  expect(audits).toContainEqual(expect.objectContaining({ actor: "node", action: "retireKey", target: old, outcome: "done" }));
  expect(audits).toContainEqual(expect.objectContaining({ actor: "node", action: "bindKey", target: toHex(signer.publicKey) }));
}, 180_000);

test("keys bind: on the operator's word, binds the key here and lets it back only by the recovery rules; it is audited at the next start", async () => {
  const home = await makeHome(4);
  await stop(await start(home));
  await bindElsewhere(home);
  expect(await bindHomeKey(home, ask)).toMatchObject({ isChanged: true, recovers: true, isAlone: false });
  expect(await bindHomeKey(home, ask)).toMatchObject({ isChanged: false, recovers: false });
  const { validator } = await openSetup(home, {}, ask);
  expect(toHex(validator.publicKey)).toBe(keyOf(home));
  const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: { bytes: (count: number) => new Uint8Array(count) } };
  const journal = openJournal(files, { publicKey: validator.publicKey, isBlocking: true });
  expect(journal.replay()).toMatchObject({ kind: "intact", recovery: { kind: "recovering" } });
  journal.close();
  const node = await start(home);
  expect(await auditsOf(node)).toContainEqual(
    expect.objectContaining({ actor: "operator", action: "bindKey", target: keyOf(home), outcome: "done" }),
  );
  expect(await metricOf(node, "bizra_custody_signs")).toBe("bizra_custody_signs 0");
  expect(await refusalOf(() => bindHomeKey(home, ask))).toContain("stop it first");
}, 180_000);

test("keys history: exported, bars its home for ever and lets the home it is imported into sign; an older or foreign one is harmless or refused", async () => {
  const home = await makeHome(1);
  const older = `${home}-older`;
  await stop(await start(home));
  const moved = `${home}-moved`;
  cpSync(home, moved, { recursive: true });
  cpSync(home, older, { recursive: true });
  const file = join(home, "..", "history");
  const exported = await exportHomeHistory(home, file, ask);
  expect(toHex(exported.publicKey)).toBe(keyOf(home));
  expect(await refusalOf(() => exportHomeHistory(home, file, ask))).toContain("expected no file there");
  expect((await exportHomeHistory(home, `${file}-again`, ask)).records).toBe(exported.records);
  expect(readFileSync(`${file}-again`)).toEqual(readFileSync(file));
  expect(await refusalOf(() => start(home))).toContain("was exported from this home");
  expect(await refusalOf(() => bindHomeKey(home, ask))).toContain("rotate to a new key");
  expect(await refusalOf(() => importHomeHistory(home, file, ask))).toContain("rotate to a new key");

  await bindElsewhere(moved);
  rmSync(join(moved, "journal"), { recursive: true });
  expect(await importHomeHistory(moved, file, ask)).toMatchObject({ isGated: false, recovers: false });
  expect((await importHomeHistory(moved, file, ask)).added).toBe(0);
  const node = await start(moved);
  expect(await validatorOf(node)).toBe(keyOf(home));
  expect(await metricOf(node, "bizra_custody_signs")).toBe("bizra_custody_signs 1");
  expect((await auditsOf(node)).map(({ action }) => action)).toContain("importHistory");

  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, bytes.length - 1));
  expect(await refusalOf(() => importHomeHistory(older, file, ask))).toContain("cut off or damaged");
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(await refusalOf(() => importHomeHistory(older, file, ask))).toContain("it was altered");
  const stranger = await makeHome(1, 77);
  expect(await refusalOf(() => importHomeHistory(stranger, `${file}-again`, ask))).toMatch(/another key/);
}, 180_000);

test("doctor: says what a key is bound to, what its history forbids, and that it was given away", async () => {
  const home = await makeHome(4);
  await stop(await start(home));
  const fresh = await makeHome(4, 91);
  const examine = (of = home) => examineHome(of, { reexecutes: false, askPassphrase: ask, onProgress: () => {} });
  expect((await examine(fresh)).custody?.join()).toMatch(/bound to no machine yet, the next start binds it/);
  await exportHomeHistory(fresh, join(fresh, "..", "history"), ask);
  expect((await examine(fresh)).findings).toContainEqual(expect.objectContaining({ severity: "error" }));
  const before = (await examine()).custody?.join("\n");
  expect(before).toMatch(/bound to this machine since .*signing history forbids everything up to view 0 of epoch 0 and holds 0 votes/);
  await exportHomeHistory(home, join(home, "..", "history"), ask);
  const after = await examine();
  expect(after.ok).toBe(false);
  expect(after.custody?.join("\n")).toMatch(/Its history was exported at .* SHA-256 [0-9a-f]{64}/);
}, 180_000);
