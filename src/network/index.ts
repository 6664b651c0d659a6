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
/** Who else is heard of on the local network. */
export type { Neighbours } from "./neighbours.ts";
export { Network, NetworkStartFailed } from "./network.ts";
/** A node that says it keeps every block. */
export type { ArchiveNode } from "./presences.ts";
export { encodeFinalRequest, encodeProofRequest, encodeSnapshotRequest, OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";
/** What costs a peer its standing. */
export type { Misconduct } from "./standing.ts";
/** A height with its proof, and who judges it. */
export type { Tip, TipJudge } from "./tip.ts";
/** What went over the wire, by kind of message. */
export type { Tally, Traffic } from "./traffic.ts";
/** What a network is made with and tells of. */
export type * from "./types.ts";
