import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeCommand, encodeCommand, onHostState, openCommand, UNKNOWN_HOST } from "../../appliance/telemetry/index.ts";
import { decodeCommand as decodeSparkplug } from "../../appliance/telemetry/sparkplug/payload.ts";
import { nativeSuite } from "../../src/crypto/index.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
/** Bytes that look like protocol-buffer fields more often than chance. */
const fields = fc
  .array(fc.tuple(fc.constantFrom(8, 10, 18, 24, 26, 34, 42, 82, 90, 101, 105, 112, 122), fc.uint8Array({ maxLength: 12 })), {
    maxLength: 12,
  })
  .map((parts) => Uint8Array.from(parts.flatMap(([key, content]) => [key, content.length, ...content])));

test("fuzz: a Sparkplug command of any bytes, a verdict and no throw", () => {
  fc.assert(
    fc.property(fc.oneof(bytes, fields), (input) => typeof decodeSparkplug(input).ok === "boolean"),
    { numRuns: 5_000 },
  );
});

test("fuzz: a fleet command of any bytes, refused; a payload that decodes has one encoding", () => {
  fc.assert(
    fc.property(bytes, (input) => {
      expect(openCommand(input, nativeSuite).ok).toBe(false);
      const decoded = decodeCommand(input);
      if (decoded.ok) expect(encodeCommand(decoded.value)).toEqual(input);
    }),
    { numRuns: 5_000 },
  );
});

test("fuzz: a fleet command's payload from any fields, what decodes encodes to the same bytes", () => {
  const command = fc.record({
    chainId: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    node: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    verb: fc.stringMatching(/^[A-Za-z0-9]{1,32}$/),
    args: fc.dictionary(fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,31}$/), fc.string({ unit: "grapheme", maxLength: 30 }), {
      maxKeys: 16,
      noNullPrototype: true,
    }),
    issuedAtMs: fc.nat(),
    validityMs: fc.nat({ max: 300_000 }),
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  fc.assert(
    fc.property(command, (given) => {
      const decoded = decodeCommand(encodeCommand(given));
      expect(decoded.ok).toBe(true);
      if (decoded.ok) expect(encodeCommand(decoded.value)).toEqual(encodeCommand(given));
    }),
    { numRuns: 1_000 },
  );
});

test("fuzz: STATE of any bytes and any JSON, no throw", () => {
  const encoder = new TextEncoder();
  const input = fc.oneof(
    bytes,
    fc.json().map((text) => encoder.encode(text)),
  );
  fc.assert(
    fc.property(input, (payload) => void onHostState(UNKNOWN_HOST, payload)),
    { numRuns: 2_000 },
  );
});
