/**
 * Floor 4. Keys at rest: made on the box, sealed under a passphrase, opened at start, each for one purpose. Never
 * writes a key unsealed, never shows a seed, never logs.
 */
export * from "./key-file.ts";
