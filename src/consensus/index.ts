/**
 * Floor 3. How the validators agree on blocks: Simplex over batch digests with weighted certificates and epochs. This is
 * the summary; `docs/consensus.md` states every rule with its numbers.
 *
 * A view has a leader that proposes one block on the highest certified parent (R2). Who finds it valid votes NOTARIZE
 * (R3); who runs out of patience votes NULLIFY (R5). Weight Q of either is a certificate and opens the next view (R4, R6).
 * Who holds a notarization and never nullified its view votes FINALIZE (R7); weight Q of that makes the block and its
 * ancestors final (R8). A boundary block closes an epoch and names the next set (R12). Views without work run no
 * deadlines (R1), so an idle chain is silent.
 *
 * - `step` is the core: facts change by one input, then each rule acts on the facts until all are at rest. It awaits
 *   nothing, reads no clock, draws from its seed only and never throws on anything a peer says.
 * - `nextDeadlineMs` is when it wants the next tick; timers are data.
 * - `ConsensusLoop` runs effects: journal, one sync, then signatures, messages, commits.
 *
 * Invariants: at most one NOTARIZE and one of NULLIFY and FINALIZE a view; an own vote counts and leaves only once it is
 * durable; floor and view never go back; a certificate is held only when weight Q signed it; memory is bounded by R0.
 * Never executes transactions, opens files or sockets, or holds a key: those stand behind `BlockPort`, `JournalPort`,
 * `NetworkPort` and `VoteSigner`.
 *
 * @see docs/consensus.md
 */
export * from "./block-port.ts";
export { step } from "./core.ts";
export { nextDeadlineMs } from "./deadlines.ts";
export * from "./inspection.ts";
export * from "./loop.ts";
export { decodeMessage, encodeMessage, MESSAGE_BYTES_MAX } from "./message-codec.ts";
export * from "./messages.ts";
export { REFUSAL_POINTS } from "./peer-score.ts";
export * from "./ports.ts";
export { recoveryAllows } from "./recovery-gate.ts";
export * from "./rounds.ts";
export { type CoreStart, startCore } from "./start.ts";
/** What the core is made with, and all that it knows: for the simulator, which steps it by hand. */
export type { CoreConfig, CoreState } from "./state.ts";
export * from "./steps.ts";
export { LAN_TIMERS, type TimerProfile, WAN_TIMERS } from "./timers.ts";
