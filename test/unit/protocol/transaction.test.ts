import { describe, expect, test } from "bun:test";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../../src/kernel/index.ts";
import { decodeTransaction, encodePayload, transactionAad, transactionSignBytes } from "../../../src/protocol/index.ts";
import { alice, sampleAad, transactions } from "../../vectors/protocol-samples.ts";

const transfer = transactions["transfer"] as Uint8Array;

describe("transaction", () => {
  for (const [name, bytes] of Object.entries(transactions)) {
    test(`transaction: ${name} decoded and encoded again, same bytes and a valid signature`, () => {
      const decoded = decodeTransaction(sampleAad, bytes);
      if (!decoded.ok) throw new Error(decoded.error);
      expect(encodePayload(decoded.value)).toEqual(decoded.value.payload);
      expect(verifyEd25519(alice.publicKey, transactionSignBytes(sampleAad, decoded.value.payload), decoded.value.signature)).toBe(true);
    });
  }

  test("transaction: same payload on another chain, another id and an invalid signature", () => {
    const otherAad = transactionAad(new Uint8Array(32));
    const here = decodeTransaction(sampleAad, transfer);
    const there = decodeTransaction(otherAad, transfer);
    if (!here.ok || !there.ok) throw new Error("both decode");
    expect(toHex(here.value.id)).not.toBe(toHex(there.value.id));
    expect(verifyEd25519(alice.publicKey, transactionSignBytes(otherAad, there.value.payload), there.value.signature)).toBe(false);
  });

  test("transaction: a byte appended, removed or a non-canonical integer, malformed", () => {
    expect(decodeTransaction(sampleAad, concatBytes(transfer, Uint8Array.of(0))).ok).toBe(false);
    expect(decodeTransaction(sampleAad, transfer.subarray(0, -1)).ok).toBe(false);
    // The nonce 0 of the payload spelled as 0x18 0x00; lengths around it adjusted.
    const hex = toHex(transfer);
    const at = hex.indexOf("0300041903e8");
    expect(at).toBeGreaterThan(0);
    const payloadLength = Number.parseInt(hex.slice(14, 16), 16);
    const length = (payloadLength + 1).toString(16).padStart(2, "0");
    const longer = `${hex.slice(0, 14)}${length}${hex.slice(16, at)}031800041903e8${hex.slice(at + 12)}`;
    expect(decodeTransaction(sampleAad, Buffer.from(longer, "hex"))).toEqual({ ok: false, error: "malformed" });
  });

  test("transaction: beyond the size bound, tooLarge before any decoding", () => {
    expect(decodeTransaction(sampleAad, new Uint8Array(16_385))).toEqual({ ok: false, error: "tooLarge" });
  });

  test("transaction: an unprotected header, a kid or a missing tag, malformed", () => {
    const hex = toHex(transfer);
    expect(hex.startsWith("d28443a10127a058")).toBe(true);
    for (const changed of [hex.replace("a058", "a1044131" + "58"), hex.slice(2), hex.replace("43a10127", "47a2012704413131")]) {
      expect(decodeTransaction(sampleAad, Buffer.from(changed, "hex"))).toEqual({ ok: false, error: "malformed" });
    }
  });
});
