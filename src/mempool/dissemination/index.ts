/**
 * How batches get from the validator that admitted them to every other one.
 *
 * A box announces what is durable on it, by digest. Who lacks an announced batch pulls it from one of those that
 * announced it, checks all of it (the mempool's door), makes it durable, and announces it in turn. So an announcement means
 * "durable here", everyone learns who holds what, and each batch crosses each link about once.
 *
 * Wiring, in the node and in the simulator:
 *
 *     const mempool = new Mempool({ ..., epochs: () => [running, ...recent],
 *       onBatchDurable: (batch) => dissemination.onBatchDurable(batch),
 *       onBatchReleased: (release) => dissemination.onBatchReleased(release),
 *       onEvidence: (evidence) => loop.onEvidence(evidence) });
 *     const dissemination = new Dissemination({ batches: mempool, send, clock, timers, prng, validatorSet,
 *       onHeld: () => loop.onBatchesHeld() }, { self: publicKey, tuning: LAN_DISSEMINATION });
 *     mempool.start(mark); dissemination.start();
 *
 * then `onPeerUp`, `onPeerDown` and `onMessage` from the network, `fetch(digests)` from consensus's `fetchBatches`,
 * `onEpoch()` after each commit (or boundary block).
 *
 * Invariants: at most one pull of a digest runs at a time; every table and everything done for one peer is bounded, whatever
 * the peers send; the plan (`planDissemination`) is a pure function of state, input and time. Never keeps bytes of a batch:
 * they are the mempool's.
 */
export * from "./messages.ts";
export * from "./service.ts";
/** What a peer did wrong in dissemination. */
export type { PeerFault } from "./state.ts";
export * from "./tuning.ts";
