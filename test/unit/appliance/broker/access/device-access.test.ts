import { expect, test } from "bun:test";
import { type AccessUser, formatAccessList, parseAccessList } from "../../../../../appliance/broker/access/access-list.ts";
import { CERTIFICATE_ONLY, hashPassword, makeToken } from "../../../../../appliance/broker/access/credentials.ts";
import { type Anonymity, DeviceAccess } from "../../../../../appliance/broker/access/device-access.ts";
import type { Credentials } from "../../../../../appliance/broker/index.ts";
import { silentLog, utf8 } from "../../../../../src/kernel/index.ts";
import { ManualTime } from "../../../gateway/manual-time.ts";

const SCOPE = { network: "0011aabb", node: "n1" };
const listOf = (...users: readonly AccessUser[]): ReadonlyMap<string, AccessUser> => new Map(users.map((user) => [user.name, user]));
const entropy = { bytes: (count: number) => new Uint8Array(count).fill(7) };

function make(anonymous: Anonymity = "off", time = new ManualTime()): DeviceAccess {
  return new DeviceAccess({ scope: SCOPE, anonymous, clock: time, log: silentLog });
}

function shown(change: Partial<Credentials> & { readonly login?: readonly [string, string] } = {}): Credentials {
  const { login, ...rest } = change;
  return {
    clientId: "client-1",
    security: { isEncrypted: false },
    remote: { address: "192.0.2.7", port: 1 },
    ...(login ? { username: login[0], password: utf8(login[1]) } : {}),
    ...rest,
  };
}

const { token, secret: tokenSecret } = makeToken(entropy);

test("access: a token, a password, a certificate, each lets in under its own name", async () => {
  const access = make();
  access.replace(
    listOf(
      { name: "pump", role: "device", secret: tokenSecret },
      { name: "anna", role: "fleet", secret: await hashPassword("correct horse") },
      { name: "plant", role: "scada", secret: CERTIFICATE_ONLY },
    ),
  );
  expect(await access.authenticate(shown({ login: ["pump", token] }))).toEqual({ ok: true, value: { name: "pump", role: "device" } });
  expect(await access.authenticate(shown({ login: ["anna", "correct horse"] }))).toEqual({
    ok: true,
    value: { name: "anna", role: "fleet" },
  });
  expect(await access.authenticate(shown({ security: { isEncrypted: true, certificateName: "plant" } }))).toEqual({
    ok: true,
    value: { name: "plant", role: "scada" },
  });
  expect(await access.authenticate(shown({ security: { isEncrypted: true, certificateName: "unlisted" } }))).toEqual({
    ok: true,
    value: { name: "unlisted", role: "device" },
  });
});

test("access: wrong passwords, unknown names, certificate users by login, all refused alike", async () => {
  const access = make("all");
  access.replace(
    listOf(
      { name: "anna", role: "fleet", secret: await hashPassword("correct horse") },
      { name: "plant", role: "scada", secret: CERTIFICATE_ONLY },
    ),
  );
  for (const login of [
    ["anna", "wrong horse"],
    ["nobody", "correct horse"],
    ["plant", CERTIFICATE_ONLY],
    ["", ""],
  ] as const) {
    expect(await access.authenticate(shown({ login, remote: { address: `192.0.2.${login[0].length}`, port: 1 } }))).toEqual({
      ok: false,
      error: "badCredentials",
    });
  }
});

test("access: nobody shows anything, let in from where the configuration says", async () => {
  const local = { remote: { address: "::ffff:127.0.0.1", port: 1 } };
  expect((await make("off").authenticate(shown(local))).ok).toBe(false);
  expect((await make("loopback").authenticate(shown())).ok).toBe(false);
  expect(await make("loopback").authenticate(shown(local))).toEqual({ ok: true, value: { name: "client-1", role: "device" } });
  expect((await make("all").authenticate(shown())).ok).toBe(true);
  expect(await make("all").authenticate(shown({ clientId: "no/level" }))).toEqual({ ok: false, error: "clientIdInvalid" });
});

test("access: a client id that is the name of a user, not had without its login", async () => {
  const access = make("all");
  access.replace(listOf({ name: "pump", role: "device", secret: tokenSecret }));
  expect(await access.authenticate(shown({ clientId: "pump" }))).toEqual({ ok: false, error: "notAuthorized" });
});

