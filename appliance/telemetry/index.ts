/**
 * Floor 5. What a node tells the world over MQTT, as several views of one look at its figures: native topics, CloudEvents,
 * a Sparkplug B 3.0 edge node, Home Assistant discovery; and the signed commands that come back.
 *
 * Invariants: an event counts as told once a broker has acknowledged it, and a durable cursor over the event log says how far
 * that is; a report that a broker could not take, or did not acknowledge, is on disk before anything else happens to it, and
 * goes out later, oldest first; what comes twice has the same id; every queue is bounded, and a gap is told. A command is
 * carried out only when a key of the fleet signed it for this node, now, for the first time, within its role, and after
 * it was audited.
 *
 * Knows brokers only as outlets. Runs programs once, after the start, to see what the machine is; never holds up a commit, never carries a key.
 */
export * from "./byte-count.ts";
export * from "./cloud-event.ts";
export * from "./commands/command.ts";
export * from "./commands/door.ts";
export * from "./commands/send.ts";
export * from "./commands/verdict.ts";
export * from "./device-roll.ts";
export * from "./event-pump.ts";
export * from "./hardware.ts";
export * from "./home-assistant.ts";
export * from "./inventory.ts";
export * from "./link.ts";
export * from "./local-outlet.ts";
export * from "./machine.ts";
export * from "./metrics.ts";
export * from "./mqtt-outlet.ts";
export * from "./native-view.ts";
export * from "./outlet.ts";
export * from "./profiles.ts";
export * from "./report.ts";
export * from "./sample-pump.ts";
export * from "./sampler.ts";
export * from "./sparkplug/edge-node.ts";
export * from "./sparkplug/host-state.ts";
export * from "./sparkplug/messages.ts";
export { DATA_TYPES, type SparkplugMetric } from "./sparkplug/payload.ts";
export * from "./store.ts";
export * from "./telemetry.ts";
export * from "./topics.ts";
