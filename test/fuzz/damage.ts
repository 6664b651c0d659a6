import fc from "fast-check";

/** A valid encoding spoiled: bytes changed, one inserted, one removed, the end cut off or bytes appended; at times left whole. */
export function damaged(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: Math.max(0, valid.length - 1) });
  const byte = fc.nat({ max: 255 });
  return fc.oneof(
    fc.constant(valid),
    fc.array(fc.tuple(at, byte), { minLength: 1, maxLength: 3 }).map((changes) => {
      const out = valid.slice();
      for (const [index, value] of changes) if (index < out.length) out[index] = value;
      return out;
    }),
    fc.tuple(at, byte).map(([index, value]) => Uint8Array.from([...valid.subarray(0, index), value, ...valid.subarray(index)])),
    at.map((index) => Uint8Array.from([...valid.subarray(0, index), ...valid.subarray(index + 1)])),
    at.map((index) => valid.slice(0, index)),
    fc.uint8Array({ minLength: 1, maxLength: 4 }).map((more) => Uint8Array.from([...valid, ...more])),
  );
}

/** A valid text spoiled by characters changed, inserted, removed or cut off; at times left whole. */
export function damagedText(valid: string): fc.Arbitrary<string> {
  const at = fc.nat({ max: Math.max(0, valid.length - 1) });
  return fc.oneof(
    fc.constant(valid),
    fc.tuple(at, at, fc.string({ maxLength: 3 })).map(([from, to, middle]) => valid.slice(0, from) + middle + valid.slice(to)),
    fc.tuple(at, fc.string({ minLength: 1, maxLength: 1 })).map(([index, c]) => valid.slice(0, index) + c + valid.slice(index + 1)),
    at.map((index) => valid.slice(0, index)),
  );
}
