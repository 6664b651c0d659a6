import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { Chromium, findChromium } from "./support/chromium.ts";
import { type ReadyLine, UpProcess } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a browser where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;
const DESK = { width: 1_280, height: 800 } as const;
const PHONE = { width: 390, height: 844 } as const;
/** A folder that pictures of the console go to, for a person who wants to look. */
const PICTURES = process.env["CONSOLE_PICTURES"];

const found = await findChromium();
if ("reason" in found) console.warn(`SKIPPED console.test.ts: ${found.reason}`);

const place = new Workplace();
let net: ReadyLine;
let browser: Chromium;
let stoppedAtMs = 0;

const picture = async (name: string, of = browser): Promise<void> => {
  if (PICTURES !== undefined) await of.screenshot(`${PICTURES}/${name}.png`);
};
const password = (): string => readFileSync(net.aggregator.console.passwordFile, "utf8").trim();

async function logIn(page: Chromium, secret: string): Promise<void> {
  await page.open(`${net.aggregator.http}/`);
  await page.until("log-in", (text) => text !== "");
  await page.evaluate(
    `document.getElementById("user").value = "admin"; document.getElementById("password").value = ${JSON.stringify(secret)}`,
  );
  await page.click("log-in");
}

/** Online, or fresh and with an alert, as a node has when this machine is too busy for its event loop. */
const isHeard = (text: string): boolean => /online|degraded .* ago: has alerts$/.test(text);

/** What the table says of each node. */
async function table(): Promise<Record<string, string>> {
  const rows = '[...document.querySelectorAll("tr[data-node]")].map((e) => [e.dataset.node, e.querySelector(".status").innerText])';
  return Object.fromEntries((await browser.evaluate(rows)) as [string, string][]);
}

async function untilTable(holds: (rows: Record<string, string>) => boolean, limitMs: number): Promise<Record<string, string>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const rows = await table();
    if (holds(rows)) return rows;
    if (performance.now() > deadline) throw new Error(`after ${limitMs} ms the table says ${JSON.stringify(rows)}`);
    await Bun.sleep(200);
  }
}

beforeAll(async () => {
  if ("reason" in found) return;
  net = await place.keep(new UpProcess(["--dir", place.at("data")])).line(0, 60_000);
  browser = place.keep(await Chromium.start(found.path, DESK.width, DESK.height));
}, SETUP_LIMIT_MS);

afterAll(async () => {
  if (stoppedAtMs > 0) process.kill(net.nodes[3]?.pid ?? 0, "SIGCONT"); // so that it can end
  await place.end();
});

