/** A node that enrols by its settings, at a real aggregator over TLS: how it starts, what it is told, what is left on disk. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfiguration } from "../../../src/config/index.ts";
import type { Event } from "../../../src/events/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { NodeEnrolment } from "../../../src/node/enrolment.ts";
import { isEnrolledAt, StartRefused } from "../../../src/node/index.ts";
import { systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { ENROLMENT_FILES } from "../../../sync/agent/index.ts";
import { hashToken } from "../../../sync/protocol/index.ts";
import { network } from "../../unit/sync/agent/agent-world.ts";
import { EnrolmentWorld, identityOf, NETWORK } from "./enrolment-world.ts";

const NAME = "box-1";
const REF = { network: NETWORK, node: NAME };
const worlds: EnrolmentWorld[] = [];
const running: NodeEnrolment[] = [];
afterEach(async () => {
  for (const enrolment of running.splice(0)) enrolment.stop();
  for (const world of worlds.splice(0)) await world.close();
});

/** A home whose node.toml names the aggregator, and what enrols it. */
class EnrollingNode {
  readonly home: string;
  readonly told: string[] = [];
  /** How often it waited for something, each of which takes no longer here than a moment. */
  waits = 0;
  readonly #world: EnrolmentWorld;

  constructor(world: EnrolmentWorld, settings: Readonly<Record<string, string>> = {}) {
    this.#world = world;
    this.home = world.homeOf(NAME);
    const lines = { enrolAt: world.url, enrolPin: world.authority.fingerprint, ...settings };
    const text = Object.entries(lines).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    mkdirSync(join(this.home, "sync"), { recursive: true });
    writeFileSync(join(this.home, "node.toml"), `version = 1\n\n[sync]\n# brought by an image\n${text.join("")}`);
  }

  get tokenFile(): string {
    return join(this.home, "sync/enrol-token");
  }

  lay(token: string, mode = 0o600): void {
    writeFileSync(this.tokenFile, `${token}\n`, { mode });
    chmodSync(this.tokenFile, mode);
  }

  start(): NodeEnrolment {
    const loaded = loadConfiguration({ home: this.home, flags: {}, environment: {} });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    const setup = { home: this.home, nodeId: NAME, identity: identityOf(NAME), configuration: loaded.value.values };
    const enrolment = new NodeEnrolment({
      setup: { ...setup, genesis: { hash: network } as never }, // the part that is read
      events: {
        appendCrit: ({ type, payload }: Event) => {
          if (type === "audit.recorded" && "action" in payload) this.told.push(`${payload.action} ${payload.outcome} ${payload.detail}`);
          return undefined as never; // nobody looks at the record
        },
      },
      timers: {
        after: (delayMs, action) => {
          this.waits++;
          return systemTimers.after(Math.min(delayMs, 25), action);
        },
      },
      entropy: systemEntropy,
      log: silentLog,
      fail: (error) => {
        throw error;
      },
    });
    running.push(enrolment);
    enrolment.start();
    return enrolment;
  }

  get settings() {
    const loaded = loadConfiguration({ home: this.home, flags: {}, environment: {} });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    return loaded.value.values.sync;
  }

  get isEnrolled(): boolean {
    return isEnrolledAt(this.home, this.#world.url, this.#world.authority.fingerprint);
  }
}

async function openWorld(): Promise<EnrolmentWorld> {
  const world = await EnrolmentWorld.open();
  worlds.push(world);
  return world;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => void systemTimers.after(10, () => resolve(undefined)));
}

const stateOf = (enrolment: NodeEnrolment): string =>
  enrolment.state.kind === "refused" ? `refused ${enrolment.state.code}` : enrolment.state.kind;
const reasons = (enrolment: NodeEnrolment): string[] => enrolment.alerts().map(({ name, reason }) => `${name}: ${reason}`);

test("node enrolment: a token in its file, used once at the start; certificate and settings are there, the token is not", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  node.lay(await world.claim({ site: "mill" }));
  const first = node.start();
  expect(await first.enrolled).toBe(world.url);
  expect(stateOf(first)).toBe("enrolled");
  expect(first.alerts()).toEqual([]);
  expect(existsSync(node.tokenFile)).toBe(false);
  expect(existsSync(join(node.home, ENROLMENT_FILES.request))).toBe(false);
  expect(node.settings).toMatchObject({ aggregators: [world.url], caFile: ENROLMENT_FILES.authority, keyFile: ENROLMENT_FILES.bundle });
  expect(node.settings.witnessKeys).toHaveLength(1);
  expect(readFileSync(join(node.home, "node.toml"), "utf8")).toContain("# brought by an image");
  expect(node.isEnrolled).toBe(true);
  expect(await world.store.findNode(REF)).toMatchObject({ site: "mill", status: "enrolled" });
  expect(node.told).toEqual([expect.stringMatching(/^enrol done certificate until 20/)]);
  const again = node.start();
  await until(() => stateOf(again) === "enrolled");
  expect(await world.store.enrolment.listCertificates(REF, 5)).toHaveLength(1);
  expect(node.told).toHaveLength(1);
}, 60_000);

