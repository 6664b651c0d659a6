/** The hashing half of a suite, enough to check a Merkle path. */
export interface HashSuite {
  /** SHA-256 of the bytes: 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
}

/** What a verifier of proofs needs, so that one verifier runs on native code in a node and on noble in a browser. */
export interface CryptoSuite extends HashSuite {
  /** Whether the 64-byte signature over the message is valid for the 32-byte key by the one rule; total on any input. */
  verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}
