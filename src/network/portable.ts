/**
 * The second front door of the network: what a page or a device needs that only asks. It runs where there is neither Bun
 * nor Node; no file reachable from here imports a `node:` or `bun:` module in a bundle for browsers. Never listens, never
 * says hello, never trusts an answer.
 *
 * @see docs/network.md, For outside peers
 */
export { Asker, type OutsideProtocol } from "./asker.ts";
export { encodeProofRequest, OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";
