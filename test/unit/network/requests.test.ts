import { expect, test } from "bun:test";
import fc from "fast-check";
import { err, ok } from "../../../src/kernel/index.ts";
import {
  decodeAnswer,
  decodeFinalRequest,
  decodeProofRequest,
  encodeAnswer,
  encodeFinalRequest,
  encodeProofRequest,
} from "../../../src/network/requests.ts";

test("requests: written and read, the same", () => {
  const id = new Uint8Array(32).fill(5);
  expect(decodeProofRequest(encodeProofRequest(id))).toEqual(ok(id));
  expect(decodeFinalRequest(encodeFinalRequest(1_000_000))).toEqual(ok(1_000_000));
  expect(decodeAnswer(encodeAnswer(ok(id)))).toEqual(ok(id));
  for (const fault of ["notFound", "malformed", "busy"] as const) expect(decodeAnswer(encodeAnswer(err(fault)))).toEqual(err(fault));
});

test("requests: any bytes, a verdict and never a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      for (const decode of [decodeProofRequest, decodeFinalRequest, decodeAnswer]) expect(typeof decode(bytes).ok).toBe("boolean");
    }),
  );
});
