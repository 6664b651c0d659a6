import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { findExamples, run } from "./device/examples.ts";
import { bizra, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { addressOf, anchorBody, readKeys, signOrder } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing a compiler where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;

const place = new Workplace();

const examples = await findExamples(place.at());
for (const [language, example] of Object.entries(examples)) {
  if ("reason" in example) console.warn(`SKIPPED device-examples.test.ts, ${language}: ${example.reason}`);
}

let net: Testnet;
let node: NodeProcess;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net));
}, SETUP_LIMIT_MS);

afterAll(() => place.end());

/** Final on this node, and its proof verifies offline. */
async function expectProven(id: string): Promise<void> {
  const file = place.at(`${id}.proof`);
  expect((await bizra("proof", "get", id, "--url", node.http, "--out", file)).code).toBe(0);
  expect((await bizra("proof", "verify", file, "--genesis", net.genesis, "--id", id)).out).toContain("applied");
}

for (const [language, example] of Object.entries(examples)) {
  const words = "words" in example ? example.words : [];
  describe.skipIf("reason" in example)(`the ${language} example`, () => {
    const key = (name: string): string => net.accounts[name] ?? "";
    const payer = language === "C" ? "alice" : "bob";

    test(`e2e example ${language}: every width of integer, signed byte for byte as by another signer`, async () => {
      const keys = readKeys(key("alice"));
      const hash = net.hash.toString("hex");
      for (const [nonce, fee, validUntil] of [
        [0n, 23n, 24n],
        [255n, 256n, 65_535n],
        [65_536n, 4_294_967_295n, 4_294_967_296n],
        [18_446_744_073_709_551_615n, 0n, 1n],
      ] as const) {
        for (const text of ["2", "x".repeat(300), "x".repeat(4_096)]) {
          const body = anchorBody("barn/temperature", Buffer.from(text));
          const wanted = signOrder(keys, net.hash, { type: 2, nonce, fee, validUntil, body });
          const ran = await run(...words, "sign", key("alice"), hash, `${nonce}`, `${fee}`, `${validUntil}`, "barn/temperature", text);
          expect(ran.err).toBe("");
          expect(ran.out).toEqual([wanted.id, wanted.encoded.toString("hex")]);
        }
      }
    }, 240_000);

    test(`e2e example ${language}: two anchors over HTTP, final with a proof; another chain's hash and an unknown account refused`, async () => {
      const { hostname, port } = new URL(node.http);
      const at = language === "C" ? [hostname, port] : [node.http];
      const hash = net.hash.toString("hex");
      for (const text of ["21.5", "21.6"]) {
        const ran = await run(...words, "http", ...at, key(payer), hash, "barn/temperature", text);
        expect({ code: ran.code, err: ran.err, end: ran.out.slice(1) }).toEqual({ code: 0, err: "", end: ["accepted", "final"] });
        await expectProven(ran.out[0] ?? "");
      }
      expect((await node.get(`/api/v2/accounts/${addressOf(readKeys(key(payer)).publicKey)}`))["nonce"]).toBe("2");
      expect((await run(...words, "http", ...at, key(payer), "0".repeat(64), "s", "t")).err).toContain("of another chain");
      const stranger = place.at(`${language}.pem`);
      expect((await run("openssl", "genpkey", "-algorithm", "ed25519", "-out", stranger)).code).toBe(0);
      const refused = await run(...words, "http", ...at, stranger, hash, "s", "t");
      expect(refused.code).toBe(1);
      expect(refused.err).toContain("unknownSender");
    }, 240_000);
  });
}
