import type { RefusalCode } from "./steps.ts";

/**
 * How much a refusal tells against the peer that caused it, on the scale on which 100 points ban a peer. `src/network`
 * keeps the one score of a peer, lets it decay and bans; it counts these beside what it sees of the connection itself.
 *
 * No code here befalls a sound program of this version: late answers, repeated votes, what another leader signed twice
 * and rounds that we have not reached are no refusals. So two lies suffice, and less is only for what costs us little.
 */
export const REFUSAL_POINTS = {
  notItsSigner: 60,
  unknownSigner: 60,
  badSignature: 60,
  badCertificate: 60,
  badProposal: 60,
  badBlock: 60,
  secondVote: 10,
  unsolicited: 10,
} as const satisfies Record<RefusalCode, number>;
