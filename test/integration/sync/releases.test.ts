/** Releases for boxes, out of the objects of an aggregator, to whom it has given a certificate. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AskServer, fetchByBlocks, findOffer } from "../../../appliance/ota/index.ts";
import { ReleaseSource } from "../../../src/cli/box/release-source.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { ok, silentLog, toHex } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { FileObjects } from "../../../src/storage/index.ts";
import { ENROLMENT_FILES, readBundle } from "../../../sync/agent/index.ts";
import { type EnrolmentDesk, fleetRoutes } from "../../../sync/aggregator/index.ts";
import { RELEASES_PATH, releasePrefix } from "../../../sync/protocol/index.ts";
import { blocksOf, bundleOf } from "../../unit/appliance/ota/fake-bundle.ts";
import { EnrolmentWorld } from "./enrolment-world.ts";

const OLD = blocksOf("old", 400);
const NEW = bundleOf(Buffer.concat([OLD.subarray(0, 100 * 4096), blocksOf("app", 700), OLD.subarray(100 * 4096)])).bytes;
const BAR = { stamp: { compatible: "board", version: "1.0.0" }, floor: "1.0.0", failed: [], isUnattended: true };

let world: EnrolmentWorld;
let channel = "";
let desk: EnrolmentDesk | undefined;

beforeAll(async () => {
  world = await EnrolmentWorld.open();
  const ports = { clock: systemClock, timers: systemTimers, entropy: systemEntropy, log: silentLog };
  const objects = new FileObjects(join(world.folder, "objects"), systemEntropy);
  const { url } = await world.start({
    routes: (store, _ingest, opened) => {
      desk = opened;
      return fleetRoutes({ ...ports, store, desk: opened, users: { find: () => undefined }, isTls: true, objects, version: "test" });
    },
  });
  channel = `${url}${RELEASES_PATH}/stable/`;
  const digest = toHex(sha256(NEW));
  const offer = { version: "1.1.0", compatible: "board", file: "board-1.1.0.raucb", sha256: digest };
  await objects.put(`${releasePrefix("stable")}board-1.1.0.raucb`, NEW);
  await objects.put(`${releasePrefix("stable")}board.json`, new TextEncoder().encode(JSON.stringify(offer)));
  await objects.put("backup/0011223344556677/x/secret", new Uint8Array(8));
});
afterAll(() => world.close());

/** Asks as a node that has enrolled, or as nobody. */
function asking(name?: string): AskServer {
  const bundle = name === undefined ? undefined : readBundle(world.bundleOf(name));
  const tls = { ca: world.authority.certificate, ...(bundle && { cert: bundle.cert, key: bundle.key }) };
  return (url, init) => fetch(url, { ...init, tls });
}

describe("releases at an aggregator", () => {
  test("aggregator: an enrolled box, offered the release of its channel and given the parts that it lacks", async () => {
    expect(await world.enrol("box-a", await world.claim())).toMatchObject({ ok: true });
    const offer = await findOffer(channel, BAR, systemTimers, asking("box-a"));
    expect(offer).toMatchObject({ ok: true, value: { version: "1.1.0" } });
    const url = offer.ok ? offer.value.url : "";
    const folder = join(world.folder, "download");
    const fetched = await fetchByBlocks(url, {
      ...{ folder, timers: systemTimers, ask: asking("box-a"), slots: [], log: silentLog },
      judge: async () => ok(undefined),
      onProgress: () => {},
    });
    if (fetched === "noRanges" || !fetched.ok) throw new Error(JSON.stringify(fetched));
    expect(readFileSync(fetched.value.path).equals(NEW)).toBe(true);
    const whole = await asking("box-a")(url, { headers: {}, signal: AbortSignal.timeout(60_000) });
    expect([whole.status, Buffer.from(await whole.arrayBuffer()).equals(NEW)]).toEqual([200, true]);
  });

  test("aggregator: a box, finds the channel by its enrolment and asks with its certificate", async () => {
    const home = world.homeOf("box-a");
    const { origin } = new URL(channel);
    const files = `caFile = "${ENROLMENT_FILES.authority}"\ncertificateFile = "${ENROLMENT_FILES.bundle}"\nkeyFile = "${ENROLMENT_FILES.bundle}"`;
    writeFileSync(join(home, "node.toml"), `version = 1\n\n[sync]\naggregators = ["${origin}"]\n${files}\n`);
    writeFileSync(join(home, "update.json"), '{"channel":"stable"}');
    const source = new ReleaseSource(home, join(home, "update.json"), silentLog);
    expect(source.findChannel(source.policy())).toBe(channel);
    expect(await findOffer(channel, BAR, systemTimers, source.ask)).toMatchObject({ ok: true, value: { version: "1.1.0" } });
  });

  test("aggregator: whoever it gave no certificate, or took it from, gets nothing", async () => {
    const url = `${channel}board.json`;
    const statusOf = async (ask: AskServer): Promise<number> =>
      (await ask(url, { headers: {}, signal: AbortSignal.timeout(60_000) })).status;
    expect(await statusOf(asking())).toBe(401);
    await world.enrol("box-b", await world.claim());
    expect(await statusOf(asking("box-b"))).toBe(200);
    expect((await desk?.revokeNode("box-b", undefined, "a test"))?.length).toBe(1);
    expect(await statusOf(asking("box-b"))).toBe(403);
  });

  test("aggregator: a name that there is not, one that leads elsewhere, and a part beyond the end, refused", async () => {
    const statusOf = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
      (await asking("box-a")(`${channel}${path}`, { headers, signal: AbortSignal.timeout(60_000) })).status;
    expect(await statusOf("other.json")).toBe(404);
    expect(await statusOf("board")).toBe(404); // the beginning of a name is none
    for (const path of ["..%2f..%2fbackup%2f0011223344556677%2fx%2fsecret", "%2e%2e", "A.json"])
      expect([path, [400, 404].includes(await statusOf(path))]).toEqual([path, true]);
    expect(await statusOf("board-1.1.0.raucb", { range: "bytes=999999999-" })).toBe(416);
    expect(await statusOf("board-1.1.0.raucb", { range: "bytes=0-9" })).toBe(206);
    expect(await statusOf("board-1.1.0.raucb", { range: "bytes=0-1,5-9" })).toBe(200);
  });
});
