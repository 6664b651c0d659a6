import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import decodeQR from "qr/decode.js";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { BoxConsoleProcess } from "./support/box-console-process.ts";
import { Chromium, findChromium } from "./support/chromium.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a browser where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;
const PHONE = { width: 390, height: 844 } as const;
const DESK = { width: 1_280, height: 800 } as const;
/** A folder that pictures of the page go to, for a person who wants to look. */
const PICTURES = process.env["CONSOLE_PICTURES"];
const PASSWORD = "a long enough password";

const found = await findChromium();
if ("reason" in found) console.warn(`SKIPPED box-console.test.ts: ${found.reason}`);

const place = new Workplace();
let net: Testnet;
let home: string;
let box: BoxConsoleProcess;
let browser: Chromium;

const picture = async (name: string, of = browser): Promise<void> => {
  if (PICTURES !== undefined) await of.screenshot(`${PICTURES}/${name}.png`);
};

/** Puts a text into an input as typing does. */
const type = (id: string, text: string, of = browser): Promise<unknown> =>
  of.evaluate(
    `(() => { const e = document.getElementById(${JSON.stringify(id)}); e.value = ${JSON.stringify(text)}; e.dispatchEvent(new Event("change")); })()`,
  );

async function logIn(of: Chromium, secret: string): Promise<void> {
  await of.until("log-in", (text) => text !== "");
  await type("secret", secret, of);
  await of.click("log-in");
}

const plan = (change: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ schema: 1, hostname: "mill-7", chain: { genesis: net.hash.toString("hex"), role: "validator" }, ...change }, null, 2);

beforeAll(async () => {
  if ("reason" in found) return;
  net = await makeTestnet(place.at("net"));
  home = homeOf(net);
  await place.start(home);
  box = place.keep(await BoxConsoleProcess.start(home, place.at("box")));
  browser = place.keep(await Chromium.start(found.path, PHONE.width, PHONE.height));
}, SETUP_LIMIT_MS);

afterAll(() => place.end());

