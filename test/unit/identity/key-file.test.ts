import { describe, expect, test } from "bun:test";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { makeKeyFile, parseKeyFile, unlockKeyFile } from "../../../src/identity/index.ts";
import { Prng, toHex, utf8 } from "../../../src/kernel/index.ts";

const cost = { n: 1024, r: 8, p: 1 };
const random = new Prng(7);
const entropy = { bytes: (count: number) => random.bytes(count) };

describe("key file", () => {
  test("key file: made, parsed and unlocked, signs as the key it names", async () => {
    const { text, signer } = await makeKeyFile("validator", "correct horse", cost, entropy);
    const file = parseKeyFile(text);
    if (!file.ok) throw new Error(file.error.detail);
    expect(file.value.purpose).toBe("validator");
    expect(file.value.publicKey).toEqual(signer.publicKey);
    const unlocked = await unlockKeyFile(file.value, "correct horse");
    if (!unlocked.ok) throw new Error(unlocked.error.detail);
    expect(verifyEd25519(signer.publicKey, utf8("hello"), unlocked.value.sign(utf8("hello")))).toBe(true);
  });

  test("key file: wrong passphrase, another public key or other text, its own code each", async () => {
    const { text, signer } = await makeKeyFile("account", "one", cost, entropy);
    const other = await makeKeyFile("account", "one", cost, entropy);
    const good = parseKeyFile(text);
    const altered = parseKeyFile(text.replace(toHex(signer.publicKey), toHex(other.signer.publicKey)));
    if (!good.ok || !altered.ok) throw new Error("both parse");
    expect(await unlockKeyFile(good.value, "two")).toMatchObject({ ok: false, error: { code: "wrongPassphrase" } });
    expect(await unlockKeyFile(altered.value, "one")).toMatchObject({ ok: false, error: { code: "mismatch" } });
    for (const bad of ["", "{}", "[]", text.replace("bizra-key/1", "bizra-key/2"), text.slice(0, -9)]) {
      expect(parseKeyFile(bad)).toMatchObject({ ok: false, error: { code: "malformed" } });
    }
  });

  test("key file: text shows no seed", async () => {
    const seeds: string[] = [];
    const spying = {
      bytes: (count: number) => {
        const bytes = random.bytes(count);
        if (count === 32) seeds.push(toHex(bytes));
        return bytes;
      },
    };
    const { text } = await makeKeyFile("account", "p", cost, spying);
    expect(seeds.length).toBe(1);
    expect(text.includes(seeds[0] as string)).toBe(false);
  });
});
