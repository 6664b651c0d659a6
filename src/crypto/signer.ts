/** Signs with one Ed25519 key that it does not show: a seed in memory, a secure element, another process. */
export interface Signer {
  /** The 32-byte public key that verifies what `sign` makes. */
  readonly publicKey: Uint8Array;
  /** The 64-byte signature over the message. */
  sign(message: Uint8Array): Uint8Array;
}
