/**
 * Floor 5. What the machine under a node is like: how worn its storage is, whether a file system turned read-only, heat,
 * throttling and voltage, how well it knows the time, its watchdog and TPM.
 *
 * Invariants: every parser is total on any text and says nothing rather than something wrong; the figures of the sampler come
 * from files alone; only the report runs programs, each with a limit of time. Never writes anything, never needs to be root.
 */
export * from "./figures.ts";
export * from "./findings.ts";
export { linuxSource } from "./linux-source.ts";
export { mountOf, parseMounts } from "./mounts.ts";
export { readReport } from "./report.ts";
/** What is found out about the box. */
export type * from "./types.ts";
