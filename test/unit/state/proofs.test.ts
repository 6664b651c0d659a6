import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EMPTY_MERKLE_ROOT, nativeSuite, nobleSuite } from "../../../src/crypto/index.ts";
import { present, toHex } from "../../../src/kernel/index.ts";
import {
  decodeStateProof,
  encodeStateProof,
  type StateProof,
  type StateWitness,
  SUPPLY_KEY,
  verifyStateProof,
} from "../../../src/protocol/index.ts";
import { proveEntry } from "../../../src/state/proofs.ts";
import { buildTree } from "../../../src/state/tree.ts";
import { account, crowd, EntryMap, publicKeyOf } from "./state-fixture.ts";

/** Every second key of a crowded bucket is held, the others are not, so absence occurs at both edges and in between. */
const crowded = crowd(15);
const held = crowded.keys.filter((_, i) => i % 2 === 1);
const entries = [
  ...held.map((key, i) => ({ key, entry: { kind: "account", nonce: 1n, balance: BigInt(i) } }) as const),
  ...Array.from({ length: 500 }, (_, i) => account(i, BigInt(i))),
  { key: SUPPLY_KEY, entry: { kind: "supply", issued: 1n, burned: 0n } } as const,
];
const tree = buildTree(entries);
const root = tree.root();
const truth = new EntryMap().apply(entries);
const asked = [...crowded.keys, SUPPLY_KEY, ...Array.from({ length: 40 }, (_, i) => Uint8Array.of(1, ...publicKeyOf(490 + i)))];

/** What a verifier concludes: a value, absence, or nothing. */
function conclusionOf(proof: StateProof, suite = nativeSuite): string {
  const fact = verifyStateProof(suite, proof, root);
  if (!fact.ok) return `refused: ${fact.error}`;
  return fact.value === undefined ? "absent" : toHex(fact.value);
}

const truthOf = (key: Uint8Array): string => truth.get(toHex(key)) ?? "absent";

/** Fails when a proof convinces of something that is not so; a proof that convinces of nothing is fine. */
function expectNoLie(proof: StateProof): void {
  const conclusion = conclusionOf(proof);
  if (!conclusion.startsWith("refused")) expect(conclusion).toBe(truthOf(proof.key));
}

describe("state proofs", () => {
  test("state proof: keys that are held and keys that are not, proven to both suites after a round trip", () => {
    const shapes = new Set<number>();
    for (const key of asked) {
      const proof = proveEntry(tree, key);
      const decoded = decodeStateProof(encodeStateProof(proof));
      expect(decoded).toEqual({ ok: true, value: proof });
      expect(conclusionOf(proof)).toBe(truthOf(key));
      expect(conclusionOf(proof, nobleSuite)).toBe(truthOf(key));
      if (truthOf(key) === "absent") shapes.add(proof.witnesses.length);
    }
    expect([...shapes].sort()).toEqual([0, 1, 2]);
  });

  test("state proof: an account among a hundred thousand, within 700 bytes", () => {
    for (const key of asked)
      expect(encodeStateProof(proveEntry(tree, key)).length).toBeLessThanOrEqual(truthOf(key) === "absent" ? 1_000 : 800);
    expect(encodeStateProof(proveEntry(tree, present(entries[20], "an entry").key)).length).toBeLessThanOrEqual(700);
  });

  test("state proof: under another root, refused", () => {
    const other = buildTree([...entries, account(501, 1n)]).root();
    for (const key of asked) expect(verifyStateProof(nativeSuite, proveEntry(tree, key), other).ok).toBe(false);
  });
});

