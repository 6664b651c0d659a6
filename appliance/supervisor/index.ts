/**
 * Floor 5. Keeps the node of a box running: one state table (transitions.ts) as a pure function, a port to the machine with a
 * real Linux behind it, and a loop that asks the one and drives the other.
 *
 * Invariants: never two node processes; a watchdog is fed for nothing but a healthy answer of the process that runs now,
 * never for silence; restarts that nobody asked for keep to a budget; what is asked to stop ends. Never looks into the
 * node's files, never decides about updates.
 */

/** The watchdog of the board. */
export { HardwareWatchdog } from "./hardware-watchdog.ts";
/** What counts as healthy. */
export * from "./health.ts";
/** Processes and sockets of this machine. */
export { LinuxPlatform, type LinuxPlatformParts } from "./linux-platform.ts";
/** The machine as a supervisor needs it. */
export * from "./ports.ts";
/** The last lines of the node's output. */
export { RecentLines } from "./recent-lines.ts";
/** The loop. */
export * from "./service.ts";
/** systemd, through its socket. */
export { Systemd, type SystemdWord } from "./systemd.ts";
/** The state table. */
export * from "./transitions.ts";
/** States, inputs, effects and bounds. */
export * from "./types.ts";
