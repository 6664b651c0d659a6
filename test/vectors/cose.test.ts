import { describe, expect, test } from "bun:test";
import { decodeCoseSign1, nativeSuite, nobleSuite, publicKeyOf, signEd25519, sigStructure1 } from "../../src/crypto/index.ts";
import { CborReader, toHex, utf8 } from "../../src/kernel/index.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

interface Example {
  readonly input: { plaintext: string; sign0: { key: { x_hex: string; d_hex: string } } };
  readonly intermediates: { ToBeSign_hex: string };
  readonly output: { cbor: string };
}
const ed25519Example = loadVectors<Example>("outside/cose-eddsa-sig-01.json");
const ed448Example = loadVectors<Example>("outside/cose-eddsa-sig-02.json");

/** The parts of a foreign COSE_Sign1 whose unprotected header is a one-byte key with a byte string. */
function partsOf(cbor: Uint8Array): { protectedHeader: Uint8Array; payload: Uint8Array; signature: Uint8Array } {
  const reader = new CborReader(cbor);
  reader.tag(18);
  reader.array(4);
  const protectedHeader = reader.bytes(0, 100);
  reader.map(1);
  reader.key(4);
  reader.bytes(0, 100);
  const parts = { protectedHeader, payload: reader.bytes(0, 100), signature: reader.bytes(0, 200) };
  expect(reader.isComplete).toBe(true);
  return parts;
}

describe("COSE working group examples", () => {
  test("cose: EdDSA-01, the published Sig_structure from its own protected header", () => {
    const { protectedHeader, payload } = partsOf(hexBytes(ed25519Example.output.cbor));
    const toBeSigned = sigStructure1(new Uint8Array(0), payload, protectedHeader);
    expect(toHex(toBeSigned).toUpperCase()).toBe(ed25519Example.intermediates.ToBeSign_hex);
    expect(payload).toEqual(utf8(ed25519Example.input.plaintext));
  });

  test("cose: EdDSA-01, its signature made again and verified by both suites, refused for another context", () => {
    const { x_hex, d_hex } = ed25519Example.input.sign0.key;
    const key = hexBytes(x_hex);
    const { protectedHeader, payload, signature } = partsOf(hexBytes(ed25519Example.output.cbor));
    const toBeSigned = sigStructure1(new Uint8Array(0), payload, protectedHeader);
    expect(publicKeyOf(hexBytes(d_hex))).toEqual(key);
    expect(signEd25519(hexBytes(d_hex), toBeSigned)).toEqual(signature);
    for (const suite of [nativeSuite, nobleSuite]) {
      expect(suite.verify(key, toBeSigned, signature)).toBe(true);
      expect(suite.verify(key, sigStructure1(utf8("other"), payload, protectedHeader), signature)).toBe(false);
      expect(suite.verify(key, sigStructure1(new Uint8Array(0), payload), signature)).toBe(false);
    }
  });

  test("cose: EdDSA-02 (Ed448), our default Sig_structure is its own, for it has our protected header", () => {
    const { payload } = partsOf(hexBytes(ed448Example.output.cbor));
    expect(toHex(sigStructure1(new Uint8Array(0), payload)).toUpperCase()).toBe(ed448Example.intermediates.ToBeSign_hex);
  });

  test.each([ed25519Example, ed448Example].map(({ output }) => output.cbor))(
    "cose: %s carries a kid, malformed to our strict decoder",
    (cbor) => {
      expect(decodeCoseSign1(hexBytes(cbor))).toEqual({ ok: false, error: "malformed" });
    },
  );
});
