/**
 * Floor 4. The real network between nodes: libp2p over TCP with Noise and yamux, an application hello, and three lanes
 * a pair (consensus, batches, blocks), each with its bounds.
 *
 * Invariants: whoever is told as a peer has proven its key and speaks our chain and a version we speak (R0); a peer is
 * reached by one connection; everything that waits for one peer is bounded and hurts no other; what a lane does with
 * too much is stated with it; a configured address is dialled for ever. Never judges a vote, a batch or a block, keeps
 * no file, and reads no clock but its port.
 *
 * @see docs/network.md, docs/adr/network.md
 */
export { type PeerAddress, parsePeerAddress } from "./address.ts";
export { type AskedPeer, Asker } from "./asking.ts";
export { PROTOCOL_VERSIONS, type Refusal, type VersionRange } from "./hello.ts";
export type { Neighbours } from "./neighbours.ts";
export { Network, NetworkStartFailed } from "./network.ts";
export type { ArchiveNode } from "./presences.ts";
export { encodeFinalRequest, encodeProofRequest, encodeSnapshotRequest, OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";
export type { Misconduct } from "./standing.ts";
export type { Tip, TipJudge } from "./tip.ts";
export type { Tally, Traffic } from "./traffic.ts";
export type * from "./types.ts";
