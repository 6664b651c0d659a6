import { DOMAIN_TAGS, type Signer, sha256, verifyEd25519 } from "../crypto/index.ts";
import { concatBytes } from "../kernel/index.ts";

/** A validator key's word that a node key speaks for it on one chain. */
export type Binding = {
  /** Ed25519 key, 32 bytes, of the validator. */
  readonly validatorKey: Uint8Array;
  /** By the validator key over `bindingBytes`. */
  readonly signature: Uint8Array;
};

/**
 * The seed of the key with which a validator's box opens connections: a hash of the validator key's signature over a
 * domain of its own, which Ed25519 makes the same each time. So the node key needs no file, outlives restarts, and the
 * validator key itself, which may sit in a secure element, signs nothing for connections but this and the binding.
 *
 * The signature is a secret: it never leaves this function.
 *
 * @returns 32 bytes
 */
export function deriveNodeSeed(signer: Signer, chainId: Uint8Array): Uint8Array {
  return sha256(DOMAIN_TAGS.nodeKeySeed, signer.sign(concatBytes(DOMAIN_TAGS.nodeKeySeed, chainId)));
}

/** Binds a node key (Ed25519, 32 bytes) to the validator key of a signer. */
export function bindNodeKey(signer: Signer, chainId: Uint8Array, nodeKey: Uint8Array): Binding {
  return { validatorKey: signer.publicKey, signature: signer.sign(bindingBytes(chainId, signer.publicKey, nodeKey)) };
}

/** Whether a binding is the validator key's own word about this node key. The connection proves the node key itself. */
export function isBindingValid({ validatorKey, signature }: Binding, chainId: Uint8Array, nodeKey: Uint8Array): boolean {
  return verifyEd25519(validatorKey, bindingBytes(chainId, validatorKey, nodeKey), signature);
}

/** Signed bytes: tag | chain id 32 | validator key 32 | node key 32. */
function bindingBytes(chainId: Uint8Array, validatorKey: Uint8Array, nodeKey: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN_TAGS.nodeKey, chainId, validatorKey, nodeKey);
}
