import { beforeAll, describe, expect, test } from "bun:test";
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { sha256 } from "../../../../src/crypto/index.ts";
import { silentLog, utf8 } from "../../../../src/kernel/index.ts";
import { systemEntropy } from "../../../../src/node/ports.ts";
import { OBJECTS_PATH, type ObjectStore } from "../../../../src/storage/index.ts";
import { noteCertificate } from "../../../../sync/aggregator/front/connections.ts";
import { type AggregatorStore, EnrolmentDesk, type FleetRole, fleetRoutes } from "../../../../sync/aggregator/index.ts";
import { nodePrefix } from "../../../../sync/protocol/index.ts";
import { MemoryObjects } from "../restore/backup-fixture.ts";
import { memoryStore, REF } from "./ingest-world.ts";

const CHAIN = Uint8Array.fromHex(REF.network);
const OWN = nodePrefix(CHAIN, REF.node);
const OTHER = nodePrefix(CHAIN, "box-2");
let nowMs = 1_767_225_600_000;
const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
const MIB = 1_024 ** 2;
const USERS = { root: "admin", eye: "viewer" } as const satisfies Record<string, FleetRole>;
const PASSWORD = "a long password";

/** Routes of objects at an aggregator with TLS, over objects and a store in memory. */
class World {
  readonly objects = new MemoryObjects();
  readonly store: AggregatorStore = memoryStore();
  /** Whether the disk of the objects has room. */
  hasRoom = true;
  readonly #app: Hono<{ Bindings: HttpBindings }>;

  constructor(passwordHash: string, objects: ObjectStore = this.objects) {
    const find = (name: string) => (name === "root" || name === "eye" ? { name, role: USERS[name], passwordHash } : undefined);
    const timers = { after: () => () => {} };
    const desk = new EnrolmentDesk({ store: this.store, clock, entropy: systemEntropy, onRevoked: () => {} });
    const parts = { desk, store: this.store, users: { find }, clock, timers, entropy: systemEntropy, log: silentLog, isTls: true, objects };
    const bounds = { quota: { eventBytes: MIB, objectBytes: 2 * MIB }, hasObjectRoom: () => this.hasRoom };
    const routes = fleetRoutes({ ...parts, ...bounds, version: "test" })[OBJECTS_PATH];
    if (!routes) throw new Error("there are routes of objects");
    this.#app = new Hono<{ Bindings: HttpBindings }>().route(OBJECTS_PATH, routes);
  }

  /** Asks with a certificate by its serial, or a person's name. */
  async ask(method: string, path: string, who: { serial?: string; user?: string } = {}, body?: string): Promise<[number, string]> {
    const socket = who.serial === undefined ? new Socket() : certified(who.serial);
    const headers = {
      ...(who.user !== undefined && { authorization: `Basic ${btoa(`${who.user}:${PASSWORD}`)}` }),
      ...(body !== undefined && { "content-length": String(body.length) }),
    };
    const answer = await this.#app.request(
      OBJECTS_PATH + path,
      { method, headers, ...(body !== undefined && { body }) },
      { incoming: { socket } },
    );
    const text = await answer.text();
    return [answer.status, answer.ok ? text : String(JSON.parse(text).code)];
  }

  /** A certificate of the aggregator's own authority. */
  async issue(serial: string, node: string): Promise<void> {
    const identityKey = sha256(utf8(node));
    const whom = { network: REF.network, node };
    const times = { enrolledAtMs: 1, lastHelloAtMs: 0 };
    const claim = { id: `claim-${serial}`, tokenHash: sha256(utf8(serial)), ...whom, site: "", approval: "auto", madeBy: "test" } as const;
    await this.store.enrolment.putClaim({ ...claim, madeAtMs: 1, expiresAtMs: 2, status: "open" });
    const request = { id: serial, claimId: claim.id, ...whom, identityKey, csr: new Uint8Array(1), site: "", address: "" };
    await this.store.enrolment.openRequest({ ...request, requestedAtMs: 1, status: "approved", decidedBy: "test" });
    const certificate = { serial, requestId: serial, ...whom, pem: "", notAfterMs: 9e12, issuedAtMs: 1, status: "valid" } as const;
    const admission = { ...whom, identityKey, software: "", profile: "unmetered", site: "", status: "enrolled", ...times } as const;
    expect(await this.store.enrolment.issueCertificate(certificate, admission)).toBe("stored");
  }
}

