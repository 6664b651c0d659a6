/**
 * The doors of the device broker: MQTT over TCP, over TLS with client certificates, and over WebSocket. Each gives the
 * engine the same `Transport`.
 *
 * Invariants: handshakes are bounded in number and time; what is held for a connection stays within a mark beyond which
 * its writer waits, and what is held for all within a bound beyond which whoever has taken nothing for the longest is ended; a
 * connection that does not end by itself is ended; a client certificate that does not verify ends the
 * connection. Plain and encrypted sockets are the runtime's own (`Bun.listen`), which take a third of the memory of
 * node:net's and show the client's certificate as node:tls does. Never reads a packet, never decides who may come in.
 */
export { DoorCounts } from "./door-counts.ts";
export { type DoorPlan, type OpenDoors, openDoors } from "./open-doors.ts";
/** A door, where it is, and what may be wrong with it. */
export type { Door, DoorAddress, DoorFault, TlsIdentity } from "./types.ts";
