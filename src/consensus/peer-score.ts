import type { RefusalCode } from "./steps.ts";

/**
 * How much a refusal tells against the peer that caused it, on the scale on which 100 points ban a peer. `src/network`
 * keeps the one score of a peer, lets it decay and bans; it counts these beside what it sees of the connection itself.
 *
 * No code here befalls a sound program of this version: late answers, repeated votes, what another leader signed twice
 * and rounds that we have not reached are no refusals. So two lies suffice, and less is only for what costs us little.
 */
export const REFUSAL_POINTS = {
  notItsSigner: 50,
  unknownSigner: 50,
  badSignature: 50,
  badCertificate: 50,
  badProposal: 50,
  badBlock: 50,
  secondVote: 10,
  unsolicited: 10,
} as const satisfies Record<RefusalCode, number>;
