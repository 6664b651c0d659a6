import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  ANNOUNCED_COUNT_MAX,
  DISSEMINATION_MESSAGE_BYTES_MAX,
  type DisseminationMessage,
  decodeDisseminationMessage,
  encodeDisseminationMessage,
  WANTED_COUNT_MAX,
} from "../../src/mempool/index.ts";
import { LIMITS } from "../../src/protocol/index.ts";
import { damaged } from "./damage.ts";

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const digests = fc.array(digest, { minLength: 1, maxLength: 6 });
const message: fc.Arbitrary<DisseminationMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("announce" as const),
    batches: fc.array(fc.record({ digest, sizeBytes: fc.nat({ max: LIMITS.batchBytesMax }) }), { minLength: 1, maxLength: 6 }),
  }),
  fc.record({ kind: fc.constantFrom("want" as const, "absent" as const), digests }),
  fc.record({ kind: fc.constant("batch" as const), digest, encoded: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
);

test("dissemination message: any message, comes back as it was from its one encoding", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const encoded = encodeDisseminationMessage(sent);
      const decoded = decodeDisseminationMessage(encoded);
      expect(decoded).toEqual({ ok: true, value: sent });
    }),
    { numRuns: 300 },
  );
});

test("dissemination message: damaged bytes, refused or read as what encodes to the very same bytes, never thrown at", () => {
  fc.assert(
    fc.property(
      message.chain((sent) => damaged(encodeDisseminationMessage(sent))),
      (bytes) => {
        const decoded = decodeDisseminationMessage(bytes);
        if (decoded.ok) expect(encodeDisseminationMessage(decoded.value)).toEqual(bytes);
        else expect(["malformed", "tooLarge"]).toContain(decoded.error);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("dissemination message: random bytes, refused and never thrown at", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const decoded = decodeDisseminationMessage(bytes);
      if (decoded.ok) expect(encodeDisseminationMessage(decoded.value)).toEqual(bytes);
    }),
    { numRuns: 1_000 },
  );
});

const full = new Uint8Array(32);
const sizes: readonly (readonly [string, DisseminationMessage, boolean])[] = [
  [
    "as many announced as fit",
    { kind: "announce", batches: Array.from({ length: ANNOUNCED_COUNT_MAX }, () => ({ digest: full, sizeBytes: 1 })) },
    true,
  ],
  [
    "one announced too many",
    { kind: "announce", batches: Array.from({ length: ANNOUNCED_COUNT_MAX + 1 }, () => ({ digest: full, sizeBytes: 1 })) },
    false,
  ],
  ["nothing announced", { kind: "announce", batches: [] }, false],
  ["a size beyond a batch's", { kind: "announce", batches: [{ digest: full, sizeBytes: LIMITS.batchBytesMax + 1 }] }, false],
  ["as many wanted as fit", { kind: "want", digests: Array.from({ length: WANTED_COUNT_MAX }, () => full) }, true],
  ["one wanted too many", { kind: "want", digests: Array.from({ length: WANTED_COUNT_MAX + 1 }, () => full) }, false],
  ["nothing absent", { kind: "absent", digests: [] }, false],
  ["a short digest", { kind: "want", digests: [new Uint8Array(31)] }, false],
  ["the largest batch", { kind: "batch", digest: full, encoded: new Uint8Array(LIMITS.batchBytesMax) }, true],
  ["a batch too large", { kind: "batch", digest: full, encoded: new Uint8Array(LIMITS.batchBytesMax + 1) }, false],
  ["an empty batch", { kind: "batch", digest: full, encoded: new Uint8Array() }, false],
];
for (const [name, sent, isTaken] of sizes) {
  test(`dissemination message: ${name}, ${isTaken ? "read" : "refused"}`, () => {
    const encoded = encodeDisseminationMessage(sent);
    expect(decodeDisseminationMessage(encoded).ok).toBe(isTaken);
    if (isTaken) expect(encoded.length).toBeLessThanOrEqual(DISSEMINATION_MESSAGE_BYTES_MAX);
  });
}
