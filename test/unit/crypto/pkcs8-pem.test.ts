import { describe, expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { encodePkcs8Pem, parsePkcs8Pem, publicKeyOf } from "../../../src/crypto/index.ts";
import { InvariantViolation, parseHex, present } from "../../../src/kernel/index.ts";

const SEED = present(parseHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), "hex");

/** What `openssl pkey` prints for the seed above; openssl genpkey writes the same form. */
const OPENSSL_TEXT = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`;

describe("pkcs8 pem", () => {
  test("encode: the text openssl writes", () => {
    expect(encodePkcs8Pem(SEED)).toBe(OPENSSL_TEXT);
  });

  test("parse: that text, with other line ends or space around it, the seed", () => {
    for (const text of [OPENSSL_TEXT, OPENSSL_TEXT.trimEnd(), OPENSSL_TEXT.replaceAll("\n", "\r\n"), `\n ${OPENSSL_TEXT}\n`]) {
      expect(parsePkcs8Pem(text)).toEqual({ ok: true, value: SEED });
    }
  });

  test("interoperation: node reads ours to the same public key, we read node's", () => {
    const jwk = createPrivateKey(encodePkcs8Pem(SEED)).export({ format: "jwk" });
    expect(Buffer.from(publicKeyOf(SEED)).toString("base64url")).toBe(jwk.x ?? "");
    const { privateKey } = generateKeyPairSync("ed25519");
    const parsed = parsePkcs8Pem(privateKey.export({ format: "pem", type: "pkcs8" }).toString());
    expect(parsed.ok && Buffer.from(parsed.value).toString("base64url")).toBe(privateKey.export({ format: "jwk" }).d ?? "");
  });

  const x25519 = generateKeyPairSync("x25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  test.each([
    ["", "nothing"],
    [OPENSSL_TEXT.replaceAll("PRIVATE", "PUBLIC"), "another armour"],
    [OPENSSL_TEXT.replaceAll("PRIVATE", "ENCRYPTED PRIVATE"), "an encrypted key"],
    [x25519, "a key for another algorithm"],
    [OPENSSL_TEXT.replace("MC4C", "MC4D"), "another DER"],
    [OPENSSL_TEXT.replace("n9g\n", "n9g=\n"), "padding"],
    [OPENSSL_TEXT.replace("9g\n", "\n"), "a short line"],
    [OPENSSL_TEXT.replace("ubp", "ub p").replace("VpguoRK", "Vp guoRK"), "space inside"],
    [OPENSSL_TEXT + OPENSSL_TEXT, "two keys"],
    [OPENSSL_TEXT + " ".repeat(2000), "too long a text"],
  ])("parse: %#, malformed", (text) => {
    expect(parsePkcs8Pem(text)).toEqual({ ok: false, error: "malformed" });
  });

  test("encode: a seed of another length, an invariant violation", () => {
    expect(() => encodePkcs8Pem(new Uint8Array(31))).toThrow(InvariantViolation);
  });
});
