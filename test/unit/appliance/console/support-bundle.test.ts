import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { maskSecrets, packSupport } from "../../../../appliance/console/index.ts";

const PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----";

async function textsOf(bundle: Uint8Array): Promise<Record<string, string>> {
  const files = await new Bun.Archive(bundle).files();
  return Object.fromEntries(await Promise.all([...files].map(async ([name, file]) => [name, await file.text()] as const)));
}

describe("support bundle", () => {
  test("support bundle: files as they were given, in a compressed tar that opens", async () => {
    const bundle = await packSupport({ "a.json": '{"height":7}\n', "log.txt": "one\ntwo" }, ["a passphrase of the node"]);
    expect([...bundle.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
    expect(await textsOf(bundle)).toEqual({ "a.json": '{"height":7}\n', "log.txt": "one\ntwo" });
  });

  test.each([
    ["as it is", (secret: string) => `the passphrase was ${secret}!`],
    ["in hex", (secret: string) => Buffer.from(secret).toString("hex")],
    ["in base64", (secret: string) => Buffer.from(secret).toString("base64")],
    ["in JSON", (secret: string) => JSON.stringify({ value: secret })],
    ["in an address", (secret: string) => `https://x/?q=${encodeURIComponent(secret)}`],
    ["twice on a line", (secret: string) => `${secret}${secret}`],
  ])("support bundle: a known secret %s, masked", async (_form, write) => {
    const secret = 'correct horse "battery" staple\\1';
    const { log = "" } = await textsOf(await packSupport({ log: `before\n${write(secret)}\nafter` }, [secret]));
    expect(log).toMatch(/^before\n[^\n]*\[redacted\][^\n]*\nafter$/);
    expect(log).not.toContain("horse");
    expect(log).not.toContain(Buffer.from(secret).toString("hex"));
  });

  test("support bundle: what has the form of a secret, masked although nobody knows it", () => {
    const lines = [
      PEM,
      "token=abc123",
      '{"password": "hunter2", "height": 7}',
      "authorization: Bearer abcdef",
      "AGE-SECRET-KEY-1QQQQ",
      "height 7",
    ];
    const masked = maskSecrets(lines.join("\n"), []);
    for (const secret of ["MIGHAgEA", "abc123", "hunter2", "abcdef", "QQQQ"]) expect(masked).not.toContain(secret);
    expect(masked).toContain("height 7");
    expect(maskSecrets(PEM.slice(0, 60), [])).not.toContain("MIGH"); // also one that was cut off
  });

  test("support bundle: any text around any secret, the secret is not in it, however it ends", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 8, maxLength: 40 }).filter((s) => s.trim().length >= 8 && !"[redacted]".includes(s.trim())),
        fc.string(),
        fc.string(),
        async (secret, before, after) => {
          const { log = "" } = await textsOf(await packSupport({ log: before + secret.trim() + after }, [secret]));
          expect(log.includes(secret.trim())).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("support bundle: a long file, its end", async () => {
    const { log = "" } = await textsOf(await packSupport({ log: `${"x".repeat(1_200_000)}the end` }, []));
    expect([log.length, log.endsWith("the end")]).toEqual([1_000_000, true]);
  });
});
