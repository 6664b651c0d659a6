import { expect, test } from "bun:test";
import fc from "fast-check";
import { concatBytes } from "../../../src/kernel/index.ts";
import { BodyReader, encodeDelimited, encodeFrame, frameOf } from "../../../src/network/frames.ts";

test("frames: any messages cut anywhere, read back as they were written", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ kind: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
      (frames, steps) => {
        const bytes = concatBytes(...frames.map(({ kind, payload }) => encodeFrame(kind, payload)));
        const reader = new BodyReader(301);
        const read = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = steps[turn % steps.length] ?? 1;
          const bodies = reader.push(bytes.subarray(at, at + size));
          expect(bodies.ok).toBe(true);
          if (bodies.ok) read.push(...bodies.value.map(frameOf));
          at += size;
        }
        expect(read).toEqual(frames);
        expect(reader.pendingBytes).toBe(0);
      },
    ),
  );
});

test("frames: any bytes at all, never a throw, never more held than came nor a body beyond the bound", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
      const reader = new BodyReader(40);
      let came = 0;
      for (const chunk of chunks) {
        came += chunk.length;
        const bodies = reader.push(chunk);
        if (bodies.ok) for (const body of bodies.value) expect(body.length).toBeLessThanOrEqual(40);
        expect(reader.pendingBytes).toBeLessThanOrEqual(came);
      }
    }),
  );
});

test("frames: a body at the bound, read; one byte more, tooLarge for ever after", () => {
  const atBound = new BodyReader(1_000);
  expect(atBound.push(encodeDelimited(new Uint8Array(1_000)))).toEqual({ ok: true, value: [new Uint8Array(1_000)] });
  const beyond = new BodyReader(1_000);
  expect(beyond.push(encodeDelimited(new Uint8Array(1_001)))).toEqual({ ok: false, error: "tooLarge" });
  expect(beyond.push(encodeDelimited(Uint8Array.of(1)))).toEqual({ ok: false, error: "tooLarge" });
});

test("frames: a length of nothing, not in shortest form, or of five bytes, refused", () => {
  const verdictOf = (...bytes: number[]) => new BodyReader(1_000).push(Uint8Array.from(bytes));
  expect(verdictOf(0)).toEqual({ ok: false, error: "badLength" });
  expect(verdictOf(0x81, 0x00)).toEqual({ ok: false, error: "badLength" });
  expect(verdictOf(0x80, 0x80, 0x80, 0x80, 0x01)).toEqual({ ok: false, error: "tooLarge" });
});

test("frames: a body kept, does not change with the buffer it came in", () => {
  const chunk = encodeDelimited(Uint8Array.of(1, 2, 3));
  const bodies = new BodyReader(10).push(chunk);
  chunk.fill(0);
  expect(bodies).toEqual({ ok: true, value: [Uint8Array.of(1, 2, 3)] });
});