describe.skipIf("reason" in found)("a box's page in a real browser", () => {
  test("e2e box console: everybody in reach, the state and a claim code that a camera reads; nothing else", async () => {
    await browser.open(box.http);
    expect(await browser.until("state", (text) => text !== "")).toStartWith("keyed");
    const text = await browser.until("claim-text", (seen) => seen.startsWith("BIZRA-CLAIM:1/"));
    expect(text).toContain(`/${net.hash.toString("hex").toUpperCase()}`);
    // The drawing as the browser has it, as black and white points for a reader.
    const path = String(await browser.evaluate('document.querySelector(".qr path").getAttribute("d")'));
    const size = Number(String(await browser.evaluate('document.querySelector(".qr").getAttribute("viewBox")')).split(" ")[2]);
    expect(readQr(path, size)).toBe(text);
    expect((await fetch(`${box.http}/api/view`)).status).toBe(401);
    expect((await fetch(`${box.http}/api/support`)).status).toBe(401);
    await picture("box-1-glance");
  }, 60_000);

  test("e2e box console: a wrong code told, the one of status.txt lets in once, and the node is seen to run", async () => {
    const code = box.code;
    expect(code).toMatch(/^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/);
    await logIn(browser, "0000-0000-0000");
    expect(await browser.until("login-said", (text) => text !== "")).toBe("The code or the password is wrong.");
    await logIn(browser, code.toLowerCase().replaceAll("-", " "));
    await browser.until("findings", (text) => text !== "");
    expect(await browser.until("doing", (text) => text !== "")).toContain("waits for provision.json");
    const facts = async (): Promise<string> => String(await browser.evaluate('document.querySelector("#doing").parentElement.innerText'));
    const endMs = performance.now() + 30_000;
    while (!/Height\s+\d+/.test(await facts())) {
      if (performance.now() > endMs) throw new Error(await facts());
      await Bun.sleep(100);
    }
    expect(box.code).not.toBe(code);
    const again = await fetch(`${box.http}/api/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ secret: code }),
    });
    expect(again.status).toBe(401);
    await picture("box-2-keyed");
  }, 60_000);

  test("e2e box console: a plan with mistakes told and nothing changed; the corrected one, from a file, carried out", async () => {
    await type("plan-text", plan({ hostname: "Mill 7", update: { window: "night" } }));
    await browser.click("plan-send");
    const said = await browser.until("plan-said", (text) => text !== "");
    expect(said.split("\n").map((line) => line.split(":")[0])).toEqual([
      "There are mistakes, and nothing was changed",
      "hostname",
      "update.window",
    ]);
    expect(existsSync(join(box.system, "hostname"))).toBe(false);
    await picture("box-3-mistakes");
    const path = place.at("provision.json");
    writeFileSync(path, plan());
    await browser.putFile("plan-file", path);
    const endMs = performance.now() + 10_000;
    while ((await browser.evaluate('document.getElementById("plan-text").value')) !== plan()) {
      if (performance.now() > endMs) throw new Error("the file was not taken");
      await Bun.sleep(50);
    }
    await browser.click("plan-send");
    await browser.until("state", (text) => text.startsWith("ready"));
    expect(await browser.until("name", (text) => text === "mill-7")).toBe("mill-7");
    expect(readFileSync(join(box.system, "hostname"), "utf8")).toBe("mill-7\n");
    expect(box.status).toContain("State: ready");
  }, 60_000);

  test("e2e box console: another network, a wrong router told, the right one in networkd's words", async () => {
    await browser.open(`${box.http}/`);
    await browser.until("network-form", (text) => text !== "");
    await type("network-method", "static");
    await type("network-address", "192.168.7.20/24");
    await type("network-gateway", "10.0.0.1");
    await browser.click("network-send");
    expect(await browser.until("network-said", (text) => text !== "")).toContain(
      "network.gateway: expected an address of the network of 192.168.7.20/24",
    );
    await type("network-gateway", "192.168.7.1");
    await browser.click("network-send");
    await browser.until("network-said", (text) => text.startsWith("It was taken."));
    const path = join(box.system, "systemd/network/10-bizra.network");
    const endMs = performance.now() + 20_000;
    while (!existsSync(path) && performance.now() < endMs) await Bun.sleep(50);
    expect(readFileSync(path, "utf8")).toContain("Address=192.168.7.20/24\nGateway=192.168.7.1\n");
    await browser.click("show-logs");
    expect(await browser.until("logs", (text) => text !== "")).toContain("supervisor");
    await picture("box-4-ready");
  }, 60_000);

  test("e2e box console: a password set, logged out and in with it; a bundle without the secrets", async () => {
    await type("new-password", PASSWORD);
    await browser.click("password-send");
    await browser.until("password-said", (text) => text.startsWith("The password is set"));
    const base64 = String(
      await browser.evaluate(
        'fetch("/api/support").then((r) => r.bytes()).then((b) => { let s = ""; for (const c of b) s += String.fromCharCode(c); return btoa(s); })',
      ),
    );
    const files = await new Bun.Archive(Buffer.from(base64, "base64")).files();
    expect([...files.keys()].sort()).toContain("hardware.json");
    const all = (await Promise.all([...files.values()].map((file) => file.text()))).join("\n");
    expect(all).toContain("mill-7");
    for (const name of ["keys/passphrase", "box/console.json"]) expect(all).not.toContain(readFileSync(join(home, name), "utf8").trim());
    await browser.click("log-out");
    await logIn(browser, PASSWORD);
    await browser.until("findings", (text) => text !== "");
  }, 60_000);

  test("e2e box console: no breach of the strict policy, nothing from elsewhere, as wide as a phone; and on a desk", async () => {
    const { complaints, requests } = browser.record;
    expect(complaints.filter((text) => !/status of (401|422) /.test(text))).toEqual([]); // the browser notes refusals, which are wanted
    expect(requests.filter((url) => url !== "about:blank" && !url.startsWith(`${box.http}/`) && !url.startsWith("data:"))).toEqual([]);
    expect(await browser.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
    const answer = await fetch(box.http);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'");
    expect(policy).not.toContain("unsafe");
    const desk = place.keep(await Chromium.start("path" in found ? found.path : "", DESK.width, DESK.height));
    await desk.open(box.http);
    await logIn(desk, PASSWORD);
    await desk.until("findings", (text) => text !== "");
    await desk.until("claim-text", (text) => text !== "");
    expect(await desk.evaluate("document.documentElement.scrollWidth")).toBe(DESK.width);
    await picture("box-5-desk", desk);
    expect(await box.stop()).toBe(0);
    await browser.until("banner", (text) => text.includes("does not answer"));
  }, 60_000);
});

/** Reads a QR code drawn as squares of one unit, enlarged for the reader. */
function readQr(path: string, size: number): string {
  const scale = 8;
  const width = size * scale;
  const pixels = new Uint8Array(width * width * 4).fill(255);
  for (const [, x = "", y = ""] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let row = 0; row < scale; row++) {
      const start = ((Number(y) * scale + row) * width + Number(x) * scale) * 4;
      for (let at = start; at < start + scale * 4; at++) if (at % 4 !== 3) pixels[at] = 0;
    }
  }
  return decodeQR({ width, height: width, data: pixels });
}
