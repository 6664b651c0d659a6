/**
 * The second front door of src/events: what runs where there is neither Bun nor Node, such as a browser that proves a page
 * of records. No file reachable from here imports a `node:` or `bun:` module.
 */
export * from "./checkpoint.ts";
export * from "./event-codec.ts";
export * from "./event-schemas.ts";
export * from "./record-chain.ts";
export * from "./record-json.ts";
export * from "./signed-note.ts";
export * from "./types.ts";
