/**
 * Floor 5. The node over HTTP: the routes of the outside contract in versions v1 to v3, event streams, health and
 * metrics. docs/http.md is its description for people, `/openapi.json` for programs.
 *
 * Invariants: everything it knows comes through the ports of ports.ts, and its one command is `submit`; every refusal
 * is a problem with a stable code; every queue, wait, stream, body and address is bounded, and the bound's policy is
 * stated; nothing is polled; a `202` is given only for what the port says is durable. Never decides about transactions,
 * opens a database, reads the environment, or logs a body.
 */
export * from "./gateway.ts";
/** Bounds of the doors, with their defaults beside them. */
export type { GatewayLimits } from "./limits.ts";
/** What the routes ask of a node. */
export type * from "./ports.ts";
/** Which build answers, for /api/v2/info. */
export type { Build } from "./routes/context.ts";
