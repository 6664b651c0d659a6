/**
 * The second front door of floor 1: everything that runs where there is neither Bun nor Node, such as a browser that
 * checks a proof. No file reachable from here imports a `node:` or `bun:` module.
 */
export * from "./canonical-json.ts";
export * from "./cose-sign1.ts";
export * from "./domain-tags.ts";
export * from "./ed25519-rule.ts";
export * from "./merkle.ts";
export * from "./merkle-accumulator.ts";
export * from "./merkle-consistency.ts";
export * from "./noble-signer.ts";
export * from "./noble-suite.ts";
export * from "./pkcs8-pem.ts";
export * from "./sha256.ts";
export * from "./signer.ts";
export * from "./suite.ts";
