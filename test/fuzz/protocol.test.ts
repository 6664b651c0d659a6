import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeCoseSign1 } from "../../src/crypto/index.ts";
import * as p from "../../src/protocol/index.ts";
import {
  goldenEncodings,
  parentCertificate,
  sampleAad,
  sampleBatch,
  sampleBlock,
  sampleHeader,
  sampleReceipt,
  sampleSet,
  stakingEntries,
  transactions,
} from "../vectors/protocol-samples.ts";

type Decoder = {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly again: (bytes: Uint8Array) => Uint8Array | undefined;
};

const value = <T>(result: { ok: true; value: T } | { ok: false }): T | undefined => (result.ok ? result.value : undefined);
const then = <T>(decoded: T | undefined, encode: (value: T) => Uint8Array): Uint8Array | undefined =>
  decoded === undefined ? undefined : encode(decoded);
const golden = (prefix: string) =>
  Object.entries(goldenEncodings)
    .filter(([name]) => name.startsWith(prefix))
    .map(([, bytes]) => bytes);

/** Every decoder of the protocol with how to encode again what it accepted. */
const decoders: readonly Decoder[] = [
  { name: "payload", seeds: payloads(), again: (b) => then(value(p.decodePayload(b)), p.encodePayload) },
  {
    name: "transaction",
    seeds: Object.values(transactions),
    again: (b) => then(value(p.decodeTransaction(sampleAad, b)), (t) => encodeCoseSign1(p.encodePayload(t), t.signature)),
  },
  { name: "proposal", seeds: golden("proposal"), again: (b) => then(value(p.decodeProposal(b)), p.encodeProposal) },
  { name: "vote", seeds: [...golden("vote.n")], again: (b) => then(value(p.decodeVote(b)), p.encodeVote) },
  {
    name: "certificate",
    seeds: [p.encodeCertificate(parentCertificate)],
    again: (b) => then(value(p.decodeCertificate(b)), p.encodeCertificate),
  },
  {
    name: "block header",
    seeds: [p.encodeBlockHeader(sampleHeader)],
    again: (b) => then(value(p.decodeBlockHeader(b)), p.encodeBlockHeader),
  },
  { name: "block", seeds: [p.encodeBlock(sampleBlock)], again: (b) => then(value(p.decodeBlock(b)), p.encodeBlock) },
  { name: "batch", seeds: [p.encodeBatch(sampleBatch)], again: (b) => then(value(p.decodeBatch(b)), p.encodeBatch) },
  { name: "receipt", seeds: [p.encodeReceipt(sampleReceipt)], again: (b) => then(value(p.decodeReceipt(b)), p.encodeReceipt) },
  {
    name: "validator set",
    seeds: [p.encodeValidatorSet(sampleSet)],
    again: (b) => then(value(p.decodeValidatorSet(b)), p.encodeValidatorSet),
  },
  { name: "account entry", seeds: golden("entry.account"), again: entryAgain(p.accountKey(new Uint8Array(32))) },
  { name: "device entry", seeds: golden("entry.device"), again: entryAgain(p.deviceKey(new Uint8Array(32))) },
  { name: "supply entry", seeds: golden("entry.supply"), again: entryAgain(p.SUPPLY_KEY) },
  ...Object.entries(stakingEntries).map(([name, { key, entry }]) => ({
    name: `${name} entry`,
    seeds: [p.encodeEntry(entry)],
    again: entryAgain(key),
  })),
];

function payloads(): Uint8Array[] {
  return Object.values(transactions).flatMap((t) => value(p.decodeTransaction(sampleAad, t))?.payload ?? []);
}

function entryAgain(key: Uint8Array): (bytes: Uint8Array) => Uint8Array | undefined {
  return (bytes) => then(value(p.decodeEntry(key, bytes)), p.encodeEntry);
}

/** A seed with some bytes changed, cut off, removed or inserted. */
function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(2048), byte: fc.nat(255), how: fc.constantFrom("set", "cut", "drop", "insert") });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 3 })).map(([seed, edits]) => {
    let bytes = Array.from(seed);
    for (const { at, byte, how } of edits) {
      const place = at % (bytes.length + 1);
      if (how === "set") bytes[Math.min(place, bytes.length - 1)] = byte;
      else if (how === "cut") bytes = bytes.slice(0, place);
      else if (how === "drop") bytes.splice(place, 1);
      else bytes.splice(place, 0, byte);
    }
    return Uint8Array.from(bytes);
  });
}

describe("fuzz: protocol decoders", () => {
  for (const { name, seeds, again } of decoders) {
    test(`fuzz: ${name}, accepts its own samples`, () => {
      for (const seed of seeds) expect(again(seed)).toEqual(seed);
    });
    test(`fuzz: ${name}, never throws and round-trips what it accepts`, () => {
      const input = fc.oneof(fc.uint8Array({ maxLength: 256 }), mutated(seeds));
      fc.assert(
        fc.property(input, (bytes) => {
          const encoded = again(bytes);
          if (encoded !== undefined) expect(encoded).toEqual(bytes);
        }),
        { numRuns: 2_000 },
      );
    });
  }

  test("fuzz: genesis and address text, never throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        p.parseGenesis(text);
        p.parseAddress(text);
      }),
      { numRuns: 1_000 },
    );
  });
});
