import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  canonicalJson,
  decodeCoseSign1,
  encodeCoseSign1,
  encodePkcs8Pem,
  inclusionPath,
  leafHash,
  merkleRootOfHashes,
  nativeSuite,
  openSecret,
  parsePkcs8Pem,
  sealSecret,
  verifyConsistency,
  verifyInclusion,
} from "../../src/crypto/index.ts";
import { Prng, toHex, utf8 } from "../../src/kernel/index.ts";
import { damaged, damagedText } from "./damage.ts";

const prng = new Prng(11);
const SEED = prng.bytes(32);
const PASSPHRASE = "open sesame";
const sealed = (await sealSecret(SEED, PASSPHRASE, { n: 2 ** 10, r: 1, p: 1 }, { bytes: (count) => prng.bytes(count) })).trimEnd();

describe("fuzz: COSE_Sign1", () => {
  const message = encodeCoseSign1(utf8("payload of a message"), prng.bytes(64));

  test("cose: damaged or any bytes, malformed or the one spelling of its parts", () => {
    const input = fc.oneof({ arbitrary: damaged(message), weight: 4 }, { arbitrary: fc.uint8Array({ maxLength: 120 }), weight: 1 });
    fc.assert(
      fc.property(input, fc.nat({ max: 40 }), (bytes, bound) => {
        const decoded = decodeCoseSign1(bytes, bound);
        if (!decoded.ok) return expect(decoded.error).toBe("malformed");
        expect(decoded.value.payload.length).toBeLessThanOrEqual(bound);
        return expect(toHex(encodeCoseSign1(decoded.value.payload, decoded.value.signature))).toBe(toHex(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test("cose: any payload and signature, decoded to themselves", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ minLength: 64, maxLength: 64 }), (payload, signature) => {
        expect(decodeCoseSign1(encodeCoseSign1(payload, signature))).toEqual({ ok: true, value: { payload, signature } });
      }),
    );
  });
});

describe("fuzz: PKCS#8 PEM", () => {
  test("pem: damaged or any text, malformed or a seed whose text says the same", () => {
    fc.assert(
      fc.property(fc.oneof(damagedText(encodePkcs8Pem(SEED)), fc.string()), (text) => {
        const parsed = parsePkcs8Pem(text);
        if (!parsed.ok) return expect(parsed.error).toBe("malformed");
        return expect(encodePkcs8Pem(parsed.value).trim()).toBe(text.trim().replaceAll("\r\n", "\n"));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("fuzz: sealed secrets", () => {
  test("sealed: damaged or any text, a code and never another secret", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof({ arbitrary: damagedText(sealed), weight: 4 }, { arbitrary: fc.json(), weight: 1 }), async (text) => {
        const opened = await openSecret(text, PASSPHRASE);
        if (opened.ok) expect(opened.value).toEqual(SEED);
        else expect(["malformed", "wrongPassphrase"]).toContain(opened.error);
      }),
      { numRuns: 300 },
    );
  });

  test("sealed: fields of any JSON value, a code", async () => {
    const fields: Record<string, unknown> = JSON.parse(sealed);
    const spoiled = fc.tuple(fc.constantFrom(...Object.keys(fields), "kdf.n", "kdf.r", "kdf.p", "kdf.salt", "cipher.iv"), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(spoiled, async ([path, value]) => {
        const copy = structuredClone(fields);
        const [outer = "", inner] = path.split(".");
        copy[outer] = inner === undefined ? value : { ...(copy[outer] as object), [inner]: value };
        const opened = await openSecret(JSON.stringify(copy), PASSPHRASE);
        if (opened.ok) expect(JSON.stringify(copy)).toBe(JSON.stringify(fields));
      }),
      { numRuns: 300 },
    );
  });
});

describe("fuzz: canonical JSON", () => {
  test("canonical json: any JavaScript value, notJson or a text that parses and is its own canonical form", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(fc.oneof(anything, fc.string({ unit: "binary" })), (value) => {
        const written = canonicalJson(value);
        if (!written.ok) return expect(written.error).toBe("notJson");
        return expect(canonicalJson(JSON.parse(written.value))).toEqual(written);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("fuzz: Merkle verifiers", () => {
  const hashes = Array.from({ length: 21 }, (_, i) => leafHash(Uint8Array.of(i)));
  const root = merkleRootOfHashes(hashes);
  const number = fc.oneof(fc.nat({ max: 25 }), fc.integer(), fc.double(), fc.maxSafeNat());
  const hash = fc.oneof(fc.constantFrom(...hashes, root), fc.uint8Array({ maxLength: 40 }));
  const path = fc.array(hash, { maxLength: 8 });

  test("merkle: any numbers, hashes and paths, a verdict; true only for the leaf that is there", () => {
    fc.assert(
      fc.property(hash, number, number, path, (leaf, index, size, any) => {
        const isIncluded = verifyInclusion(nativeSuite, leaf, index, size, any, root);
        if (isIncluded && size === 21) expect(toHex(leaf)).toBe(toHex(hashes[index] ?? new Uint8Array(0)));
        expect(verifyConsistency(nativeSuite, index, size, leaf, root, any)).toBe(
          index === size && Number.isSafeInteger(size) && size >= 0 && any.length === 0 && toHex(leaf) === toHex(root),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("merkle: a true path with one step damaged, false", () => {
    const steps = fc.nat({ max: 20 }).chain((index) => {
      const honest = inclusionPath(hashes, index);
      const at = fc.nat({ max: honest.length - 1 });
      return at.chain((step) => damaged(honest[step] ?? root).map((spoiled) => ({ index, honest, step, spoiled })));
    });
    fc.assert(
      fc.property(steps, ({ index, honest, step, spoiled }) => {
        const isSame = toHex(spoiled) === toHex(honest[step] ?? root);
        const given = honest.map((sibling, i) => (i === step ? spoiled : sibling));
        expect(verifyInclusion(nativeSuite, hashes[index] ?? root, index, 21, given, root)).toBe(isSame);
      }),
      { numRuns: 500 },
    );
  });
});
