/**
 * Floor 6. The composition root: constructs the contexts in floor order from a home, starts and stops them. No logic of
 * its own beyond who is connected to whom, and the only place of the real clock, timers and randomness (ports.ts).
 */
export { bindNewKey } from "./custody.ts";
export * from "./doctor.ts";
export { type DrillReport, drillBackup } from "./drill.ts";
export { enrolHome, isEnrolledAt } from "./enrolling.ts";
export { type BoundKey, bindHomeKey, type ExportedHistory, exportHomeHistory, type ImportedHistory, importHomeHistory } from "./history.ts";
export * from "./home.ts";
export { type HomeLanes, openHomeLanes } from "./home-lanes.ts";
export { type KeptNode, openKeptNodes } from "./kept-records.ts";
export * from "./node.ts";
export { openObjects } from "./object-store.ts";
export * from "./ports.ts";
/** What signed commands from afar may do to a node. */
export type { NodeControls } from "./remote-commands.ts";
export { type RestoredHome, type RestoreOrder, restoreHome, validatorKeyOf } from "./restoring.ts";
export { findNextKey, layNextKey, readTombstone, takeUpNextKey } from "./rotation.ts";
export { changeSettings } from "./settings-file.ts";
export * from "./setup.ts";
export { laySignstate } from "./signstate.ts";
export * from "./start-refused.ts";
/** What a home and its aggregators know each other by. */
export { readSyncTls } from "./sync-tls.ts";
export * from "./version.ts";
