import { type CryptoSuite, sha256 } from "../../src/crypto/index.ts";
import { bytesEqual, concatBytes, present, toHex, utf8 } from "../../src/kernel/index.ts";
import { makeValidatorSet, type ValidatorSet } from "../../src/protocol/index.ts";
import type { VoteKey } from "../../src/validator/index.ts";

/**
 * Stand-in signatures: a keyed hash that only the holder of the secret makes and the suite checks by knowing all
 * secrets. Unforgeable by construction and forty times cheaper than Ed25519.
 */
export class StandInKeys {
  readonly #secrets = new Map<string, Uint8Array>();

  /** The suite that verifies what these keys sign. */
  readonly suite: CryptoSuite = {
    sha256: (bytes) => sha256(bytes),
    verify: (key, message, signature) => {
      const secret = this.#secrets.get(toHex(key));
      return secret !== undefined && signature.length === 64 && bytesEqual(signature, tag(secret, message));
    },
  };

  /** The key of a name. */
  make(name: string): VoteKey {
    const secret = sha256(utf8(`secret ${name}`));
    const publicKey = sha256(utf8(`public ${name}`));
    this.#secrets.set(toHex(publicKey), secret);
    return { publicKey, sign: (message) => tag(secret, message) };
  }
}

function tag(secret: Uint8Array, message: Uint8Array): Uint8Array {
  const half = sha256(secret, message);
  return concatBytes(half, half);
}

/** A set of these keys with these weights. */
export function setOf(keys: readonly VoteKey[], weights: readonly bigint[]): ValidatorSet {
  const members = keys.map((key, i) => ({
    publicKey: key.publicKey,
    owner: key.publicKey,
    weight: present(weights[i], "each has a weight"),
    reputation: 10_000,
  }));
  const set = makeValidatorSet(members);
  if (!set.ok) throw new Error(`no validator set: ${set.error}`);
  return set.value;
}
