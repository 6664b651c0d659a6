/**
 * Floor 4. What a node is told to do: one table of settings (settings.ts) that gives the schema, the defaults, the help
 * and the template of `node.toml`; overridden by BIZRA_* variables, overridden by flags.
 *
 * Invariants: a value in force passed its check, and it is known where it came from; an unknown key is refused, never
 * ignored; a fault says where it stands, what was expected, what came and how to mend it; the document carries a
 * version. Only `load.ts` reads the environment and configuration files. Never holds a secret: a passphrase is read on
 * request and handed over.
 */
export * from "./describe.ts";
export * from "./edit.ts";
export * from "./fault.ts";
export * from "./load.ts";
export { findNearest } from "./nearest.ts";
export { type ResolvedConfiguration, resolveConfiguration, type Sources } from "./resolve.ts";
export { formatListenAddress, type ListenAddress, parseListenAddress, type Setting } from "./setting.ts";
export { CONFIGURATION_VERSION, type Configuration, NAMED_SETTINGS, type NamedSetting } from "./settings.ts";
