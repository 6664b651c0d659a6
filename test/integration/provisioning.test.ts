import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Provisioner } from "../../appliance/provisioning/index.ts";
import { openProvisioner } from "../../src/cli/box/provisioning.ts";
import type { CommandInput } from "../../src/cli/command.ts";
import { createNetwork, type NetworkFiles } from "../../src/cli/network-files.ts";
import { loadConfiguration } from "../../src/config/index.ts";
import { parseHex, silentLog, toHex } from "../../src/kernel/index.ts";
import { HOME, openSetup, systemClock, systemEntropy } from "../../src/node/index.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { openJournal } from "../../src/validator/index.ts";
import { ENROLMENT_FILES, readBundle } from "../../sync/agent/index.ts";
import type { Aggregator } from "../../sync/aggregator/index.ts";
import { EnrolmentWorld } from "./sync/enrolment-world.ts";

const place = mkdtempSync(join(tmpdir(), "bizra-provision-"));
let network: NetworkFiles;
let world: EnrolmentWorld;
let aggregator: Aggregator;

beforeAll(async () => {
  network = await createNetwork(
    { directory: join(place, "net"), chainName: "mill", validators: 1, timeMs: systemClock.nowMs(), settingsOf: () => ({}) },
    systemEntropy,
  );
  world = await EnrolmentWorld.open();
  const policy = {
    isOpen: false,
    isEnrolled: true,
    knowsNetwork: () => true,
    speaksFor: (name: string, hello: { node: string }) => name === hello.node,
  };
  aggregator = await world.start({ policy });
}, 240_000);

afterAll(async () => {
  await world.close();
  rmSync(place, { recursive: true, force: true });
});

/** A box with an empty home, and a medium with the network's genesis. */
class Box {
  readonly home: string;
  readonly medium: string;
  readonly system: string;

  constructor(name: string) {
    [this.home, this.medium, this.system] = ["home", "medium", "system"].map((part) => join(place, name, part)) as [string, string, string];
    mkdirSync(this.medium, { recursive: true });
    copyFileSync(network.genesisPath, join(this.medium, "genesis.json"));
  }

  /** A process that provisions it. */
  open(): Provisioner {
    const flags: Readonly<Record<string, string>> = { medium: this.medium, system: this.system };
    const input: CommandInput = { flag: (name) => flags[name], flags: () => [], has: () => false, positionals: [] };
    return openProvisioner(this.home, input, silentLog);
  }

  put(plan: Readonly<Record<string, unknown>>): void {
    writeFileSync(join(this.medium, "provision.json"), JSON.stringify(plan, null, 2).replaceAll("\n", "\r\n"));
  }

  get status(): string {
    return readFileSync(join(this.medium, "status.txt"), "utf8");
  }

  /** Every file of the medium, the home and the settings that holds a text. */
  filesWith(secret: string): readonly string[] {
    const all = [this.medium, this.home, this.system].flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    );
    return all.map(({ parentPath, name }) => join(parentPath, name)).filter((path) => readFileSync(path).includes(secret));
  }
}

async function until(box: Provisioner, state: string): Promise<void> {
  const endMs = performance.now() + 90_000;
  while (box.status.state !== state) {
    if (performance.now() > endMs) throw new Error(`the box is ${JSON.stringify(box.status)}`);
    await box.look();
    await Bun.sleep(20);
  }
}

const planFor = (token: string, change: Readonly<Record<string, unknown>> = {}) => ({
  schema: 1,
  hostname: "mill-7",
  aggregator: { url: aggregator.url, caPin: world.authority.fingerprint },
  token,
  chain: { genesis: toHex(network.genesisHash), role: "validator", peers: [`${network.keys[0]}@127.0.0.1:8646`] },
  ...change,
});

