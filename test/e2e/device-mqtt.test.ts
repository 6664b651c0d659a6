import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connectAsync, type MqttClient } from "mqtt";
import {
  anchorBody,
  DeviceClient,
  type DeviceEvent,
  deviceClock,
  deviceEntropy,
  deviceTimers,
  HttpCarrier,
  importKeyPem,
  MqttCarrier,
  memoryStorage,
  mqttJsPort,
  type Submission,
  trustGenesis,
} from "../../src/device/index.ts";
import { present, toHex } from "../../src/kernel/index.ts";
import { findExamples, run } from "./device/examples.ts";
import { bizra } from "./support/bizra.ts";
import { type ReadyLine, UpProcess } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a compiler where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;
const ports = { clock: deviceClock, timers: deviceTimers, entropy: deviceEntropy };

const place = new Workplace();
const examples = await findExamples(place.at());
let net: ReadyLine;
let url: string;
let broker: URL;
let genesisHash: string;

beforeAll(async () => {
  const up = place.keep(new UpProcess(["--validators", "1", "--dir", place.at("up")]));
  net = await up.line(0, 60_000);
  url = net.nodes[0]?.http ?? "";
  broker = new URL(net.nodes[0]?.mqtt ?? "");
  const status = (await (await fetch(`${url}/api/v2/status`)).json()) as { genesisHash: string };
  ({ genesisHash } = status);
}, SETUP_LIMIT_MS);

afterAll(() => place.end());

const keyFile = (name: string): string => net.accounts.find((account) => account.name === name)?.key ?? "";

/** The proof of a final transaction, fetched and verified by the command. */
async function expectProven(id: string): Promise<void> {
  const file = place.at(`${id}.proof`);
  expect((await bizra("proof", "get", id, "--url", url, "--out", file)).code).toBe(0);
  expect((await bizra("proof", "verify", file, "--genesis", net.genesis, "--id", id)).out).toContain("applied");
}

for (const [language, example] of Object.entries(examples)) {
  const cannot = "reason" in example ? example.reason : example.hasMqtt ? undefined : "no paho-mqtt here";
  if (cannot !== undefined) console.warn(`SKIPPED device-mqtt.test.ts, ${language}: ${cannot}`);
  const words = "words" in example ? example.words : [];
  describe.skipIf(cannot !== undefined)(`the ${language} example over MQTT`, () => {
    test(`e2e example ${language}: published, acknowledged, final by a receipt, again by the same bytes; a used nonce refused`, async () => {
      const at = ["mqtt", broker.hostname, broker.port, `gauge-${language}`];
      const terms = ["0", "1000", "900"];
      const anchor = (text: string) =>
        run(...words, ...at, keyFile(language === "C" ? "alice" : "bob"), genesisHash, ...terms, "barn/temperature", text);
      const [id = "", ...told] = (await anchor("21.5")).out;
      expect(told).toEqual(["accepted", "final"]);
      await expectProven(id);
      expect((await anchor("21.5")).out).toEqual([id, "accepted", "final"]);
      const other = await anchor("21.6");
      expect({ code: other.code, told: `${other.out.at(-1)}${other.err}` }).toMatchObject({
        code: 1,
        told: expect.stringMatching(/rejected|refused/),
      });
    }, 240_000);
  });
}

/** A client of the package on carriers of its own, for an account. */
async function deviceOf(
  account: string,
  carriers: readonly (MqttCarrier | HttpCarrier)[],
  events: DeviceEvent[] = [],
): Promise<DeviceClient> {
  const chain = trustGenesis(readFileSync(net.genesis, "utf8"), Buffer.from(genesisHash, "hex"));
  const key = importKeyPem(readFileSync(keyFile(account), "utf8"));
  if (!chain.ok || !key.ok) throw new Error("genesis or key cannot be read");
  const more = { storage: memoryStorage(), ports, onEvent: (event: DeviceEvent) => void events.push(event) };
  return DeviceClient.open({ signer: key.value, chain: chain.value, carriers, ...more });
}

function mqttCarrier(client: MqttClient): MqttCarrier {
  const device = String(client.options.clientId);
  return new MqttCarrier({ client: mqttJsPort(client), genesisHash: Buffer.from(genesisHash, "hex"), device, timers: deviceTimers });
}

async function anchor(client: DeviceClient, text: string): Promise<Submission> {
  const taken = await client.submit(anchorBody("mqtt.js", text));
  return present(taken.ok ? taken.value : undefined, "the order is taken");
}

describe("the device package over MQTT", () => {
  for (const [version, account] of [
    [5, "carol"],
    [4, "dave"],
  ] as const) {
    test(`e2e device: three anchors by mqtt.js, protocol ${version}, each final by a proof in its receipt`, async () => {
      const mqtt = await connectAsync(broker.href, { protocolVersion: version, clientId: `device-${version}` });
      try {
        const events: DeviceEvent[] = [];
        const client = await deviceOf(account, [mqttCarrier(mqtt)], events);
        const taken = await Promise.all(["1", "2", "3"].map((text) => anchor(client, text)));
        for (const { ended } of taken) {
          const end = await ended;
          expect(end.kind).toBe("final");
          if (end.kind === "final") await expectProven(toHex(end.id));
        }
        expect(events.filter(({ kind }) => kind === "trouble")).toEqual([]);
        await client.close();
      } finally {
        await mqtt.endAsync();
      }
    }, 240_000);
  }

  test("e2e device: MQTT that ends in the middle, HTTP goes on with what is on its way", async () => {
    const mqtt = await connectAsync(broker.href, { protocolVersion: 5, clientId: "device-both", reconnectPeriod: 0 });
    const http = new HttpCarrier({ url, fetch, timers: deviceTimers });
    const client = await deviceOf("carol", [mqttCarrier(mqtt), http]);
    const first = await anchor(client, "4");
    expect((await first.ended).kind).toBe("final");
    await mqtt.endAsync(true);
    const second = await anchor(client, "5");
    expect((await second.ended).kind).toBe("final");
    expect(await second.accepted).toMatchObject({ carrier: http.name });
    await client.close();
  }, 240_000);
});
