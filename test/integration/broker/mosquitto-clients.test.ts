/** Debian's mosquitto clients against our broker over TCP, TLS and WebSocket, and the same against mosquitto itself. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "../../e2e/support/debian.ts";
import { Certificates } from "../telemetry/certificates.ts";
import { OwnBroker, startOracle } from "./support/brokers.ts";
import type { Version } from "./support/device.ts";
import { COMMAND_CASES, type CommandCase, Program } from "./support/mosquitto-cases.ts";

const PROGRAMS = ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] as const;
const areThere = (): boolean => PROGRAMS.every((name) => Bun.which(name) !== null);
const fault = areThere() ? undefined : await installPackages(["mosquitto-clients"]);
if (!areThere()) console.warn(`SKIPPED mosquitto-clients.test.ts: no mosquitto clients here: ${fault ?? "installed, and not found"}`);

const certificates = Certificates.make();
const own = OwnBroker.start({ limits: { sysIntervalMs: 1_000 }, ...(certificates ? { certificates } : {}) });
const oracle = await startOracle();
if ("reason" in oracle) console.warn(`SKIPPED mosquitto-clients.test.ts, the oracle: ${oracle.reason}`);
const folder = mkdtempSync(join(tmpdir(), "bizra-commands-"));

afterAll(async () => {
  await own.end();
  if ("end" in oracle) await oracle.end();
  certificates?.end();
  rmSync(folder, { recursive: true, force: true });
});

let run = 0;

async function play({ run: body }: CommandCase, version: Version, url: string, security: readonly string[] = []): Promise<void> {
  const prefix = `m${++run}`;
  const { port } = new URL(url);
  const at = ["-h", "127.0.0.1", "-p", port, "-V", version === 5 ? "5" : "311", ...security];
  const running: Program[] = [];
  const start = (words: readonly string[]): Program => {
    const program = new Program(words);
    running.push(program);
    return program;
  };
  try {
    await body({
      version,
      topic: (rest) => `${prefix}/${rest}`,
      publish: async (...words) => {
        const { code, err } = await start(["mosquitto_pub", ...at, ...words]).ended();
        expect({ code, err }).toEqual({ code: 0, err: "" });
      },
      subscribe: async (...words) => {
        const program = start(["stdbuf", "-oL", "mosquitto_sub", ...at, "-d", ...words]);
        await program.said("Subscribed (mid");
        return program;
      },
      request: async (...words) => {
        const { code, lines } = await start(["mosquitto_rr", ...at, ...words]).ended();
        return { code, lines };
      },
    });
  } finally {
    for (const { child } of running) child.kill("SIGKILL");
  }
}

describe.skipIf(!areThere())("mosquitto's clients", () => {
  for (const item of COMMAND_CASES) {
    for (const version of item.versions) {
      const label = version === 4 ? "3.1.1" : "5";
      test.concurrent(`broker with mosquitto's clients ${label}: ${item.title}`, () => play(item, version, own.endpoint.tcp), 30_000);
      if ("endpoint" in oracle && item.isBeyondOracle !== true)
        test.concurrent(`mosquitto with its own clients ${label}: ${item.title}`, () => play(item, version, oracle.endpoint.tcp), 30_000);
    }
  }
});

describe.skipIf(!areThere() || certificates === undefined)("mosquitto's clients over TLS", () => {
  const device = certificates?.issue("plc-3");
  const shown = device ? ["--cafile", device.ca, "--cert", device.certificate, "--key", device.key] : [];
  for (const item of COMMAND_CASES) {
    test.concurrent(`broker over TLS with mosquitto's clients: ${item.title}`, () => play(item, 5, own.endpoint.tls ?? "", shown), 30_000);
  }

  test("broker over TLS: without a certificate, and with one of another authority, nobody is let in", async () => {
    const other = Certificates.make();
    if (!other || !device) throw new Error("openssl is there");
    try {
      const foreign = other.issue("plc-3");
      const port = new URL(own.endpoint.tls ?? "").port;
      for (const words of [[], ["--cert", foreign.certificate, "--key", foreign.key]]) {
        const { code } = await new Program([
          "mosquitto_pub",
          "-h",
          "127.0.0.1",
          "-p",
          port,
          "--cafile",
          device.ca,
          ...words,
          "-t",
          "a",
          "-m",
          "x",
          "-q",
          "1",
        ]).ended();
        expect(code).not.toBe(0);
      }
    } finally {
      other.end();
    }
  });
});
