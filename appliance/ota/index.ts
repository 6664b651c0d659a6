/**
 * Floor 5. Brings releases onto a box of two slots and takes them back: the life of an update as a pure table
 * (transitions.ts), durable before each thing it does; what a bundle must be before a slot is touched; the gate that a
 * new release must pass. RAUC writes slots, the boot loader counts starts.
 *
 * Invariants: a power cut anywhere leads to a state that goes on or goes back, and some release can always be started; the
 * version floor never falls; a machine is not restarted for an update before the node says that it can be left; only a
 * release on probation is left by itself, and only for one that can be started. Never touches the node's files.
 */

/** Updates without a person. */
export { Attendant } from "./attendant.ts";
/** Bundles of which a machine has most blocks. */
export { fetchByBlocks } from "./block-download.ts";
/** Everything that is checked before a slot is touched. */
export { checkBundle, checkWord } from "./check.ts";
/** Files over HTTP, gone on with after a cut. */
export { discardDownload, download } from "./download.ts";
/** When a release stays, and when the node can be left. */
export * from "./gate.ts";
/** What writes slots. */
export * from "./installer.ts";
/** Which bundles are meant for a box. */
export * from "./judge.ts";
/** What a channel has to offer. */
export * from "./offer.ts";
/** Which releases a box takes by itself, and when. */
export * from "./policy.ts";
/** Parts of files over HTTP. */
export type { AskServer } from "./ranges.ts";
/** RAUC. */
export { RaucInstaller } from "./rauc.ts";
/** The durable state. */
export * from "./record.ts";
/** The loop. */
export * from "./service.ts";
/** The state table. */
export * from "./transitions.ts";
/** States, inputs, effects and codes. */
export * from "./types.ts";
/** A bundle's every byte. */
export { checkPayload } from "./verity.ts";
/** Versions in order. */
export * from "./version.ts";