describe("attacks on state proofs", () => {
  const bucket = proveEntry(tree, present(held[0], "a held key"));
  const witnessOf = (key: Uint8Array): StateWitness => present(proveEntry(tree, key).witnesses[0], "a held key has a witness");
  const witnesses = held.map(witnessOf);

  test("state proof: every choice of honest neighbours for every key, with every count, never proves a lie", () => {
    const counts = [0, 1, held.length - 1, held.length, held.length + 1, 0xffffffff];
    const shown: StateWitness[][] = [[], ...witnesses.map((w) => [w]), ...witnesses.flatMap((a) => witnesses.map((b) => [a, b]))];
    let accepted = 0;
    for (const key of crowded.keys) {
      for (const count of counts) {
        for (const choice of shown) {
          const proof = { ...bucket, key, count, witnesses: choice };
          expectNoLie(proof);
          accepted += conclusionOf(proof).startsWith("refused") ? 0 : 1;
        }
      }
    }
    expect(accepted).toBe(crowded.keys.length);
  });

  test("state proof: a held key shown under another's index, value or key, refused", () => {
    const [a, b] = witnesses as [StateWitness, StateWitness];
    for (const key of [a.key, b.key, present(crowded.keys[2], "an absent key")]) {
      for (const index of [0, 1, 2, held.length - 1, held.length]) {
        for (const changed of [
          { ...a, index },
          { ...a, index, key: b.key },
          { ...a, index, value: b.value },
          { ...b, index, path: a.path },
        ]) {
          expectNoLie({ ...bucket, key, witnesses: [changed] });
          expectNoLie({ ...bucket, key, witnesses: [changed, b] });
          expectNoLie({ ...bucket, key, witnesses: [a, changed] });
        }
      }
    }
  });

  test("state proof: a full bucket passed off as empty, refused", () => {
    for (const key of held) {
      for (const bucketRoot of [EMPTY_MERKLE_ROOT, bucket.bucketRoot]) {
        expect(conclusionOf({ ...bucket, key, count: 0, bucketRoot, witnesses: [] })).toBe("refused: wrongRoot");
        expect(conclusionOf({ ...bucket, key, bucketRoot, witnesses: [] })).toMatch(/^refused/);
      }
    }
  });

  test("state proof: a proof of one bucket used for a key of another, refused", () => {
    const empty = proveEntry(
      tree,
      present(
        asked.find((key) => proveEntry(tree, key).count === 0),
        "a key in an empty bucket",
      ),
    );
    for (const key of held) expect(conclusionOf({ ...empty, key })).toBe("refused: wrongRoot");
    for (const { key } of entries) {
      if (held.includes(key)) continue;
      for (const choice of witnesses.slice(1).map((w, i) => [present(witnesses[i], "its neighbour"), w])) {
        expectNoLie({ ...bucket, key, witnesses: choice });
      }
      expectNoLie({ ...bucket, key, witnesses: witnesses.slice(0, 1) });
      expectNoLie({ ...bucket, key, witnesses: witnesses.slice(-1) });
    }
  });

  test("state proof: an inner node passed off as an entry, refused", () => {
    const [a] = witnesses as [StateWitness];
    const short = { ...a, path: a.path.slice(1) };
    for (const count of [held.length, Math.ceil(held.length / 2)]) expectNoLie({ ...bucket, count, key: a.key, witnesses: [short] });
    expect(conclusionOf({ ...bucket, key: a.key, witnesses: [short] })).toBe("refused: wrongWitness");
  });

  test("state proof: random changes of structure, never a lie", () => {
    const digest = fc.oneof(
      fc.constantFrom(...bucket.bucketPath),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 33 }),
    );
    const paths = fc.oneof(fc.constantFrom(...witnesses.map(({ path }) => path)), fc.array(digest, { maxLength: 6 }));
    const counts = fc.oneof(fc.nat(held.length + 2), fc.constantFrom(-1, 0.5, Number.NaN, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER));
    const witness = fc.record({
      index: counts,
      key: fc.constantFrom(...crowded.keys),
      value: fc.constantFrom(...witnesses.map(({ value }) => value)),
      path: paths,
    });
    const property = fc.property(
      fc.constantFrom(...asked),
      fc.constantFrom(...asked),
      fc.record({
        count: fc.option(counts, { nil: undefined }),
        bucketRoot: fc.option(digest, { nil: undefined }),
        witnesses: fc.option(fc.array(fc.oneof(fc.constantFrom(...witnesses), witness), { maxLength: 4 }), { nil: undefined }),
        bucketPath: fc.option(fc.array(digest, { minLength: 14, maxLength: 18 }), { nil: undefined }),
      }),
      (of, key, change) => {
        const honest = proveEntry(tree, of);
        expectNoLie({
          key,
          count: change.count ?? honest.count,
          bucketRoot: change.bucketRoot ?? honest.bucketRoot,
          witnesses: change.witnesses ?? honest.witnesses,
          bucketPath: change.bucketPath ?? honest.bucketPath,
        });
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  test("state proof: any byte of an encoded proof changed, cut or added, refused or still true", () => {
    const property = fc.property(fc.constantFrom(...asked), fc.nat(1_100), fc.integer({ min: 1, max: 255 }), (key, place, flip) => {
      const encoded = encodeStateProof(proveEntry(tree, key));
      const at = place % encoded.length;
      const changed = encoded.slice();
      changed[at] = (changed[at] as number) ^ flip;
      for (const bytes of [changed, encoded.slice(0, at), Uint8Array.of(...encoded, flip)]) {
        const decoded = decodeStateProof(bytes);
        if (!decoded.ok) continue;
        expect(toHex(encodeStateProof(decoded.value))).toBe(toHex(bytes));
        expectNoLie(decoded.value);
      }
    });
    fc.assert(property, { numRuns: 1_500 });
  });
});
