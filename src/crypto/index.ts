/**
 * Floor 1. Hashing, signatures and commitments: SHA-256, the one Ed25519 rule of the chain, COSE_Sign1, RFC 6962 trees,
 * domain tags, canonical JSON, secrets sealed for rest, and certificates.
 *
 * Invariants: every backend (native, WebCrypto, portable) gives the same verdict on every input; a key or signature that
 * breaks the rule never reaches a backend; what a decoder accepts has exactly one encoding. Never draws randomness by
 * itself, never keeps a secret longer than its caller does, never throws on outside input.
 *
 * Code for browsers and devices imports `portable.ts`, the part of this folder that needs no native runtime.
 */
export * from "./ed25519.ts";
export * from "./native-suite.ts";
export * from "./p256-key.ts";
export * from "./portable.ts";
export * from "./sealed-secret.ts";
export * from "./signing.ts";
export * from "./verify-threads.ts";
export * from "./x509.ts";