/** A connection that was proven by a certificate. */
function certified(serial: string): Socket {
  const socket = new Socket();
  const certificate = { subject: { CN: REF.node }, serialNumber: serial, valid_to: "Jan  1 00:00:00 2030 GMT" };
  noteCertificate(Object.assign(socket, { authorized: true, getPeerCertificate: () => certificate }) as unknown as TLSSocket); // the parts that are read
  return socket;
}

let passwordHash = "";
beforeAll(async () => {
  passwordHash = await Bun.password.hash(PASSWORD, { algorithm: "argon2id", memoryCost: 1_024, timeCost: 1 });
});

describe("routes of objects", () => {
  test("object routes: a node puts, reads, lists and removes what is its own, and nothing of another's", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    const node = { serial: "a1" };
    expect(await world.ask("PUT", `/object/${OWN}parts/x`, node, "bytes")).toEqual([204, ""]);
    expect(await world.ask("GET", `/object/${OWN}parts/x`, node)).toEqual([200, "bytes"]);
    expect(await world.ask("GET", `/list?prefix=${OWN}`, node)).toEqual([
      200,
      JSON.stringify({ objects: [{ name: `${OWN}parts/x`, sizeBytes: 5 }] }),
    ]);
    expect(await world.ask("GET", `/object/${OWN}parts/y`, node)).toEqual([404, "notFound"]);
    for (const [method, path] of [
      ["PUT", `/object/${OTHER}parts/x`],
      ["GET", `/object/${OTHER}parts/x`],
      ["DELETE", `/object/${OTHER}parts/x`],
      ["GET", `/list?prefix=${OTHER}`],
      ["GET", "/list?prefix=backup/"],
      ["GET", "/list"],
    ] as const)
      expect([method, path, ...(await world.ask(method, path, node, method === "PUT" ? "z" : undefined))]).toEqual([
        method,
        path,
        403,
        "forbidden",
      ]);
    expect(await world.ask("PUT", `/object/${OWN}../x`, node, "z")).not.toEqual([204, ""]);
    expect(await world.ask("DELETE", `/object/${OWN}parts/x`, node)).toEqual([204, ""]);
    expect(world.objects.objects.size).toBe(0);
  });

  test("object routes: a revoked certificate, and nobody at all, refused", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    expect(await world.ask("GET", `/object/${OWN}parts/x`)).toEqual([401, "notLoggedIn"]);
    await world.store.enrolment.revokeNode(REF, 5);
    expect(await world.ask("PUT", `/object/${OWN}parts/x`, { serial: "a1" }, "z")).toEqual([403, "forbidden"]);
  });

  test("object routes: an admin reads everybody's and changes nothing; a viewer and a stranger do neither", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    await world.ask("PUT", `/object/${OWN}parts/x`, { serial: "a1" }, "bytes");
    expect(await world.ask("GET", `/object/${OWN}parts/x`, { user: "root" })).toEqual([200, "bytes"]);
    expect((await world.ask("GET", "/list?prefix=backup/", { user: "root" }))[0]).toBe(200);
    expect(await world.ask("PUT", `/object/${OWN}parts/x`, { user: "root" }, "z")).toEqual([403, "forbidden"]);
    expect(await world.ask("DELETE", `/object/${OWN}parts/x`, { user: "root" })).toEqual([403, "forbidden"]);
    expect(await world.ask("GET", `/object/${OWN}parts/x`, { user: "eye" })).toEqual([403, "forbidden"]);
    expect(await world.ask("GET", `/object/${OWN}parts/x`, { user: "nobody" })).toEqual([401, "wrongCredentials"]);
  }, 30_000);

  test("object routes: an object too large, one without its length, and objects out of reach, each with its code", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    const node = { serial: "a1" };
    expect(await world.ask("PUT", `/object/${OWN}parts/x`, node)).toEqual([413, "tooLarge"]);
    world.objects.failsAfter = 0;
    expect(await world.ask("PUT", `/object/${OWN}parts/x`, node, "z")).toEqual([503, "unavailable"]);
    expect(await world.ask("PUT", `/object/${OWN}PARTS`, node, "z")).toEqual([400, "malformed"]);
  });

  test("object routes: objects of a node up to its quota, then full; what it removed counts again after a while", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    await world.issue("b1", "box-2");
    const node = { serial: "a1" };
    const half = "x".repeat(MIB / 2);
    const put = (name: string, body = half) => world.ask("PUT", `/object/${OWN}parts/${name}`, node, body);
    for (const name of ["a", "b", "c", "d"]) expect(await put(name)).toEqual([204, ""]);
    expect(await put("e")).toEqual([507, "full"]);
    expect(world.objects.objects.size).toBe(4);
    expect(await world.ask("GET", `/object/${OWN}parts/a`, node)).toEqual([200, half]);
    expect((await world.ask("PUT", `/object/${OTHER}parts/a`, { serial: "b1" }, half))[0]).toBe(204);
    await world.ask("DELETE", `/object/${OWN}parts/a`, node);
    await world.ask("DELETE", `/object/${OWN}parts/b`, node);
    expect(await put("e")).toEqual([507, "full"]);
    nowMs += 600_000;
    expect(await put("e")).toEqual([204, ""]);
    expect(await put("f")).toEqual([204, ""]);
    expect(await put("g", "z")).toEqual([507, "full"]);
    expect(await world.store.setQuota(REF, { objectBytes: 3 * MIB })).toBe(true);
    expect(await put("g", "z")).toEqual([204, ""]);
  });

  test("object routes: the same object over and over, and thousands that are tiny, never beyond the quota by the count", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    const node = { serial: "a1" };
    for (let i = 0; i < 40; i++) {
      nowMs += 700_000; // a count between two of them is taken when the limit is met
      expect(await world.ask("PUT", `/object/${OWN}parts/same`, node, "y".repeat(MIB / 4))).toEqual([204, ""]);
    }
    let taken = 0;
    for (let i = 0; i < 40; i++) taken += (await world.ask("PUT", `/object/${OWN}parts/${i}`, node, "t"))[0] === 204 ? 1 : 0;
    expect(taken).toBeWithin(1, 8);
  });

  test("object routes: a node of an operator's authority, one quota for whatever networks it writes below", async () => {
    const world = new World(passwordHash);
    const node = { serial: "f00d" }; // not one that was issued here
    const put = (network: string, name: string) =>
      world.ask("PUT", `/object/backup/${network.repeat(16)}/${REF.node}/${name}`, node, "x".repeat(MIB / 2));
    for (const network of ["1", "2", "3", "4"]) expect([network, (await put(network, "a"))[0]]).toEqual([network, 204]);
    expect(await put("5", "a")).toEqual([507, "full"]);
    expect(await world.ask("PUT", `/object/backup/${"1".repeat(16)}/box-9/a`, node, "z")).toEqual([403, "forbidden"]);
    await world.objects.delete(`backup/${"1".repeat(16)}/${REF.node}/a`);
    await world.objects.put(`backup/${"1".repeat(16)}/box-9/a`, new Uint8Array(8 * MIB)); // another's, which does not count here
    nowMs += 600_000;
    expect((await put("5", "a"))[0]).toBe(204);
  });

  test("object routes: the clock set back behind the last count, counted anew and not refused for ever", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    const put = (name: string) => world.ask("PUT", `/object/${OWN}parts/${name}`, { serial: "a1" }, "x".repeat(MIB));
    nowMs += 365 * 86_400_000;
    expect([(await put("a"))[0], (await put("b"))[0]]).toEqual([204, 204]);
    nowMs -= 365 * 86_400_000;
    await world.objects.delete(`${OWN}parts/a`);
    expect((await put("c"))[0]).toBe(204);
    expect(await put("d")).toEqual([507, "full"]);
  });

  test("object routes: objects of an earlier release, counted before the first is taken; a disk that is low takes none", async () => {
    const world = new World(passwordHash);
    await world.issue("a1", REF.node);
    for (let i = 0; i < 4; i++) await world.objects.put(`${OWN}parts/${i}`, new Uint8Array(MIB / 2));
    expect(await world.ask("PUT", `/object/${OWN}parts/new`, { serial: "a1" }, "z")).toEqual([507, "full"]);
    await world.issue("b1", "box-2");
    world.hasRoom = false;
    expect(await world.ask("PUT", `/object/${OTHER}parts/new`, { serial: "b1" }, "z")).toEqual([507, "full"]);
    world.hasRoom = true;
    expect((await world.ask("PUT", `/object/${OTHER}parts/new`, { serial: "b1" }, "z"))[0]).toBe(204);
  });
});
