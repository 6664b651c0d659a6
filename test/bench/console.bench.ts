/**
 * The console with many nodes: an aggregator's database with that many, each with a signed heartbeat, the compiled binary
 * on it, and a browser that opens the table, scrolls through it, sorts and searches. Pictures go to the folder that
 * CONSOLE_PICTURES names. `bun test/bench/console.bench.ts [NODES]`
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, sha256 } from "../../src/crypto/index.ts";
import { toHex, utf8 } from "../../src/kernel/index.ts";
import { openDatabase } from "../../src/storage/index.ts";
import {
  AGGREGATOR_APPLICATION_ID,
  AGGREGATOR_MIGRATIONS,
  AGGREGATOR_PAGE_BYTES,
  makeFleetUser,
  SqliteStore,
  USERS_FILE,
  writeUsers,
} from "../../sync/aggregator/index.ts";
import { encodeHeartbeat } from "../../sync/protocol/index.ts";
import { BINARY } from "../e2e/support/bizra.ts";
import { Chromium, findChromium } from "../e2e/support/chromium.ts";
import { BenchReport, quantile } from "./harness.ts";

const NODES = Number(process.argv[2] ?? 10_000);
const SCROLLS = 20;
const PICTURES = process.env["CONSOLE_PICTURES"];
const PASSWORD = "a password for a benchmark";
const home = mkdtempSync(join(tmpdir(), "bizra-console-"));

/** Fills a store with nodes of one network: most well, some late, some silent, some never heard. */
async function fill(): Promise<void> {
  const path = join(home, "aggregator.db");
  const options = { applicationId: AGGREGATOR_APPLICATION_ID, migrations: AGGREGATOR_MIGRATIONS, pageBytes: AGGREGATOR_PAGE_BYTES };
  const store = new SqliteStore(openDatabase({ path, durability: "normal", create: true, ...options }));
  const network = sha256(utf8("a network of a benchmark"));
  const nowMs = Date.now();
  for (let i = 0; i < NODES; i++) {
    const identity = localSigner(sha256(utf8(`node ${i}`)));
    const node = `box-${String(i).padStart(5, "0")}`;
    const ref = { network: toHex(network), node };
    const keys = { identityKey: identity.publicKey, ...(i < 100 ? { validatorKey: sha256(identity.publicKey) } : {}) };
    const times = { enrolledAtMs: nowMs - 86_400_000, lastHelloAtMs: nowMs - 60_000 };
    const site = ["berlin", "paris", "riyadh", "jakarta"][i % 4] ?? "";
    await store.putNode({
      ...ref,
      ...keys,
      ...times,
      software: "0.1.0",
      profile: i % 3 === 0 ? "unmetered" : "emergency",
      site,
      status: "enrolled",
    });
    if (i % 50 === 7) continue;
    const receivedAtMs = nowMs - (i % 40 === 3 ? 7_200_000 : (i * 37) % 20_000);
    const heartbeat = {
      session: new Uint8Array(16),
      node,
      bootId: new Uint8Array(16),
      sequence: 9,
      timeMs: receivedAtMs - 3,
      height: 1_000_000 - (i % 11 === 0 ? i % 100 : 0),
      epoch: 5,
      view: 1_000_100,
      state: "following",
      isReady: i % 30 !== 1,
      reason: i % 30 === 1 ? "no peers" : "",
      peers: i % 9,
      unacknowledgedMs: (i * 13) % 4_000,
      metrics: [
        { name: "diskFreeBytes", value: (8e9 + i * 1e6) * 1_000 },
        { name: "storageWearPercent", value: (i % 7) * 10_000 },
        { name: "temperatureCelsius", value: 40_000 + (i % 30) * 1_000 },
        { name: "syncBytes", value: i * 123_000 },
      ],
    };
    await store.putHeartbeat({ ...ref, receivedAtMs, timeMs: receivedAtMs - 3, message: encodeHeartbeat(heartbeat, network, identity) });
  }
  await store.close();
}

/** Milliseconds until an expression in the page holds. */
async function timeUntil(page: Chromium, expression: string): Promise<number> {
  const startMs = performance.now();
  while ((await page.evaluate(expression)) !== true) {
    if (performance.now() - startMs > 60_000) throw new Error(`${expression} does not come to hold`);
    await Bun.sleep(5);
  }
  return performance.now() - startMs;
}

