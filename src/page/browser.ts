/**
 * The part of this folder that runs in a browser.
 */
export * from "./browser-ports.ts";
export * from "./dom.ts";
export * from "./format.ts";
