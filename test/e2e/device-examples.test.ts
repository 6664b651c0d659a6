import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bizra, cleanEnvironment, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { installPackages } from "./support/debian.ts";
import { addressOf, anchorBody, readKeys, signOrder } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const FOLDER = join(import.meta.dir, "../../docs/examples/devices");
/** Installing a compiler where there is none takes minutes. */
const SETUP_LIMIT_MS = 300_000;

const place = new Workplace();

/** A finished command. */
type Ran = { readonly code: number; readonly out: readonly string[]; readonly err: string };

async function run(...words: readonly string[]): Promise<Ran> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), timeout: 120_000 });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out: out.trim().split("\n"), err };
}

/** A way to run an example, or why there is none. */
type Example = { readonly words: readonly string[] } | { readonly reason: string };

/** Compiles the C example; a compiler and OpenSSL's headers are installed where they are absent. */
async function compileC(): Promise<Example> {
  if (Bun.which("gcc") === null || !existsSync("/usr/include/openssl/evp.h")) {
    const fault = await installPackages(["gcc", "libc6-dev", "libssl-dev"]);
    if (fault !== undefined) return { reason: `no C compiler with OpenSSL here, and ${fault}` };
  }
  const program = place.at("anchor");
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  const built = await run("gcc", "-std=c11", "-O2", ...warnings, "-o", program, join(FOLDER, "anchor.c"), "-lcrypto");
  if (built.code !== 0) throw new Error(`anchor.c does not compile:\n${built.err}`);
  return { words: [program] };
}

/** A Python with the packages of the example: the one on the path, else Debian's own. */
async function findPython(): Promise<Example> {
  const canRun = async (python: string, ...modules: readonly string[]): Promise<boolean> =>
    Bun.which(python) !== null && (await run(python, "-c", modules.map((name) => `import ${name}`).join("\n"))).code === 0;
  const script = join(FOLDER, "anchor.py");
  if (await canRun("python3", "cryptography", "cbor2", "paho.mqtt.client")) return { words: ["python3", script] };
  const fault = await installPackages(["python3-cryptography", "python3-cbor2", "python3-paho-mqtt"]);
  if (await canRun("/usr/bin/python3", "cryptography", "cbor2")) return { words: ["/usr/bin/python3", script] };
  if (await canRun("python3", "cryptography")) return { words: ["python3", script] };
  return { reason: `no Python with cryptography here, and ${fault ?? "Debian's does not run"}` };
}

const examples: Readonly<Record<string, Example>> = { C: await compileC(), Python: await findPython() };
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
    });

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
    });
  });
}