test("node enrolment: refused for its token, told once by its code and not asked again; another token in the file is taken up", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  const revoked = await world.claim();
  await world.desk.revokeClaim((await world.store.enrolment.findClaim(hashToken(revoked)))?.id ?? "", "alice");
  node.lay(revoked);
  const enrolment = node.start();
  await until(() => stateOf(enrolment) === "refused revokedToken");
  expect(reasons(enrolment)).toEqual([expect.stringContaining("refused: revokedToken")]);
  const [family] = enrolment.collect();
  expect(family?.samples).toContainEqual({ labels: { state: "refused", code: "revokedToken" }, value: 1 });
  const counted = (await world.store.listAudit(Number.MAX_SAFE_INTEGER, 100)).length;
  const looked = node.waits;
  await until(() => node.waits > looked + 10);
  expect((await world.store.listAudit(Number.MAX_SAFE_INTEGER, 100)).length).toBe(counted);
  expect(node.told).toEqual(["enrol refused revokedToken"]);
  expect(existsSync(node.tokenFile)).toBe(true);
  node.lay(await world.claim({ node: "box-2" }));
  await until(() => stateOf(enrolment) === "refused wrongNode");
  node.lay(await world.claim());
  expect(await enrolment.enrolled).toBe(world.url);
  expect(existsSync(node.tokenFile)).toBe(false);
  expect(node.told.slice(0, 2)).toEqual(["enrol refused revokedToken", "enrol refused wrongNode"]);
}, 60_000);

test("node enrolment: another authority than pinned, the token shown to nobody and still good", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world, { enrolPin: "ab".repeat(32) });
  const token = await world.claim();
  node.lay(token);
  const enrolment = node.start();
  await until(() => stateOf(enrolment) === "refused wrongPin");
  expect((await world.store.enrolment.findClaim(hashToken(token)))?.status).toBe("open");
  expect(await world.desk.listRequests(undefined, 5)).toEqual([]);
  expect([existsSync(node.tokenFile), node.isEnrolled]).toEqual([true, false]);
  enrolment.stop();
  expect(await new EnrollingNode(world).start().enrolled).toBe(world.url);
}, 60_000);

test("node enrolment: no token, a file that others can read, no pin: each told, and nothing asked", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  const enrolment = node.start();
  await until(() => reasons(enrolment).length === 1);
  expect(reasons(enrolment)[0]).toContain("there is no token");
  const token = await world.claim();
  node.lay(token, 0o644);
  await until(() => stateOf(enrolment) === "refused tokenFile");
  expect(reasons(enrolment)[0]).toContain("readable by its owner alone");
  expect((await world.store.enrolment.findClaim(hashToken(token)))?.status).toBe("open");
  chmodSync(node.tokenFile, 0o600);
  expect(await enrolment.enrolled).toBe(world.url);
  expect(() => new EnrollingNode(world, { enrolPin: "" }).start()).toThrow(StartRefused);
}, 60_000);

test("node enrolment: stopped while it waits for approval, a start goes on with the same request and gets its one certificate", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  node.lay(await world.claim({ approval: "manual" }));
  const first = node.start();
  await until(() => stateOf(first) === "pending");
  expect(reasons(first)).toEqual([expect.stringContaining("waits for an approval")]);
  first.stop();
  const second = node.start();
  await until(() => stateOf(second) === "pending");
  expect(await world.desk.listRequests("pending", 10)).toHaveLength(1);
  await world.desk.decide(NAME, "approved", "alice");
  expect(await second.enrolled).toBe(world.url);
  expect(await world.store.enrolment.listCertificates(REF, 5)).toHaveLength(1);
  expect(existsSync(node.tokenFile)).toBe(false);
}, 60_000);

test("node enrolment: killed before the token was wiped, a start asks the same again, gets the same certificate and wipes it", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  const token = await world.claim({ approval: "manual" });
  node.lay(token);
  const first = node.start();
  await until(() => stateOf(first) === "pending");
  const request = readFileSync(join(node.home, ENROLMENT_FILES.request));
  await world.desk.decide(NAME, "approved", "alice");
  await first.enrolled;
  const certificate = readFileSync(join(node.home, ENROLMENT_FILES.bundle), "utf8");
  writeFileSync(join(node.home, ENROLMENT_FILES.request), request);
  node.lay(token);
  expect(await node.start().enrolled).toBe(world.url);
  expect(readFileSync(join(node.home, ENROLMENT_FILES.bundle), "utf8")).toBe(certificate);
  expect([existsSync(node.tokenFile), existsSync(join(node.home, ENROLMENT_FILES.request))]).toEqual([false, false]);
  expect(await world.store.enrolment.listCertificates(REF, 5)).toHaveLength(1);
  expect(await world.store.listFindings(undefined, 5)).toEqual([]);
}, 60_000);

test("node enrolment: nobody there, asked again and again; a node that was revoked, let in again by a new token", async () => {
  const world = await openWorld();
  const node = new EnrollingNode(world);
  const { port } = new URL(world.url);
  node.lay("bizra-claim-none");
  await world.aggregators.splice(0)[0]?.stop();
  const enrolment = node.start();
  await until(() => reasons(enrolment).some((reason) => reason.includes("does not answer")));
  expect(stateOf(enrolment)).toBe("asking");
  await world.start({ listen: { host: "127.0.0.1", port: Number(port) } });
  await until(() => stateOf(enrolment) === "refused unknownToken");
  node.lay(await world.claim());
  await enrolment.enrolled;
  await world.desk.revokeNode(NAME, NETWORK, "alice");
  node.lay(await world.claim({ node: NAME }));
  await node.start().enrolled;
  const statuses = (await world.store.enrolment.listCertificates(REF, 5)).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual(["revoked", "valid"]);
  expect((await world.store.findNode(REF))?.status).toBe("enrolled");
}, 60_000);
