/** paho-mqtt 2.x and aiomqtt from PyPI, where that can be reached, against our broker and mosquitto. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwnBroker, startOracle } from "./support/brokers.ts";

const PACKAGES = ["paho-mqtt==2.2.0", "aiomqtt==2.5.1"] as const;
const INSTALL_LIMIT_MS = 60_000;
const PAHO_CASES = 9;
const AIOMQTT_CASES = 2;

const folder = mkdtempSync(join(tmpdir(), "bizra-python-"));
const own = OwnBroker.start();
const oracle = await startOracle();
afterAll(async () => {
  await own.end();
  if ("end" in oracle) await oracle.end();
  rmSync(folder, { recursive: true, force: true });
});

/** A Python with the packages, or why there is none. */
async function prepare(): Promise<{ readonly python: string } | { readonly reason: string }> {
  if (Bun.which("python3") === null) return { reason: "no python3 here" };
  const environment = join(folder, "venv");
  const pip = [join(environment, "bin/pip"), "-q", "--disable-pip-version-check", "--retries", "1", "--timeout", "15", "install"];
  for (const words of [
    ["python3", "-m", "venv", environment],
    [...pip, ...PACKAGES],
  ]) {
    const child = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: INSTALL_LIMIT_MS });
    const said = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) return { reason: `${words.slice(-2).join(" ")} cannot be had: ${said.trim().slice(-200)}` };
  }
  return { python: join(environment, "bin/python") };
}

const prepared = await prepare();
if ("reason" in prepared) console.warn(`SKIPPED python-clients.test.ts: ${prepared.reason}`);

describe.skipIf("reason" in prepared)("clients of Python", () => {
  for (const endpoint of [own.endpoint, ...("endpoint" in oracle ? [oracle.endpoint] : [])]) {
    test(`${endpoint.name} with paho-mqtt 2 and aiomqtt: every case holds`, async () => {
      const words = [
        "python" in prepared ? prepared.python : "",
        join(import.meta.dir, "support/python-clients.py"),
        new URL(endpoint.tcp).port,
      ];
      const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000 });
      const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
      expect({ code, err: err.trim().split("\n").slice(-12) }).toEqual({ code: 0, err: [""] });
      const lines = out.trim().split("\n");
      expect(lines.filter((line) => line.startsWith("paho ")).length).toBe(PAHO_CASES);
      expect(lines.filter((line) => line.startsWith("aiomqtt ")).length).toBe(AIOMQTT_CASES);
    }, 240_000);
  }
});
