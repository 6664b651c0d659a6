/**
 * Floor 3. What a device needs to send signed transactions and to know that they are final: keys, bodies and signatures, a
 * client that sends the same bytes again over HTTP, MQTT or WebRTC until they have ended, and the verifier of receipts. It
 * runs in browsers, Node 20 and later, and Bun, on noble cryptography alone, and is built into dist/bizra-device.js.
 *
 * Invariants: what it says is final was verified against the chain's own signatures; what a node says is bounded and never
 * costs more than another try; nothing is sent that a restart would not know of. It never shows a key, listens, or trusts.
 *
 * @see docs/devices.md
 */

export { nobleSuite, type Signer } from "../crypto/portable.ts";
export { parseHex, toHex } from "../kernel/index.ts";
export { formatAddress, LIMITS, LightClient, parseAddress, type Receipt, type TransactionBody } from "../protocol/index.ts";
export * from "./carrier.ts";
export * from "./client.ts";
export * from "./http-carrier.ts";
export { isJson, type Json, wideIn } from "./json.ts";
export * from "./keys.ts";
export * from "./mqtt-carrier.ts";
export * from "./mqtt-js.ts";
export * from "./ports.ts";
export * from "./storage.ts";
export * from "./stream-carrier.ts";
export * from "./submission.ts";
export * from "./transactions.ts";
export * from "./trust.ts";
