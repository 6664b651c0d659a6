import { expect, test } from "bun:test";
import { systemEntropy } from "../../../../../src/node/ports.ts";
import { FleetAccess } from "../../../../../sync/aggregator/fleet/access.ts";
import type { FleetUser } from "../../../../../sync/aggregator/index.ts";
import { memoryStore } from "../ingest-world.ts";

const HASH = { algorithm: "argon2id", memoryCost: 1_024, timeCost: 1 } as const;

/** Two aggregators over one store, each with a list of users of its own. */
async function twoReplicas() {
  const store = memoryStore();
  const time = { nowMs: 1_000 };
  const clock = { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs };
  const root: FleetUser = { name: "root", role: "admin", passwordHash: await Bun.password.hash("a long password", HASH) };
  const replica = () => {
    const users = new Map([[root.name, root]]);
    return { users, access: new FleetAccess({ store, users: { find: (name) => users.get(name) }, clock, entropy: systemEntropy }) };
  };
  return { time, root, first: replica(), second: replica() };
}

test("fleet access: a login at one aggregator counts at the other with the same token for changes, and ends at both", async () => {
  const { first, second } = await twoReplicas();
  const { token, csrf } = await first.access.logIn("root", "a long password", "10.0.0.1");
  expect(await second.access.find(token)).toMatchObject({ name: "root", role: "admin", csrf });
  expect(await second.access.find(`${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`)).toBeUndefined();
  await second.access.logOut(token);
  expect(await first.access.find(token)).toBeUndefined();
});

test("fleet access: the other's list decides: a user it has not, or with another password, is nobody there", async () => {
  const { first, second, root } = await twoReplicas();
  const { token } = await first.access.logIn("root", "a long password", "10.0.0.1");
  second.users.set("root", { ...root, role: "viewer" });
  expect(await second.access.find(token)).toMatchObject({ role: "viewer" });
  second.users.set("root", { ...root, passwordHash: await Bun.password.hash("another password", HASH) });
  expect(await second.access.find(token)).toBeUndefined();
  second.users.clear();
  expect(await second.access.find(token)).toBeUndefined();
  expect(await first.access.find(token)).toMatchObject({ role: "admin" });
});

test("fleet access: a login lasts twelve hours by the clock of whoever is asked", async () => {
  const { first, second, time } = await twoReplicas();
  const { token, expiresAtMs } = await first.access.logIn("root", "a long password", "10.0.0.1");
  expect(expiresAtMs).toBe(1_000 + 12 * 3_600_000);
  time.nowMs = expiresAtMs - 1;
  expect(await second.access.find(token)).toBeDefined();
  time.nowMs = expiresAtMs;
  expect(await second.access.find(token)).toBeUndefined();
});