describe("provisioning with a real aggregator", () => {
  test("provisioning: an empty home and a plan, keys, settings, certificate, and a node that could start; the token nowhere any more", async () => {
    const box = new Box("whole");
    const token = await world.claim({ network: toHex(network.genesisHash) });
    box.put(planFor(token, { hostname: "Mill" }));
    const first = box.open();
    await first.look();
    expect(box.status).toContain("  - hostname: expected a host name");
    expect([first.status.state, existsSync(join(box.home, "genesis.json")), existsSync(box.system)]).toEqual(["keyed", false, false]);
    box.put(planFor(token));
    await until(first, "ready");
    await first.stop();
    expect(readBundle(join(box.home, ENROLMENT_FILES.bundle))?.cert).toStartWith("-----BEGIN CERTIFICATE");
    const loaded = loadConfiguration({ home: box.home, flags: {}, environment: {} });
    expect(loaded.ok && loaded.value.values.sync.aggregators).toEqual([aggregator.url]);
    expect(loaded.ok && loaded.value.values.network.peers).toEqual([`${network.keys[0]}@127.0.0.1:8646`]);
    const setup = await openSetup(box.home, {}, async () => undefined);
    expect(toHex(setup.validator.publicKey)).toBe(first.status.keys?.validator ?? "none");
    expect(box.status).toContain(first.status.keys?.validator ?? "none");
    expect(box.filesWith(token)).toEqual([]);
    expect(readdirSync(box.medium).sort()).toEqual(["genesis.json", "provision.done.json", "status.txt"]);
  }, 240_000);

  test("provisioning: the process killed right after the certificate came, the next one goes on, and asks nobody again", async () => {
    const box = new Box("killed");
    const token = await world.claim({ network: toHex(network.genesisHash) });
    box.put(planFor(token));
    const first = box.open();
    await until(first, "ready");
    await first.stop();
    // As it was when the certificate had come and the record was not written yet.
    const record = join(box.home, "box/provisioning.json");
    const kept = JSON.parse(readFileSync(record, "utf8")) as Record<string, unknown>;
    writeFileSync(record, JSON.stringify({ ...kept, state: "claimed", plan: planFor(token) }));
    const certificate = readFileSync(join(box.home, ENROLMENT_FILES.bundle), "utf8");
    const second = box.open();
    await until(second, "ready"); // the used token would be refused if anybody were asked
    await second.stop();
    expect(readFileSync(join(box.home, ENROLMENT_FILES.bundle), "utf8")).toBe(certificate);
    expect(box.filesWith(token)).toEqual([]);
  }, 240_000);

  test("provisioning: power cuts while keys are made, one validator key with its journal in the end", async () => {
    const box = new Box("keys");
    const made = box.open();
    await made.look();
    await made.stop();
    const { keys } = made.status;
    rmSync(join(box.home, "keys/validator.json")); // the last thing written
    rmSync(join(box.home, "box/provisioning.json"));
    const again = box.open();
    await again.look();
    await again.stop();
    expect(again.status.keys?.identity).toBe(keys?.identity ?? "none");
    expect(again.status.keys?.validator).not.toBe(keys?.validator ?? "none");
    const publicKey = parseHex(again.status.keys?.validator ?? "") ?? new Uint8Array();
    const journal = openJournal(
      { fs: nodeFileSystem, directory: join(box.home, HOME.journal), entropy: systemEntropy },
      { publicKey, isBlocking: true },
    );
    expect(journal.replay().kind).not.toBe("lost");
    expect(existsSync(join(box.home, HOME.custody))).toBe(true); // bound to this machine, as a key that is made on it
    journal.close();
  }, 240_000);

  test("provisioning: a used token, a wrong pin and another chain, each told, and nothing of the token left but in the file itself", async () => {
    const box = new Box("refused");
    const token = await world.claim({ network: toHex(network.genesisHash) });
    const used = new Box("used");
    used.put(planFor(token));
    const user = used.open();
    await until(user, "ready");
    await user.stop();
    const provisioner = box.open();
    box.put(planFor(token));
    await provisioner.look();
    await until(provisioner, "keyed");
    expect(box.status).toContain("not taken by the aggregator: usedToken: ");
    expect(box.filesWith(token)).toEqual([join(box.medium, "provision.json")]);
    box.put(planFor(token, { aggregator: { url: aggregator.url, caPin: "ab".repeat(32) } }));
    await provisioner.look();
    await until(provisioner, "keyed");
    expect(box.status).toContain("not taken by the aggregator: wrongPin: ");
    box.put(planFor(token, { chain: { genesis: toHex(network.genesisHash), role: "observer" } }));
    await provisioner.look();
    expect(box.status).toContain("  - chain.peers: expected nodes to connect to");
    box.put(planFor(token, { chain: { genesis: "ab".repeat(32), role: "observer" } }));
    await provisioner.look();
    expect(box.status).toContain("only a factory reset lets it join another.");
    await provisioner.stop();
  }, 240_000);
});
