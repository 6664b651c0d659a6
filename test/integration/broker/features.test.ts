/** Every feature with two makes of client in both versions, against our broker and, to see that the cases are right, mosquitto. */
import { afterAll, describe, test } from "bun:test";
import { Certificates } from "../telemetry/certificates.ts";
import { OwnBroker, startOracle } from "./support/brokers.ts";
import { type Case, play } from "./support/case.ts";
import { FEATURE_CASES } from "./support/feature-cases.ts";
import { PAHO_CASES } from "./support/paho-cases.ts";

const certificates = Certificates.make();
const own = OwnBroker.start({ limits: { sysIntervalMs: 1_000 }, ...(certificates ? { certificates } : {}) });
const oracle = await startOracle();
if ("reason" in oracle) console.warn(`SKIPPED features.test.ts, the same cases against mosquitto: ${oracle.reason}`);
if (certificates === undefined) console.warn("SKIPPED features.test.ts, TLS: no openssl here to make certificates");

afterAll(async () => {
  await own.end();
  if ("end" in oracle) await oracle.end();
  certificates?.end();
});

const suites: readonly { name: string; cases: readonly Case[]; makes: readonly ("wire" | "mqtt.js")[] }[] = [
  { name: "feature", cases: FEATURE_CASES, makes: ["wire", "mqtt.js"] },
  { name: "Paho", cases: PAHO_CASES, makes: ["wire"] },
];

for (const { name, cases, makes } of suites) {
  describe.each(makes)(`${name} cases with %s`, (make) => {
    for (const item of cases) {
      for (const version of item.versions) {
        const label = version === 4 ? "3.1.1" : "5";
        test.concurrent(`broker ${name} ${label} ${make}: ${item.title}`, () => play(item, own.endpoint, version, make), 30_000);
        if ("endpoint" in oracle) {
          test.concurrent(`mosquitto ${name} ${label} ${make}: ${item.title}`, () => play(item, oracle.endpoint, version, make), 30_000);
        }
      }
    }
  });
}

for (const door of ["webSocket", "tls"] as const) {
  const url = own.endpoint[door];
  const { client } = own.endpoint;
  describe.skipIf(url === undefined).each(["wire", "mqtt.js"] as const)(`every feature over ${door} with %s`, (make) => {
    const at = { url: url ?? "", ...(door === "tls" && client ? { tls: client } : {}) };
    for (const item of FEATURE_CASES) {
      test.concurrent(`broker ${door} ${make}: ${item.title}`, () => play(item, own.endpoint, 5, make, at), 30_000);
    }
  });
}
