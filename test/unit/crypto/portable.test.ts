import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const ENTRY = join(import.meta.dir, "../../../src/crypto/portable.ts");

describe("portable front door", () => {
  test("portable: bundled for a browser, no node: or bun: module in it", async () => {
    const built = await Bun.build({ entrypoints: [ENTRY], target: "browser", throw: true });
    const code = (await Promise.all(built.outputs.map((output) => output.text()))).join("\n");
    expect(code).not.toMatch(/["'](?:node|bun):/);
    expect(code).not.toMatch(/\bBuffer\b|\bprocess\./);
  });

  test("portable: run in a realm without Bun, hashes by noble and verifies as the native suite does", async () => {
    const built = await Bun.build({ entrypoints: [ENTRY], target: "browser", format: "esm", throw: true });
    const code = await (built.outputs[0] as Blob).text();
    const probe = `
      const encode = (text) => new TextEncoder().encode(text);
      const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
      const { publicKey, signature } = ARGUMENTS;
      return JSON.stringify([typeof Bun, hex(sha256(encode("abc"))), nobleSuite.verify(unhex(publicKey), encode(""), unhex(signature))]);`;
    const body = code.replace(/export\s*\{[\s\S]*?\};?\s*$/, "");
    const run = new Function("Bun", "ARGUMENTS", `${body}\n${probe}`);
    const result: unknown = JSON.parse(
      run(undefined, {
        publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        signature:
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      }),
    );
    expect(result).toEqual(["undefined", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true]);
  });
});