describe.skipIf("reason" in found)("the console in a real browser", () => {
  test("e2e console: a wrong password is told, the right one shows four nodes online", async () => {
    expect(statSync(net.aggregator.console.passwordFile).mode & 0o077).toBe(0);
    await logIn(browser, "a wrong password");
    expect(await browser.until("login-problem", (text) => text !== "")).toBe("The name or the password is wrong.");
    await picture("1-login");
    await logIn(browser, password());
    const rows = await untilTable((all) => Object.values(all).filter(isHeard).length === 4, 120_000);
    expect(Object.keys(rows).sort()).toEqual(net.nodes.map(({ id }) => id).sort());
    await browser.until("shown", (text) => text === "4 nodes");
    await picture("2-nodes");
    process.kill(net.nodes[3]?.pid ?? 0, "SIGSTOP"); // silent, and `up` does not restart it
    stoppedAtMs = performance.now();
  }, 300_000);

  test("e2e console: a node's page, its lanes verified against its signed checkpoint", async () => {
    await browser.evaluate(`location.hash = document.querySelector('tr[data-node="${net.nodes[0]?.id}"] a').hash`);
    await browser.until("events", (text) => text.includes("block.finalized"));
    await browser.click("lane-ops");
    await browser.until("events", (text) => text.includes("service.started") || text.includes("consensus.reached"));
    await browser.click("verify");
    expect(await browser.until("verify-verdict", (text) => text.includes("erified"))).toMatch(/^(Verified|Chain verified): \d+ records/);
    await browser.until("charts", (text) => text.includes("peers"));
    await picture("3-node");
  }, 240_000);

  test("e2e console: one byte of a record changed on its way, named by verify", async () => {
    await browser.evaluate(`window.trueFetch ??= window.fetch; window.fetch = async (...words) => {
      const answer = await window.trueFetch(...words);
      if (!String(words[0]).includes("/events?lane=chain")) return answer;
      const value = await answer.json();
      const event = value.events[3];
      window.changed = event.epoch + "/" + event.sequence;
      event.body = event.body.slice(0, -2) + (event.body.endsWith("00") ? "01" : "00");
      return new Response(JSON.stringify(value));
    }`);
    await browser.click("lane-chain");
    await browser.until("events", (text) => text.includes("validator.registered"));
    await browser.click("verify");
    const verdict = await browser.until("verify-verdict", (text) => text.startsWith("Record "));
    expect(verdict).toStartWith(`Record ${String(await browser.evaluate("window.changed"))} of the chain lane is wrong: `);
    expect(await browser.evaluate('document.querySelectorAll("#events .wrong").length')).toBe(1);
    await picture("4-tampered");
    await browser.evaluate("window.fetch = window.trueFetch");
  }, 240_000);

  test("e2e console: the network page, four validators and who claims each", async () => {
    await browser.evaluate('location.hash = "#/networks"');
    const text = await browser.until("networks", (seen) => net.nodes.every(({ id }) => seen.includes(id)));
    expect(text).toContain("4, weight");
    await picture("5-networks");
    await browser.evaluate('location.hash = "#/findings"');
    expect(await browser.until("audit", (seen) => seen.includes("login"))).toContain("refused");
    await picture("6-findings");
  }, 240_000);

  test("e2e console: a node that is stopped, late and then unknown by the age of its last word", async () => {
    await browser.evaluate('location.hash = "#/nodes"');
    const { id = "" } = net.nodes[3] ?? {};
    await untilTable((all) => /degraded.*heartbeat is late/.test(all[id] ?? ""), 80_000);
    const rows = await untilTable((all) => /unknown for .*since/.test(all[id] ?? ""), 80_000);
    expect(performance.now() - stoppedAtMs).toBeGreaterThan(55_000); // its last word was at most an interval old
    expect(Object.values(rows).filter(isHeard)).toHaveLength(3);
    await picture("7-unknown");
    // By now the node has signed a checkpoint over what it did.
    await browser.evaluate(`location.hash = document.querySelector('tr[data-node="${net.nodes[0]?.id}"] a').hash`);
    await browser.until("events", (text) => text.includes("block.finalized"));
    await browser.click("verify");
    expect(await browser.until("verify-verdict", (text) => text.includes("erified"))).toMatch(
      /^Verified: \d+ records .* the node's identity signed/,
    );
    expect(await browser.evaluate('document.getElementById("verify-verdict").className')).toBe("verdict good");
    await picture("7-verified");
  }, 240_000);

  test("e2e console: no breach of the strict policy, nothing from elsewhere, as wide as a phone, and logged out", async () => {
    const { complaints, requests } = browser.record;
    expect(complaints.filter((text) => !/status of (401|404) /.test(text))).toEqual([]); // the browser notes refusals, which are wanted
    expect(
      requests.filter((url) => url !== "about:blank" && !url.startsWith(`${net.aggregator.http}/`) && !url.startsWith("data:")),
    ).toEqual([]);
    const phone = place.keep(await Chromium.start("path" in found ? found.path : "", PHONE.width, PHONE.height));
    await logIn(phone, password());
    for (const [name, hash, id] of [
      ["8-phone-nodes", "#/nodes", "nodes-box"],
      [
        "9-phone-node",
        `#/node/${String(((await fetch(`${net.nodes[0]?.http}/api/v2/status`).then((r) => r.json())) as { genesisHash: string }).genesisHash)}/${net.nodes[0]?.id}`,
        "events",
      ],
      ["10-phone-networks", "#/networks", "networks"],
    ] as const) {
      await phone.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await phone.until(id, (text) => text.length > 20);
      expect(await phone.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      await picture(name, phone);
    }
    await phone.click("log-out");
    await phone.until("log-in", (text) => text !== "");
    expect((await fetch(`${net.aggregator.http}/api/v2/fleet/nodes`)).status).toBe(401);
  }, 240_000);
});
