import { describe, expect, test } from "bun:test";
import decodeQR from "qr/decode.js";
import { claimText, qrRows } from "../../../../appliance/console/claim-code.ts";
import { LOCAL_ACCESS } from "../../../../appliance/console/local-access.ts";
import { ConsoleRig } from "./console-rig.ts";

const CHANGES = [
  ["/api/plan", { text: "{ }" }],
  ["/api/network", { method: "dhcp" }],
  ["/api/restart", {}],
  ["/api/password", { password: "a long enough password" }],
  ["/api/log-out", {}],
] as const;

const statusOf = async (answer: Promise<Response>): Promise<number> => (await answer).status;

describe("box console", () => {
  test("box console: without a login, the glance and nothing else", async () => {
    const rig = new ConsoleRig();
    const glance = (await (await rig.ask("GET", "/api/glance")).json()) as { name: string; claim: { text: string; rows: string[] } };
    expect(glance).toMatchObject({ name: "mill-7", state: "ready", isWell: true });
    expect(glance.claim.rows).toEqual([...qrRows(glance.claim.text)]);
    for (const path of ["/api/view", "/api/logs", "/api/support", "/api/session"]) expect(await statusOf(rig.ask("GET", path))).toBe(401);
    for (const [path, body] of CHANGES) expect(await statusOf(rig.ask("POST", path, body))).toBe(401);
    expect(rig.desk.told).toEqual([]);
    expect(await statusOf(rig.ask("GET", "/nowhere"))).toBe(404);
    expect(await statusOf(rig.ask("GET", "/"))).toBe(404); // from source there is no page
  });

  test("box console: the code, typed anyhow, lets in once; its cookie cannot be read by a script nor sent from elsewhere", async () => {
    const rig = new ConsoleRig();
    const answer = await rig.ask("POST", "/api/session", { secret: " k7qm 3xvd-9h2t" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("set-cookie")).toMatch(/^bizra_box=[0-9a-f]{64}; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await statusOf(rig.ask("POST", "/api/session", { secret: "K7QM-3XVD-9H2T" }))).toBe(401);
  });

  test("box console: an empty secret and no code, nobody is let in", async () => {
    const rig = new ConsoleRig();
    rig.book.useCode();
    for (const secret of ["", " ", "-", "undefined"]) expect(await statusOf(rig.ask("POST", "/api/session", { secret }))).toBe(401);
  });

  test("box console: a login, what it may read and change; ended, nothing any more", async () => {
    const rig = new ConsoleRig();
    const login = await rig.logIn();
    expect(await statusOf(rig.ask("GET", "/api/view", undefined, login))).toBe(200);
    expect(await (await rig.ask("GET", "/api/logs", undefined, login)).json()).toEqual({ lines: ["a line"] });
    expect(await statusOf(rig.ask("POST", "/api/plan", { text: "{ }" }, login))).toBe(200);
    const mistakes = await rig.ask("POST", "/api/plan", { text: "{}" }, login);
    expect([mistakes.status, await mistakes.json()]).toEqual([
      422,
      expect.objectContaining({ code: "mistakes", mistakes: ["hostname: expected one."] }),
    ]);
    expect(await statusOf(rig.ask("POST", "/api/network", { method: "static", address: "192.0.2.9/24" }, login))).toBe(200);
    expect(await statusOf(rig.ask("POST", "/api/restart", {}, login))).toBe(200);
    expect(rig.desk.told).toEqual(["{ }", "{}", { method: "static", address: "192.0.2.9/24" }, "restart"]);
    expect(rig.plans).toBe(2);
    expect(await statusOf(rig.ask("POST", "/api/log-out", {}, login))).toBe(200);
    expect(await statusOf(rig.ask("GET", "/api/view", undefined, login))).toBe(401);
  });

  test("box console: a factory reset, for who is logged in and types the word; a refusal says which", async () => {
    const rig = new ConsoleRig();
    const order = { tier: "settings", confirm: "reset" };
    expect(await statusOf(rig.ask("POST", "/api/reset", order))).toBe(401);
    const login = await rig.logIn();
    for (const wrong of [{ tier: "settings" }, { tier: "all", confirm: "reset" }, { ...order, force: true }])
      expect(await statusOf(rig.ask("POST", "/api/reset", wrong, login))).toBe(400);
    const refused = await rig.ask("POST", "/api/reset", { tier: "everything", confirm: "yes" }, login);
    expect([refused.status, await refused.json()]).toEqual([409, expect.objectContaining({ mistakes: ["Type the word."] })]);
    expect(await statusOf(rig.ask("POST", "/api/reset", { ...order, confirm: " reset " }, login))).toBe(200);
    expect(rig.desk.told).toEqual([{ tier: "everything", confirm: "yes" }, order]);
    rig.access.endAll();
    expect(await statusOf(rig.ask("GET", "/api/view", undefined, login))).toBe(401);
  });

  test("box console: a change from another site, without or with a wrong token, or in another form, not done", async () => {
    const rig = new ConsoleRig();
    const login = await rig.logIn();
    for (const [path, body] of CHANGES) {
      const refused = (headers: Readonly<Record<string, string>>, sent: unknown = body): Promise<number> =>
        statusOf(rig.ask("POST", path, sent, { ...login, ...headers }));
      expect(await refused({ "x-csrf-token": "" })).toBe(403);
      expect(await refused({ "x-csrf-token": "ff".repeat(16) })).toBe(403);
      expect(await refused({ origin: "http://evil.example" })).toBe(403);
      expect(await refused({ origin: "null" })).toBe(403);
      expect(await refused({ "sec-fetch-site": "cross-site" })).toBe(403);
      expect(await refused({ "sec-fetch-site": "same-site" })).toBe(403);
      expect(await refused({ "content-type": "text/plain" }, JSON.stringify(body))).toBe(400);
      expect(await refused({}, { ...body, more: 1 })).toBe(400);
      expect(await refused({}, "{")).toBe(400);
    }
    expect(rig.desk.told).toEqual([]);
    expect(await statusOf(rig.ask("POST", "/api/session", { secret: "x" }, { origin: "http://evil.example" }))).toBe(403);
    expect(
      await statusOf(rig.ask("POST", "/api/restart", {}, { ...login, origin: "http://box:8080", "sec-fetch-site": "same-origin" })),
    ).toBe(200);
  });

  test("box console: guesses from one address, slowed down; the administrator at another one gets in all the while", async () => {
    const rig = new ConsoleRig();
    const guess = () => rig.ask("POST", "/api/session", { secret: "0000-0000-0000" }, {}, "192.0.2.66");
    const answers: number[] = [];
    for (let count = 0; count < 8; count++) answers.push((await guess()).status);
    expect(answers).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    const late = await rig.ask("POST", "/api/session", { secret: "K7QM-3XVD-9H2T" }, {}, "192.0.2.66");
    expect([late.status, Number(late.headers.get("retry-after"))]).toEqual([429, 1]); // the right one, too, has to wait
    expect(await statusOf(rig.ask("POST", "/api/session", { secret: "K7QM-3XVD-9H2T" }, {}, "192.0.2.7"))).toBe(200);
    rig.time.pass(1_000);
    expect((await guess()).status).toBe(401);
    rig.time.pass(1_000);
    expect((await guess()).status).toBe(429); // twice as long
  });

  test("box console: more attempts at once than are judged, sent away", async () => {
    const rig = new ConsoleRig();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => statusOf(rig.ask("POST", "/api/session", { secret: "wrong" }, {}, `192.0.2.${at}`))),
    );
    expect(answers.filter((status) => status === 401)).toHaveLength(8);
    expect(answers.filter((status) => status === 429)).toHaveLength(32);
  });

  test("box console: a password, set by whoever is in; other logins end, a short one is refused", async () => {
    const rig = new ConsoleRig();
    const first = await rig.logIn();
    expect(await statusOf(rig.ask("POST", "/api/password", { password: "too short" }, first))).toBe(422);
    expect(await statusOf(rig.ask("POST", "/api/password", { password: "a long enough password" }, first))).toBe(200);
    expect(rig.book.hash).toStartWith("$argon2id$");
    const second = await rig.logIn("a long enough password");
    expect(await statusOf(rig.ask("POST", "/api/password", { password: "another long password" }, second))).toBe(200);
    expect(await statusOf(rig.ask("GET", "/api/view", undefined, first))).toBe(401);
    expect(await statusOf(rig.ask("GET", "/api/view", undefined, second))).toBe(200);
    expect(await statusOf(rig.ask("POST", "/api/session", { secret: "a long enough password" }))).toBe(401);
  });

  test("box console: a login lasts an hour, and only so many there are", async () => {
    const rig = new ConsoleRig();
    const login = await rig.logIn();
    await rig.ask("POST", "/api/password", { password: "a long enough password" }, login);
    rig.time.pass(LOCAL_ACCESS.lastMs - 1);
    expect(await statusOf(rig.ask("GET", "/api/session", undefined, login))).toBe(200);
    rig.time.pass(1);
    expect(await statusOf(rig.ask("GET", "/api/session", undefined, login))).toBe(401);
    const logins: { cookie: string }[] = [];
    for (let count = 0; count <= LOCAL_ACCESS.sessionsMax; count++) logins.push(await rig.logIn("a long enough password"));
    const still = await Promise.all(logins.map((each) => statusOf(rig.ask("GET", "/api/session", undefined, each))));
    expect(still).toEqual([401, ...still.slice(1).map(() => 200)]);
  }, 30_000);

  test("box console: the claim code, read back by a reader of QR codes", () => {
    const identity = "3613a1367e5a4406614cea26325ad41a5a1018783ec59e3128258eea662d4bbb";
    const text = claimText({ node: identity.slice(0, 16), identity, fingerprint: "", genesis: "1e".repeat(32) });
    expect(text).toBe(`BIZRA-CLAIM:1/${identity.toUpperCase()}/${"1E".repeat(32)}`);
    expect(claimText({ node: "mill-7", identity, fingerprint: "", genesis: undefined })).toEndWith("/-/mill-7");
    const rows = qrRows(text);
    expect(rows.length).toBeLessThanOrEqual(53); // version 7 with its quiet zone
    const scale = 6;
    const width = rows.length * scale;
    const pixels = new Uint8Array(width * width * 4).fill(255);
    for (let y = 0; y < width; y++) {
      for (let x = 0; x < width; x++)
        if (rows[Math.floor(y / scale)]?.[Math.floor(x / scale)] === "1") pixels.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
    expect(decodeQR({ width, height: width, data: pixels })).toBe(text);
  });
});
