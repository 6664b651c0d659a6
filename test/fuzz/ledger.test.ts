import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseHex, present, toHex } from "../../src/kernel/index.ts";
import { checkAdmission } from "../../src/ledger/index.ts";
import {
  decodeEntry,
  encodeEntry,
  PARAMETER_BOUNDS,
  type TransactionBody,
  U64_MAX,
  validatorKeyProofBytes,
} from "../../src/protocol/index.ts";
import { boxOf, EpochWorld } from "../unit/ledger/epoch-fixture.ts";
import { CHAIN_ID, keyOf, proofOf } from "../unit/ledger/ledger-fixture.ts";

const NAMES = ["a", "b", "c", "d", "e"] as const;
const sender = fc.constantFrom<string>(...NAMES, "rich");
/** Signing keys: of validators, fresh ones, and bytes that are no key. */
const box = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES, "f", "g", "h", "i", "j", "k", "l").map((name) => boxOf(name).publicKey) },
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
);
const amount = fc.oneof(fc.bigInt(0n, 2_000n), fc.constantFrom(U64_MAX, U64_MAX - 1n, 1n << 63n));
const count = fc.oneof({ weight: 4, arbitrary: fc.nat(6) }, fc.constantFrom(Number.MAX_SAFE_INTEGER, 1_024, 1_030));
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Object.keys(PARAMETER_BOUNDS), "feature.a", "feature.b") },
  fc.constantFrom("feePolicy", "__proto__", "constructor", "feature.", "feature.A", "x"),
);
const value = fc.oneof(fc.bigInt(0n, 2n), fc.bigInt(0n, 20_000n), fc.constantFrom(1_048_576n, 3_600_000n, U64_MAX));
const proof = fc.constant(new Uint8Array(64));
const text = fc.string({ maxLength: 30, unit: "grapheme-ascii" });

/** Bodies of every type from 5 to 14 with all manner of values; a proof of possession is put in later where it is to hold. */
const body: fc.Arbitrary<TransactionBody> = fc.oneof(
  fc.record({ type: fc.constant(5 as const), publicKey: box, proof, commission: fc.nat(10_000), endpoint: text, metadata: text }),
  fc.record(
    { type: fc.constant(6 as const), validator: box, commission: fc.nat(10_000), endpoint: text },
    { requiredKeys: ["type", "validator"] },
  ),
  fc.record({ type: fc.constant(7 as const), validator: box }),
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom(8 as const, 9 as const, 10 as const), validator: box, amount }) },
  fc.record({ type: fc.constant(11 as const), validator: box, newKey: box, proof, term: count, effectiveEpoch: count }),
  fc.record({ type: fc.constant(12 as const), evidence: fc.uint8Array({ minLength: 1, maxLength: 200 }) }),
  { weight: 2, arbitrary: fc.record({ type: fc.constant(13 as const), key: name, value, activationEpoch: count }) },
  fc.record({ type: fc.constant(14 as const), proposal: fc.constant(new Uint8Array(32)), isApproval: fc.boolean() }),
);

/** The body with a valid proof of possession, where it asks for one; a rotation of the sender's own validator, soon. */
function consented(from: string, epoch: number, asked: TransactionBody): TransactionBody {
  if (asked.type === 5) {
    const { publicKey } = asked;
    return { ...asked, proof: proofOf(publicKey, validatorKeyProofBytes(CHAIN_ID, keyOf(from), publicKey, publicKey, 0)) };
  }
  if (asked.type !== 11) return asked;
  const validator = boxOf(from).publicKey;
  const term = 1 + (asked.term % 3);
  const effectiveEpoch = epoch + 1 + (asked.effectiveEpoch % 3);
  const consent = proofOf(asked.newKey, validatorKeyProofBytes(CHAIN_ID, keyOf(from), validator, asked.newKey, term));
  return { ...asked, validator, term, effectiveEpoch, proof: consent };
}

const pending = { nextNonce: () => undefined, spendOf: () => 0n, quotaUseOf: () => ({ transactions: 0n, bytes: 0n }) };
const scene = fc.array(fc.array(fc.record({ from: sender, body, isConsented: fc.boolean(), votesOn: fc.nat(3) }), { maxLength: 12 }), {
  minLength: 2,
  maxLength: 24,
});

test("fuzz: ledger, blocks of any bodies execute, conserve the supply and leave entries that decode to themselves", () => {
  const seen = new Set<string>();
  const property = fc.property(scene, (blocks) => {
    const stakes = Object.fromEntries(NAMES.map((one) => [one, 1_000n]));
    const world = new EpochWorld(stakes, { epochBlocks: 8, minimumStake: 10n, unbondingMs: 1_000 }, { rich: 1n << 60n });
    const proposals: Uint8Array[] = [];
    for (const asked of blocks) {
      const transactions = asked.map(({ from, body: plain, isConsented, votesOn }) => {
        const known = proposals.at(-1 - votesOn);
        const voted = plain.type === 14 && known ? { ...plain, proposal: known } : plain;
        const transaction = world.transaction(from, isConsented ? consented(from, world.epoch, voted) : voted);
        if (plain.type === 13) proposals.push(transaction.id);
        return transaction;
      });
      const rules = { tipHeight: world.height, timeMs: world.timeMs, parameters: world.parameters };
      for (const transaction of transactions) checkAdmission(world.state, rules, transaction, pending);
      const { receipts } = world.block(transactions);
      for (const [index, { code }] of receipts.entries()) seen.add(`${transactions[index]?.body.type} ${code}`);
    }
    for (const [key, entry] of world.state.entries) {
      const encoded = encodeEntry(entry);
      const decoded = decodeEntry(present(parseHex(key), "a key in hex"), encoded);
      if (!decoded.ok) throw new Error(`an entry of kind ${entry.kind} does not decode`);
      expect(toHex(encodeEntry(decoded.value))).toBe(toHex(encoded));
    }
  });
  fc.assert(property, { numRuns: 120 });
  const types = ["5", "6", "7", "8", "9", "11", "13", "14"];
  expect(types.filter((type) => !seen.has(`${type} applied`))).toEqual([]);
});
