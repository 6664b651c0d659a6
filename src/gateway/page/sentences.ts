import type { RequestFault } from "../../network/portable.ts";
import { REJECTION_CODES, type RejectionCode } from "../../protocol/index.ts";

/** What each refusal of a transaction means to somebody who knows no code. */
const REFUSALS = {
  malformed: "The node could not read the transaction. Page and node are of different versions: reload the page.",
  tooLarge: "The note is too long for a transaction.",
  badSignature: "The node found the signature wrong. Is the key file damaged?",
  unknownSender: "This account does not exist yet: it needs funds before it can pay for an anchor.",
  insufficientFunds: "This account has too little to pay the fee.",
  feeTooLow: "The network asks for a higher fee than this page offered. Try again.",
  expired: "The transaction's time was up before the node saw it. Try again.",
  validityTooLong: "The transaction asked to be valid for longer than this network allows.",
  nonceTooLow: "Another transaction of this account came first. Try again.",
  nonceTooHigh: "Too many transactions of this account are waiting. Try again in a moment.",
  duplicate: "This transaction was executed before.",
  notAuthorized: "This account may not do that.",
  quotaExceeded: "This account or this address has too much waiting at the node. Try again in a moment.",
  mempoolFull: "The node has no room for more transactions now. Try again in a moment.",
  syncing: "The node is catching up with the network and takes no transactions now. Try again in a moment.",
} as const satisfies Record<RejectionCode, string>;

/** Why the node gave no answer over WebRTC. */
const SILENCES = {
  notFound: "The node has no proof of this transaction yet.",
  malformed: "Page and node do not understand each other. They are of different versions: reload the page.",
  busy: "The node has too many questions from this page. Try again in a moment.",
  unreachable:
    "No WebRTC connection to the node. Its UDP port may be closed by a firewall or a router, the node may have stopped, or this browser has WebRTC switched off.",
  timeout: "The node did not answer over WebRTC in time. Try again.",
} as const satisfies Record<Exclude<RequestFault, object>, string>;

/** A fault of a question over WebRTC as a sentence. A refusal of a later release is told by its code. */
export function sentenceOf(fault: RequestFault): string {
  if (typeof fault === "string") return SILENCES[fault];
  if ("pruned" in fault) return "This node no longer keeps what is that old. An archive has it.";
  const code = REJECTION_CODES.find((known) => known === fault.refused);
  return code === undefined ? `The node refused the transaction (${fault.refused}).` : REFUSALS[code];
}
