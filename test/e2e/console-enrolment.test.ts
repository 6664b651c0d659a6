/** The console's page of claims and requests, in a real browser, at an aggregator with an authority of its own. */
import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { AggregatorProcess } from "./support/aggregator-process.ts";
import { bizra, bizraJson, homeOf, makeTestnet } from "./support/bizra.ts";
import { Chromium, findChromium } from "./support/chromium.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a browser where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;
const PASSWORD = "a password of an admin";
/** A folder that pictures of the console go to, for a person who wants to look. */
const PICTURES = process.env["CONSOLE_PICTURES"];

const found = await findChromium();
if ("reason" in found) console.warn(`SKIPPED console-enrolment.test.ts: ${found.reason}`);

const place = new Workplace();
afterAll(() => place.end());

describe.skipIf("reason" in found)("enrolment in the console", () => {
  test(
    "e2e console: an admin makes a claim, approves the box that asks, revokes another claim; the audit has it, and who was added",
    async () => {
      const cloud = place.at("aggregator");
      const aggregator = place.keep(await AggregatorProcess.start(cloud, ["--listen", "127.0.0.1:0", "--tls"]));
      const [, pin = ""] = /pin the authority ([0-9a-f]{64})/.exec(aggregator.output) ?? [];
      const passwordFile = place.at("password");
      writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
      await bizraJson("aggregator", "user", "add", "root", "--role", "admin", "--password-file", passwordFile, "--home", cloud);
      const net = await makeTestnet(place.at("net"));
      const home = homeOf(net);

      const browser = place.keep(await Chromium.start("path" in found ? found.path : "", 1_280, 900));
      await browser.trustAnyCertificate();
      await browser.open(`${aggregator.http}/`);
      await browser.until("log-in", (text) => text !== "");
      const fill = (values: Readonly<Record<string, string>>) =>
        browser.evaluate(`for (const [id, value] of Object.entries(${JSON.stringify(values)})) document.getElementById(id).value = value`);
      await fill({ user: "root", password: PASSWORD });
      await browser.click("log-in");
      await browser.until("shown", () => true);
      await browser.evaluate('location.hash = "#/enrolment"');
      await browser.until("claims", (text) => text.includes("There are no claims."));
      await fill({ "claim-network": net.hash.toString("hex"), "claim-site": "mill" });
      await browser.click("make-claim");
      const shown = await browser.until("claim-token", (text) => text.includes("--token bizra-claim-"));
      const [, token = ""] = /--token (\S+)/.exec(shown) ?? [];

      const enrolling = bizra("enroll", "--home", home, "--aggregator", aggregator.http, "--token", token, "--ca-pin", pin);
      await browser.until("requests", (text) => text.includes("pending"));
      const press = (decision: string) =>
        browser.evaluate(`{ const button = document.querySelector('[data-decision="${decision}"]'); button.click(); button.click(); }`);
      if (PICTURES !== undefined) await browser.screenshot(`${PICTURES}/12-enrolment.png`);
      await press("approved");
      expect((await enrolling).code).toBe(0);
      await browser.until("requests", (text) => text.includes("issued by root"));

      await fill({ "claim-node": "box-2" });
      await browser.click("make-claim");
      await browser.until("claims", (text) => text.includes("box-2"));
      await press("revoked");
      await browser.until("claims", (text) => /box-2.*revoked/s.test(text));

      await browser.evaluate('location.hash = "#/findings"');
      const audit = await browser.until("audit", (text) => ["user.added", "claim.revoked"].every((action) => text.includes(action)));
      for (const action of ["claim.made", "enrolment.approved", "login"]) expect(audit).toContain(action);
      expect(audit).not.toContain(token);
      if (PICTURES !== undefined) await browser.screenshot(`${PICTURES}/13-audit.png`);
      expect(browser.record.complaints.filter((text) => !text.includes("status of 401 "))).toEqual([]); // nobody is logged in at first
      expect(await aggregator.stop()).toBe(0);
    },
    SETUP_LIMIT_MS,
  );
});
