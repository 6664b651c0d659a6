import { expect, test } from "bun:test";
import { localSigner, nobleSigner, sha256 } from "../../../src/crypto/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";

test("noble signer: the key and the signatures of the native signer, for seeds and messages of all sorts", () => {
  for (let i = 0; i < 20; i++) {
    const seed = sha256(utf8(`seed ${i}`));
    const message = new Uint8Array(i * 37).fill(i);
    const noble = nobleSigner(seed);
    const native = localSigner(seed);
    expect(noble.publicKey).toEqual(native.publicKey);
    expect(noble.sign(message)).toEqual(native.sign(message));
  }
});

test("noble signer: the seed cleared by its owner, signs all the same", () => {
  const seed = sha256(utf8("seed"));
  const signer = nobleSigner(seed);
  const before = signer.sign(utf8("message"));
  seed.fill(0);
  expect(signer.sign(utf8("message"))).toEqual(before);
});
