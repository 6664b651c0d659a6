/**
 * Floor 5. The local web page of a box: what is wrong, what it does, its claim code, a plan or another network, updates,
 * logs, a support bundle; for a phone beside it, without any other network.
 *
 * Invariants: what anybody in reach sees is no secret; the rest takes the one-time code of status.txt or a password; a
 * change comes from the page itself; a support bundle is made of what is listed and holds no secret. Knows the box as ports
 * only, and keeps nothing on disk.
 */
export { BoxConsole } from "./box-console.ts";
export { LocalAccess } from "./local-access.ts";
/** What the console asks of the box. */
export type * from "./ports.ts";
export { maskSecrets, packSupport } from "./support-bundle.ts";
