import { expect, test } from "bun:test";
import fc from "fast-check";
import { nativeSuite } from "../../src/crypto/index.ts";
import {
  decodeAck,
  decodeBatch,
  decodeBeat,
  decodeEnrolAnswer,
  decodeEnrolRefusal,
  decodeEnrolRequest,
  decodeEscrowRequest,
  decodeHeartbeat,
  decodeHello,
  decodeOffer,
  decodeParcel,
  decodeRefusal,
  decodeStanding,
  decodeWelcome,
  encodeAck,
  encodeBatch,
  encodeBeat,
  encodeEnrolAnswer,
  encodeEnrolRefusal,
  encodeEnrolRequest,
  encodeEscrowRequest,
  encodeHeartbeat,
  encodeHello,
  encodeOffer,
  encodeParcel,
  encodeRefusal,
  encodeStanding,
  encodeWelcome,
  splitBodies,
  unpackRecords,
} from "../../sync/protocol/index.ts";
import { batch, cursor, heartbeat, hello, identity, network, parcel, welcome } from "../unit/sync/protocol/sample-messages.ts";

const { verify } = nativeSuite;
const samples = [
  encodeHello(hello, identity),
  encodeWelcome(welcome),
  encodeBatch({ ...batch, records: batch.records.subarray(0, 60) }),
  encodeHeartbeat(heartbeat, network, identity),
  encodeRefusal({ code: "gap", detail: "expected 5", cursor }),
  encodeEnrolRequest({ node: "box-1", network, token: "a token", csr: new Uint8Array(80) }, identity),
  encodeEnrolAnswer({ state: "pending", retryAfterMs: 3_000 }),
  encodeEnrolAnswer({ state: "issued", certificate: "one", authority: "another", witnessKey: new Uint8Array(32) }),
  encodeEnrolRefusal({ code: "slowDown", detail: "later", retryAfterMs: 5 }),
  encodeParcel(parcel, identity),
  encodeBeat({ session: batch.session, sequence: 9 }, network, identity),
  encodeOffer({ session: batch.session, parcel: new Uint8Array(30) }),
  encodeEscrowRequest({ kind: "deposit", parcel: new Uint8Array(40) }),
  encodeEscrowRequest({
    kind: "release",
    identityKey: network,
    proof: { ...cursor, timeMs: 4, witness: new Uint8Array(64), witnessKey: network },
  }),
  encodeStanding({ verdict: "gap", epoch: 1, sequence: 7, hash: network }),
];

/** A sample with some bytes changed, cut or added to. */
const mutated = fc
  .tuple(
    fc.constantFrom(...samples),
    fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }),
    fc.nat(700),
    fc.uint8Array({ maxLength: 4 }),
  )
  .map(([sample, changes, length, tail]) => {
    const bytes = Uint8Array.from([...sample.subarray(0, Math.max(1, length % (sample.length * 2))), ...tail]);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  });

test("sync: any bytes as any message, a verdict and never a throw; what is taken encodes to itself", () => {
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      decodeHello(bytes, verify);
      decodeBeat(bytes, { network, identityKey: identity.publicKey }, verify);
      decodeHeartbeat(bytes, { network, identityKey: identity.publicKey }, verify);
      const again = [
        [decodeWelcome(bytes), encodeWelcome],
        [decodeBatch(bytes), encodeBatch],
        [decodeAck(bytes), encodeAck],
        [decodeEnrolAnswer(bytes), encodeEnrolAnswer],
        [decodeOffer(bytes), encodeOffer],
        [decodeEscrowRequest(bytes), encodeEscrowRequest],
        [decodeStanding(bytes), encodeStanding],
      ] as const;
      for (const [decoded, encode] of again) if (decoded.ok) expect(encode(decoded.value as never)).toEqual(bytes);
      decodeRefusal(bytes);
      decodeEnrolRefusal(bytes);
      const kept = decodeParcel(bytes, verify);
      if (kept.ok) expect(encodeParcel(kept.value, identity)).toEqual(bytes);
      const request = decodeEnrolRequest(bytes, verify); // a signature that was changed is refused, so what is taken is the sample
      if (request.ok) expect(encodeEnrolRequest(request.value, identity)).toEqual(bytes);
    }),
    { numRuns: 3_000 },
  );
});

test("sync: any bytes as packed records, a verdict within the declared size", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(2_000_000), fc.nat(500), (bytes, declared, count) => {
      const unpacked = unpackRecords(bytes, "zstd", declared);
      if (unpacked.ok) expect(unpacked.value.length).toBe(declared);
      const split = splitBodies(bytes, count);
      if (split.ok) expect(split.value.length).toBe(count);
    }),
    { numRuns: 3_000 },
  );
});
