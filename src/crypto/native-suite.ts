import { verifyEd25519 } from "./ed25519.ts";
import { sha256 } from "./sha256.ts";
import type { CryptoSuite } from "./suite.ts";

/** The suite of a node: native hashing and verification. */
export const nativeSuite: CryptoSuite = {
  sha256: (bytes) => sha256(bytes),
  verify: verifyEd25519,
};
