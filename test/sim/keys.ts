import {
  type CryptoSuite,
  localSigner,
  nativeSuite,
  publicKeyOf,
  type SignatureClaim,
  type Signer,
  sha256,
} from "../../src/crypto/index.ts";
import { bytesEqual, concatBytes, present, toHex, utf8 } from "../../src/kernel/index.ts";
import { makeValidatorSet, type ValidatorSet } from "../../src/protocol/index.ts";
import type { VoteKey } from "../../src/validator/index.ts";

/** Who makes and checks the signatures of a run. */
export interface SimKeys {
  /** Verifies what these keys sign. */
  readonly suite: CryptoSuite;
  /** As the suite, for many at a time; settles on a microtask. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  /** The key of a name: the same one in every run. */
  make(name: string): Signer;
}

/**
 * Stand-in signatures: a keyed hash that only the holder of the secret makes and the suite checks by knowing all
 * secrets. Unforgeable by construction and forty times cheaper than Ed25519. The public keys are points of the curve.
 */
export class StandInKeys implements SimKeys {
  readonly #secrets = new Map<string, Uint8Array>();

  readonly suite: CryptoSuite = {
    sha256: (bytes) => sha256(bytes),
    verify: (key, message, signature) => {
      const secret = this.#secrets.get(toHex(key));
      return secret !== undefined && signature.length === 64 && bytesEqual(signature, tag(secret, message));
    },
  };

  readonly verifyMany = (claims: readonly SignatureClaim[]): Promise<readonly boolean[]> => verifyInline(this.suite, claims);

  make(name: string): Signer {
    const secret = seedOf(name);
    const publicKey = publicKeyOfName(name);
    this.#secrets.set(toHex(publicKey), secret);
    return { publicKey, sign: (message) => tag(secret, message) };
  }
}

/** The scheme that ships, native: for a share of the runs, since each verification costs forty microseconds. */
export class Ed25519Keys implements SimKeys {
  readonly suite = nativeSuite;
  readonly verifyMany = (claims: readonly SignatureClaim[]): Promise<readonly boolean[]> => verifyInline(nativeSuite, claims);

  make(name: string): Signer {
    return localSigner(seedOf(name));
  }
}

function verifyInline(suite: CryptoSuite, claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
  return Promise.resolve(claims.map(({ key, message, signature }) => suite.verify(key, message, signature)));
}

/** A point a name, worked out once a process. */
const publicKeys = new Map<string, Uint8Array>();

function publicKeyOfName(name: string): Uint8Array {
  const known = publicKeys.get(name);
  if (known) return known;
  const made = publicKeyOf(seedOf(name));
  publicKeys.set(name, made);
  return made;
}

function seedOf(name: string): Uint8Array {
  return sha256(utf8(`secret ${name}`));
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
