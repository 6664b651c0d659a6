import { describe, expect, test } from "bun:test";
import {
  decodeCoseSign1,
  encodeCoseSign1,
  localSigner,
  nativeSuite,
  nobleSuite,
  signCoseSign1,
  sigStructure1,
  verifyCoseSign1,
} from "../../../src/crypto/index.ts";
import { concatBytes, InvariantViolation, parseHex, present, toHex, utf8 } from "../../../src/kernel/index.ts";

const SIGNATURE = Uint8Array.from({ length: 64 }, (_, i) => i);
const bytes = (hex: string): Uint8Array => present(parseHex(hex), "hex");
const MALFORMED = { ok: false, error: "malformed" } as const;
const SIG = toHex(SIGNATURE);
/** The message over the payload "hi". */
const GOOD = `d28443a10127a0426869${"5840"}${SIG}`;

describe("cose_sign1", () => {
  test("encode: the layout of ledger.md, byte for byte", () => {
    expect(toHex(encodeCoseSign1(utf8("hi"), SIGNATURE))).toBe(GOOD);
  });

  test("decode: what encode made, the parts as views; empty payload included", () => {
    expect(decodeCoseSign1(bytes(GOOD), 2)).toEqual({ ok: true, value: { payload: utf8("hi"), signature: SIGNATURE } });
    expect(decodeCoseSign1(encodeCoseSign1(new Uint8Array(0), SIGNATURE)).ok).toBe(true);
  });

  test("decode: the payload at its bound taken, above malformed", () => {
    expect(decodeCoseSign1(bytes(GOOD), 2).ok).toBe(true);
    expect(decodeCoseSign1(bytes(GOOD), 1)).toEqual(MALFORMED);
  });

  test.each([
    [`8443a10127a0426869${"5840"}${SIG}`, "untagged"],
    [GOOD.replace("d2", "d1"), "another tag (COSE_Mac0)"],
    [GOOD.replace("d2", "d812"), "a long spelling of the tag"],
    [GOOD.replace("d284", "d283"), "three elements"],
    [GOOD.replace("d284", "d29f"), "an indefinite array"],
    [GOOD.replace("43a10127", "43a10126"), "algorithm ES256"],
    [GOOD.replace("43a10127", "44a1013808"), "algorithm -9"],
    [GOOD.replace("43a10127", "45a201270300"), "a content type in the protected header"],
    [GOOD.replace("43a10127", "40"), "an empty protected header"],
    [GOOD.replace("43a10127", "5803a10127"), "a long spelling of a length"],
    [GOOD.replace("a0426869", "a10441aa426869"), "a kid"],
    [GOOD.replace("426869", "626869"), "a text payload"],
    [GOOD.replace("426869", "f6"), "a detached payload"],
    [GOOD.replace("426869", "58026869"), "a long spelling of the payload's length"],
    [GOOD.replace("5840", "583f").slice(0, -2), "a signature of 63 bytes"],
    [GOOD.replace("5840", "5841").concat("00"), "a signature of 65 bytes"],
    [GOOD.replace("5840", "590040"), "a long spelling of the signature's length"],
    [`${GOOD}00`, "a byte left over"],
    [GOOD.slice(0, -2), "cut off"],
    ["", "nothing"],
    [`d9d9f7${GOOD}`, "a self-described CBOR tag before"],
  ])("decode: %# %s, malformed", (hex) => {
    expect(decodeCoseSign1(bytes(hex))).toEqual(MALFORMED);
  });

  test("decode: any one byte removed, malformed; the message is its only spelling", () => {
    const good = bytes(GOOD);
    for (let i = 0; i < good.length; i++)
      expect(decodeCoseSign1(concatBytes(good.subarray(0, i), good.subarray(i + 1)))).toEqual(MALFORMED);
  });

  test("sigStructure1: aad and payload, the array of RFC 9052 section 4.4", () => {
    expect(toHex(sigStructure1(utf8("aad"), utf8("hi")))).toBe("846a5369676e61747572653143a1012743616164426869");
  });

  test("sign and verify: valid for its key, context and payload alone, by both suites", () => {
    const signer = localSigner(new Uint8Array(32).fill(1));
    const decoded = decodeCoseSign1(signCoseSign1(signer, utf8("chain a"), utf8("pay")));
    if (!decoded.ok) throw new Error("a message we signed decodes");
    const message = decoded.value;
    const other = localSigner(new Uint8Array(32).fill(2)).publicKey;
    for (const suite of [nativeSuite, nobleSuite]) {
      expect(verifyCoseSign1(suite, signer.publicKey, utf8("chain a"), message)).toBe(true);
      expect(verifyCoseSign1(suite, signer.publicKey, utf8("chain b"), message)).toBe(false);
      expect(verifyCoseSign1(suite, other, utf8("chain a"), message)).toBe(false);
      expect(verifyCoseSign1(suite, signer.publicKey, utf8("chain a"), { ...message, payload: utf8("pax") })).toBe(false);
    }
  });

  test("encode: a signature of another length, an invariant violation", () => {
    expect(() => encodeCoseSign1(utf8("hi"), new Uint8Array(63))).toThrow(InvariantViolation);
  });
});