test("access: repeated failures from one address, slowed; other addresses not", async () => {
  const time = new ManualTime();
  const access = make("off", time);
  access.replace(listOf({ name: "pump", role: "device", secret: tokenSecret }));
  for (let i = 0; i < 6; i++) expect((await access.authenticate(shown({ login: ["pump", `wrong ${i}`] }))).ok).toBe(false);
  expect(await access.authenticate(shown({ login: ["pump", token] }))).toEqual({ ok: false, error: "unavailable" });
  expect((await access.authenticate(shown({ login: ["pump", token], remote: { address: "192.0.2.8", port: 1 } }))).ok).toBe(true);
  time.advance(1_001);
  expect((await access.authenticate(shown({ login: ["pump", token] }))).ok).toBe(true);
  const counted = access
    .collect()
    .flatMap(({ samples }) => samples.map((sample) => [sample.labels?.["outcome"], "value" in sample ? sample.value : 0]));
  expect(Object.fromEntries(counted)).toEqual({ badCredentials: 6, paced: 1, login: 2 });
});

test("access: roles, what each may say and hear", () => {
  const access = make();
  const root = "bizra/v1/0011aabb";
  const may = (role: string, name: string) => ({
    publish: (topic: string) => access.mayPublish({ name, role }, topic),
    subscribe: (filter: string) => access.maySubscribe({ name, role }, filter),
  });
  const device = may("device", "pump");
  expect([`${root}/tx/pump/submit`, `${root}/tx/other/submit`, `${root}/node/n1/status`, "any"].map(device.publish)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(
    [`${root}/tx/pump/receipt`, `${root}/tx/pump/receipt/#`, `${root}/node/+/head`, `$share/g/${root}/events/#`, "$SYS/#"].map(
      device.subscribe,
    ),
  ).toEqual([true, true, true, true, true]);
  expect([`${root}/tx/+/receipt`, "#", `${root}/#`, `${root}/node/n1/cmd/reboot`, `${root}/tx/pump/submit`].map(device.subscribe)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
  const fleet = may("fleet", "hq");
  expect([`${root}/node/n1/cmd/reboot`, `${root}/node/n2/cmd/reboot`, `${root}/tx/hq/submit`].map(fleet.publish)).toEqual([
    true,
    false,
    false,
  ]);
  expect(fleet.subscribe(`${root}/fleet/hq/answers`)).toBe(true);
  const scada = may("scada", "plant");
  expect(["spBv1.0/g/NCMD/n1", "spBv1.0/g/NDATA/n1", "homeassistant/status"].map(scada.publish)).toEqual([true, false, true]);
  expect(may("king", "x").subscribe("$SYS/#")).toBe(false);
});

test("access: a list that changes, told whom to disconnect, and rights are gone at once", async () => {
  const time = new ManualTime();
  const access = make("all", time);
  const until = new Date(time.nowMs() + 60_000).toISOString();
  const pump: AccessUser = { name: "pump", role: "device", secret: tokenSecret, publish: ["lab/pump/#"], validUntil: until };
  access.replace(listOf(pump));
  const principal = { name: "pump", role: "device" };
  await access.authenticate(shown({ clientId: "c-pump", login: ["pump", token] }));
  await access.authenticate(shown({ clientId: "free" }));
  expect(access.mayPublish(principal, "lab/pump/x")).toBe(true);
  expect([...access.replace(listOf(pump))]).toEqual([]);
  time.advance(60_001);
  expect((await access.authenticate(shown({ login: ["pump", token] }))).ok).toBe(false);
  expect([...access.replace(listOf({ ...pump, role: "reader" }))]).toEqual(["pump"]);
  expect(access.mayPublish(principal, "bizra/v1/0011aabb/tx/pump/submit")).toBe(false);
  expect([...access.replace(listOf({ name: "free", role: "device", secret: tokenSecret }))]).toEqual(["pump", "free"]);
});

test("access: the file, read as written, and refused with the entry that is wrong", () => {
  const list = listOf(
    { name: "b", role: "device", secret: tokenSecret },
    { name: "a", role: "reader", secret: CERTIFICATE_ONLY, subscribe: ["x/#"] },
  );
  const text = formatAccessList(list);
  const read = parseAccessList(text);
  expect(read.ok && formatAccessList(read.value)).toBe(text);
  const wrong = (entry: unknown) => parseAccessList(JSON.stringify({ format: "bizra-mqtt-access/1", users: [entry] }));
  const good = { name: "a", role: "device", secret: tokenSecret };
  for (const change of [
    { name: "a/b" },
    { role: "admin" },
    { secret: "plain" },
    { extra: 1 },
    { publish: ["bizra/#"] },
    { publish: ["#"] },
    { subscribe: ["a#"] },
    { validUntil: "soon" },
  ]) {
    expect(wrong({ ...good, ...change })).toMatchObject({ ok: false, error: expect.stringContaining("users[0]: expected") });
  }
  expect(wrong(good).ok).toBe(true);
  for (const text of ["", "[]", "{}", '{"format":"bizra-mqtt-access/2","users":[]}']) expect(parseAccessList(text).ok).toBe(false);
});
