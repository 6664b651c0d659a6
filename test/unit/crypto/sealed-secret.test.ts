import { describe, expect, test } from "bun:test";
import { openSecret, SCRYPT_COST_DEFAULT, type ScryptCost, SECRET_BYTES_MAX, sealSecret } from "../../../src/crypto/index.ts";
import { type Entropy, InvariantViolation, Prng, utf8 } from "../../../src/kernel/index.ts";

const CHEAP: ScryptCost = { n: 2 ** 10, r: 1, p: 1 };
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i);
const prng = new Prng(9);
const entropy: Entropy = { bytes: (count) => prng.bytes(count) };
const sealed = await sealSecret(SECRET, "correct horse", CHEAP, entropy);

describe("sealed secret", () => {
  test("open: the right passphrase, the secret", async () => {
    expect(await openSecret(sealed, "correct horse")).toEqual({ ok: true, value: SECRET });
  });

  test("open: at the default cost, the secret", async () => {
    const text = await sealSecret(SECRET, "p", SCRYPT_COST_DEFAULT, entropy);
    expect(await openSecret(text, "p")).toEqual({ ok: true, value: SECRET });
  });

  test.each(["", "correct hors", "Correct horse", "correct horse "])("open: the passphrase %j, wrongPassphrase", async (passphrase) => {
    expect(await openSecret(sealed, passphrase)).toEqual({ ok: false, error: "wrongPassphrase" });
  });

  test("open: an accented passphrase typed in another Unicode form, the secret", async () => {
    const text = await sealSecret(SECRET, "pass\u00e9", CHEAP, entropy);
    expect((await openSecret(text, "passe\u0301")).ok).toBe(true);
  });

  test("open: the JSON reordered and spaced out, the secret", async () => {
    const fields: Record<string, unknown> = JSON.parse(sealed);
    const reordered = JSON.stringify(Object.fromEntries(Object.entries(fields).reverse()), null, 4);
    expect((await openSecret(reordered, "correct horse")).ok).toBe(true);
  });

  test("seal: twice, other salt, vector and text each time, one line that does not hold the secret", async () => {
    const again = await sealSecret(SECRET, "correct horse", CHEAP, entropy);
    const [a, b] = [sealed, again].map((text) => JSON.parse(text));
    expect(a.kdf.salt === b.kdf.salt || a.cipher.iv === b.cipher.iv || a.sealed === b.sealed).toBe(false);
    expect(sealed.trimEnd().includes("\n")).toBe(false);
    expect(sealed).not.toContain("000102030405");
  });

  test("open: any hexadecimal digit of the file changed, wrongPassphrase or malformed, never a secret", async () => {
    const hexAt = [...sealed.matchAll(/(?<=":")[0-9a-f]{24,}/g)].flatMap(({ index, 0: hex }) => [...hex].map((_, i) => index + i));
    expect(hexAt.length).toBe(2 * (16 + 12 + 32 + 16));
    for (let i = 0; i < hexAt.length; i += 5) {
      const at = hexAt[i] as number;
      const damaged = sealed.slice(0, at) + (sealed[at] === "0" ? "1" : "0") + sealed.slice(at + 1);
      expect(await openSecret(damaged, "correct horse")).toEqual({ ok: false, error: "wrongPassphrase" });
    }
  });

  test("open: an authenticated cost made cheaper, wrongPassphrase", async () => {
    expect(await openSecret(sealed.replace('"r":1', '"r":2'), "correct horse")).toEqual({ ok: false, error: "wrongPassphrase" });
  });

  test.each([
    ["", "nothing"],
    ["{", "no JSON"],
    ["[]", "an array"],
    ["null", "null"],
    [sealed.replace('"n":1024', '"n":1125899906842624'), "2^50 blocks of memory"],
    [sealed.replace('"n":1024', '"n":1048576'), "above the bound"],
    [sealed.replace('"n":1024', '"n":1000'), "no power of two"],
    [sealed.replace('"n":1024', '"n":512'), "below the bound"],
    [sealed.replace('"n":1024', '"n":262144').replace('"r":1', '"r":16'), "512 MiB by both factors"],
    [sealed.replace('"p":1', '"p":1e9'), "a billion passes"],
    [sealed.replace('"p":1', '"p":0'), "no pass"],
    [sealed.replace('"p":1', '"p":1.5'), "half a pass"],
    [sealed.replace('"p":1', '"p":"1"'), "a text for a number"],
    [sealed.replace('"version":1', '"version":2'), "another version"],
    [sealed.replace("scrypt", "pbkdf2"), "another derivation"],
    [sealed.replace("aes-256-gcm", "aes-128-gcm"), "another cipher"],
    [sealed.replace('"version":1', '"version":1,"x":1'), "an unknown field"],
    [sealed.replace('"salt":"', '"salt":"00'), "a long salt"],
    [sealed.replace('"iv":"', '"iv":"0'), "an odd vector"],
    [sealed.replace(/"sealed":"[0-9a-f]*"/, '"sealed":""'), "no content"],
    [sealed.replace(/"sealed":"[0-9a-f]*"/, `"sealed":"${"00".repeat(16)}"`), "a tag alone"],
    [`${sealed}${" ".repeat(20_000)}`, "too long a text"],
  ])("open: %# malformed before any work", async (text) => {
    expect(await openSecret(text, "correct horse")).toEqual({ ok: false, error: "malformed" });
  });

  test("seal: an empty or oversized secret, or a cost opening would refuse, an invariant violation", async () => {
    expect(sealSecret(new Uint8Array(0), "p", CHEAP, entropy)).rejects.toThrow(InvariantViolation);
    expect(sealSecret(new Uint8Array(SECRET_BYTES_MAX + 1), "p", CHEAP, entropy)).rejects.toThrow(InvariantViolation);
    expect(sealSecret(utf8("s"), "p", { n: 2 ** 20, r: 8, p: 1 }, entropy)).rejects.toThrow(InvariantViolation);
  });

  test("seal: the longest secret, opened again", async () => {
    const long = prng.bytes(SECRET_BYTES_MAX);
    expect(await openSecret(await sealSecret(long, "p", CHEAP, entropy), "p")).toEqual({ ok: true, value: long });
  });
});
