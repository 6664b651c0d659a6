/**
 * The device broker in a node: a thread that holds engine, doors and broker.db (mqtt-service.ts, broker.worker.ts), and the
 * node's side of it (device-broker.ts). What crosses between them crosses in parcels (parcels.ts). docs/adr/broker.md says why
 * it is a thread of its own.
 */
export { DeviceBroker } from "./device-broker.ts";
/** Hears of submissions that came over MQTT. */
export type { SubmissionListener } from "./node-desk.ts";
export { planBroker } from "./plan.ts";
/** Where the broker's doors are open. */
export type { MqttUrls } from "./thread-messages.ts";
