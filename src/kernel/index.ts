/**
 * Floor 0. What every other folder may use and what uses nothing itself: invariants, verdicts, bytes, canonical CBOR, CBOR sequences,
 * bounded queues, a deterministic generator, and the ports through which time, randomness and logging come in.
 * Nothing here reads a clock, draws real randomness or touches a file.
 */
export * from "./assert.ts";
export * from "./bounded-queue.ts";
export * from "./bytes.ts";
export * from "./cbor-reader.ts";
export * from "./cbor-sequence.ts";
export * from "./cbor-writer.ts";
export * from "./ports.ts";
export * from "./prng.ts";
export * from "./result.ts";
