import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bizra } from "./support/bizra.ts";
import { Chromium, findChromium } from "./support/chromium.ts";
import { type ReadyLine, UpProcess } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a browser where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;
/** A phone, in CSS pixels. */
const PHONE = { width: 390, height: 844 } as const;
/** A folder that pictures of the page go to, for a person who wants to look. */
const PICTURES = process.env["PAGE_PICTURES"];

const found = await findChromium();
if ("reason" in found) console.warn(`SKIPPED page.test.ts: ${found.reason}`);

const place = new Workplace();
let up: UpProcess;
let net: ReadyLine;
let browser: Chromium;

const urlOf = (index: number): string => net.nodes[index]?.http ?? "";
const json = async (url: string): Promise<Record<string, unknown>> => (await (await fetch(url)).json()) as Record<string, unknown>;
const isVerified = (text: string): boolean => text.startsWith("Verified.");

async function picture(name: string): Promise<void> {
  if (PICTURES !== undefined) await browser.screenshot(`${PICTURES}/${name}.png`);
}

/** The fact with this name in the receipt that the page shows. */
function factOf(name: string): Promise<unknown> {
  const term = `[...document.querySelectorAll("#receipt-facts dt")].find((e) => e.textContent === ${JSON.stringify(name)})`;
  return browser.evaluate(`${term}?.nextElementSibling?.textContent`);
}

beforeAll(async () => {
  if ("reason" in found) return;
  up = place.keep(new UpProcess(["--dir", place.at("data")]));
  net = await up.line(0, 60_000);
  browser = place.keep(await Chromium.start(found.path, PHONE.width, PHONE.height));
}, SETUP_LIMIT_MS);

afterAll(() => place.end());

describe.skipIf("reason" in found)("the page in a real browser", () => {
  test("e2e page: a key made in the page, funded by a transfer, its note final and its receipt verified there", async () => {
    await browser.open(`${urlOf(0)}/try`);
    const status = await json(`${urlOf(0)}/api/v2/status`);
    expect(await browser.until("genesis-hash", (text) => text.length === 64)).toBe(String(status["genesisHash"]));
    await browser.until("node-address", (text) => text.includes("/webrtc-direct/certhash/"));
    await browser.click("make-key");
    const address = await browser.until("address", (text) => text.startsWith("bz1"));
    const command = await browser.until("funding-command", (text) => text.includes(address));
    await picture("1-unfunded");
    const words = command.split(" ").slice(1);
    words[words.indexOf("--key") + 1] = net.accounts[0]?.key ?? ""; // the command as shown, with this run's folder
    const paid = await bizra(...words, "--wait", "final");
    expect(paid.err + paid.out).toContain("final");
    await browser.until("balance", (text) => text.startsWith("100000 units"));
    await browser.click("submit");
    await browser.until("verdict", isVerified);
    await picture("2-verified");

    const id = String(await factOf("Transaction"));
    const elsewhere = await json(`${urlOf(3)}/api/v2/transactions/${id}?wait=final&timeoutMs=10000`);
    expect(elsewhere["status"]).toBe("final");
    expect(await factOf("Block")).toBe(`${String(elsewhere["height"])}, index ${String(elsewhere["index"])}`);
    expect(await factOf("Result")).toBe("applied");
    const signers = (await browser.textOf("signers")).split("\n");
    expect(signers).toHaveLength(4);
    expect(signers.filter((line) => line.startsWith("signed: ")).length).toBeGreaterThanOrEqual(3);
    expect(await browser.textOf("steps")).toMatch(/WebRTC.*ms\)\n.*on the node's disk.*\n.*proof of \d+ bytes.*\n.*genesis document alone/);
  }, 240_000);

  test("e2e page: everything from the node itself, no breach of the strict policy, no complaint, as wide as the phone", async () => {
    const { complaints, requests } = browser.record;
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => url !== "about:blank" && !url.startsWith(`${urlOf(0)}/`) && !url.startsWith("data:"))).toEqual([]);
    expect(requests.some((url) => url.includes("/transactions"))).toBe(false); // what is submitted and proven goes over WebRTC
    expect(await browser.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
    const answer = await fetch(`${urlOf(0)}/try`);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'");
    expect(policy).not.toContain("unsafe");
    expect(await answer.text()).not.toMatch(/<script(?![^>]* src="\/try\/)|<style| on\w+=|https?:/);
  });

  test("e2e page: a demo account's key file, two notes, and a note too long told in a sentence", async () => {
    const { key = "", address = "" } = net.accounts[1] ?? {};
    await browser.putFile("key-file", key);
    expect(await browser.until("address", (text) => text === address)).toBe(address);
    await browser.until("balance", (text) => /^\d{13,} units/.test(text));
    for (const note of ["first", "second"]) {
      const before = String(await factOf("Transaction"));
      await browser.evaluate(`document.getElementById("note").value = ${JSON.stringify(note)}`);
      await browser.click("submit");
      await browser.until("receipt-facts", (text) => text !== "" && !text.includes(before));
      expect(isVerified(await browser.textOf("verdict"))).toBe(true);
    }
    expect((await json(`${urlOf(0)}/api/v2/accounts/${address}`))["nonce"]).toBe("2");
    await browser.evaluate('document.getElementById("note").value = "x".repeat(4097)');
    await browser.click("submit");
    expect(await browser.until("problem", (text) => text !== "")).toBe("Write a note of 1 to 4096 bytes; this one has 4097.");
    expect(await browser.textOf("receipt")).toBe("");
  }, 240_000);

  test("e2e page: another genesis than the address names, refused before any key is made", async () => {
    await browser.open(`${urlOf(0)}/try#${"0".repeat(64)}`);
    expect(await browser.until("problem", (text) => text !== "")).toContain("not the one to trust. hash: expected 0000");
    expect(await browser.evaluate('document.getElementById("make-key").disabled')).toBe(true);
    await picture("3-refused");
    const { genesisHash } = await json(`${urlOf(0)}/api/v2/status`);
    await browser.open(`${urlOf(0)}/try#${String(genesisHash)}`);
    expect(await browser.until("pin", (text) => text !== "")).toBe("The hash is the one in this page's address.");
  });

  test("e2e page: a node without WebRTC, and one that is gone, told in sentences", async () => {
    await browser.open(`${urlOf(1)}/try`);
    expect(await browser.until("problem", (text) => text !== "")).toContain("This node does not speak WebRTC.");
    await browser.open(`${urlOf(0)}/try`);
    await browser.until("node-address", (text) => text.includes("/webrtc-direct/"));
    await browser.putFile("key-file", net.accounts[2]?.key ?? "");
    await browser.until("balance", (text) => /^\d{13,} units/.test(text));
    await up.end("SIGTERM");
    await browser.click("submit");
    expect(await browser.until("problem", (text) => text !== "")).toContain("does not answer any more");
    await picture("4-gone");
  }, 240_000);
});