const residentBytes = (pid: number): number =>
  1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

const found = await findChromium();
if ("reason" in found) {
  console.error(`console: not measured: ${found.reason}`);
  process.exit(1);
}
const report = new BenchReport("console");
let aggregator: Bun.Subprocess | undefined;
let browser: Chromium | undefined;
try {
  const fillingMs = performance.now();
  await fill();
  console.log(`  ${NODES} nodes written in ${((performance.now() - fillingMs) / 1_000).toFixed(1)} s`);
  const user = await makeFleetUser("admin", "admin", PASSWORD);
  if (!user.ok) throw new Error(user.error);
  writeUsers(join(home, USERS_FILE), [user.value]);
  mkdirSync(join(home, "keys"), { recursive: true });
  writeFileSync(join(home, "passphrase"), "a passphrase for a benchmark\n", { mode: 0o600 });
  const words = ["aggregator", "--home", home, "--listen", "127.0.0.1:0", "--open", "--passphrase-file", join(home, "passphrase")];
  const child = Bun.spawn([BINARY, ...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  aggregator = child;
  const url = await urlOf(child.stderr);
  const before = residentBytes(child.pid);

  browser = await Chromium.start(found.path, 1_280, 800);
  await browser.open(`${url}/`);
  await browser.until("log-in", (text) => text !== "");
  await browser.evaluate(
    `document.getElementById("user").value = "admin"; document.getElementById("password").value = ${JSON.stringify(PASSWORD)}`,
  );
  await browser.click("log-in");
  await browser.until("nodes-box", (text) => text.includes("box-"), 60_000);

  await browser.open(`${url}/`);
  const goal = { of: "value", is: "at most", bound: 1_000 } as const;
  const loaded = await timeUntil(browser, 'document.querySelector("tr[data-node]") !== null');
  report.add({ name: `table of ${NODES} nodes, opened until rows are there`, value: loaded, unit: "ms", goal });
  const shown = String(await browser.evaluate('document.getElementById("shown").textContent'));
  if (shown.replace(/\D/g, "") !== String(NODES)) throw new Error(`the table says ${shown}`);
  if (PICTURES !== undefined) await browser.screenshot(`${PICTURES}/11-many-nodes.png`);

  const jumps: number[] = [];
  for (let i = 1; i <= SCROLLS; i++) {
    await browser.evaluate(
      `{ const box = document.getElementById("nodes-box"); box.scrollTop = ((box.scrollHeight - box.clientHeight) * ${i}) / ${SCROLLS}; }`,
    );
    await Bun.sleep(30); // a frame, in which the rows are made anew
    jumps.push(
      30 +
        (await timeUntil(
          browser,
          'document.querySelectorAll("tr[data-node]").length > 10 && document.querySelector("tr.pending") === null',
        )),
    );
  }
  report.add({
    name: "jump to another place until its rows are there, p95",
    value: quantile(jumps, 0.95),
    unit: "ms",
    note: "with one frame of 30 ms",
  });
  const rows = Number(await browser.evaluate('document.querySelectorAll("#nodes-box tr").length'));
  report.add({ name: "rows in the document", value: rows, unit: "rows" });
  const heap = Number(await browser.evaluate("performance.memory?.usedJSHeapSize ?? 0"));
  report.add({ name: "JavaScript heap of the page", value: heap / 1e6, unit: "MB" });

  await browser.evaluate(
    'document.getElementById("search").value = "box-00042"; document.getElementById("search").dispatchEvent(new Event("input"))',
  );
  report.add({
    name: "search for one node",
    value: await timeUntil(browser, 'document.getElementById("shown").textContent === "1 node"'),
    unit: "ms",
  });
  report.add({
    name: "memory of the aggregator with the table open, more than before",
    value: (residentBytes(child.pid) - before) / 1e6,
    unit: "MB",
  });
  report.finish();
} finally {
  await browser?.kill();
  aggregator?.kill("SIGKILL");
  await aggregator?.exited;
  rmSync(home, { recursive: true, force: true });
}

/** The address that the aggregator prints when it answers. */
async function urlOf(stderr: ReadableStream<Uint8Array>): Promise<string> {
  let said = "";
  for await (const chunk of stderr) {
    said += new TextDecoder().decode(chunk);
    const url = /Aggregator at (http:\S+),/.exec(said)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`the aggregator ended: ${said}`);
}
