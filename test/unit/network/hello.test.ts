import { expect, test } from "bun:test";
import fc from "fast-check";
import { localSigner, publicKeyOf } from "../../../src/crypto/index.ts";
import {
  decodeHello,
  decodeRefusal,
  encodeHello,
  encodeRefusal,
  type Hello,
  judgeHello,
  type Refusal,
} from "../../../src/network/hello.ts";
import { bindNodeKey, deriveNodeSeed } from "../../../src/network/node-key.ts";

const CHAIN = new Uint8Array(32).fill(1);
const [ours, theirs] = [localSigner(new Uint8Array(32).fill(2)), localSigner(new Uint8Array(32).fill(3))];
const nodeKeyOf = (signer: typeof ours) => publicKeyOf(deriveNodeSeed(signer, CHAIN));
const [ownNodeKey, nodeKey] = [nodeKeyOf(ours), nodeKeyOf(theirs)];

function helloOf(signer: typeof ours, changes: Partial<Hello> = {}): Hello {
  const binding = bindNodeKey(signer, CHAIN, nodeKeyOf(signer));
  return { versions: { min: 1, max: 1 }, chainId: CHAIN, instance: new Uint8Array(8), binding, software: "bizra/1", ...changes };
}

const judge = (hello: Hello, own: Partial<Hello> = {}) => judgeHello(hello, { own: helloOf(ours, own), ownNodeKey, nodeKey });

test("hello: a validator's, accepted under the validator key", () => {
  expect(judge(helloOf(theirs))).toEqual({ ok: true, value: { key: theirs.publicKey, isBound: true, version: 1 } });
});

test("hello: an observer's, accepted under its node key", () => {
  const { binding: _binding, ...rest } = helloOf(theirs);
  expect(judge(rest)).toEqual({ ok: true, value: { key: nodeKey, isBound: false, version: 1 } });
});

test("hello: versions, the newest in common or a refusal", () => {
  const verdictOf = (min: number, max: number) => {
    const verdict = judge(helloOf(theirs, { versions: { min, max } }), { versions: { min: 2, max: 3 } });
    return verdict.ok ? verdict.value.version : verdict.error;
  };
  expect([verdictOf(1, 1), verdictOf(1, 2), verdictOf(2, 3), verdictOf(3, 9), verdictOf(4, 9)]).toEqual([
    "noCommonVersion",
    2,
    3,
    3,
    "noCommonVersion",
  ]);
});

test("hello: a binding for another node key, chain or validator, refused", () => {
  const elsewhere = bindNodeKey(theirs, CHAIN, ownNodeKey);
  const otherChain = bindNodeKey(theirs, new Uint8Array(32), nodeKey);
  const stolen = { ...bindNodeKey(theirs, CHAIN, nodeKey), validatorKey: localSigner(new Uint8Array(32).fill(9)).publicKey };
  for (const binding of [elsewhere, otherChain, stolen])
    expect(judge(helloOf(theirs, { binding }))).toEqual({ ok: false, error: "badBinding" });
});

test("hello: another chain or our own key, refused", () => {
  expect(judge(helloOf(theirs, { chainId: new Uint8Array(32) }))).toEqual({ ok: false, error: "otherChain" });
  expect(judgeHello(helloOf(ours), { own: helloOf(ours), ownNodeKey, nodeKey: ownNodeKey })).toEqual({ ok: false, error: "ownKey" });
});

test("hello: the key of a box, the same at each start and another on another chain", () => {
  expect(deriveNodeSeed(ours, CHAIN)).toEqual(deriveNodeSeed(ours, CHAIN));
  expect(deriveNodeSeed(ours, CHAIN)).not.toEqual(deriveNodeSeed(ours, new Uint8Array(32)));
  expect(deriveNodeSeed(ours, CHAIN)).not.toEqual(deriveNodeSeed(theirs, CHAIN));
});

test("hello: written and read, the same; any byte changed, lost or added, read otherwise or refused, never a throw", () => {
  const hello = helloOf(theirs, { tip: Uint8Array.of(1, 2, 3) });
  const bytes = encodeHello(hello);
  expect(decodeHello(bytes)).toEqual({ ok: true, value: hello });
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const read = decodeHello(changed);
      if (read.ok && changed.at(-1) === bytes.at(-1)) expect(encodeHello(read.value)).toEqual(changed);
    }),
  );
  for (let length = 0; length < bytes.length; length++) expect(decodeHello(bytes.subarray(0, length)).ok).toBe(false);
  expect(decodeHello(Uint8Array.of(...bytes, 0)).ok).toBe(false);
});

test("hello: an extension of a later release, ignored", () => {
  const bytes = encodeHello(helloOf(theirs));
  const extended = Uint8Array.of(...bytes.subarray(0, -1), 0x43, 1, 2, 3);
  expect(decodeHello(extended)).toEqual({ ok: true, value: helloOf(theirs) });
});

test("hello: each refusal, named by its own byte; a byte of a later release, by none", () => {
  const refusals: Refusal[] = [
    "otherChain",
    "noCommonVersion",
    "badBinding",
    "ownKey",
    "unexpectedKey",
    "notAllowed",
    "banned",
    "duplicate",
    "malformed",
  ];
  expect(refusals.map((refusal) => decodeRefusal(encodeRefusal(refusal)))).toEqual(refusals);
  expect([decodeRefusal(Uint8Array.of(200)), decodeRefusal(new Uint8Array(0))]).toEqual([undefined, undefined]);
});
