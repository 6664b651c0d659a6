import { CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import {
  type Block,
  type Certificate,
  decodeBlock,
  encodeBlock,
  encodeCertificate,
  encodeProposal,
  encodeVote,
  LIMITS,
  readCertificate,
  readProposal,
  readVote,
  type Vote,
} from "../protocol/index.ts";
import { BOUNDS } from "./bounds.ts";
import type { FetchTarget, Message } from "./messages.ts";

/** Bytes of one encoded message: a full answer of final blocks, or one block with its certificates. */
export const MESSAGE_BYTES_MAX = 2 * LIMITS.blockBytesMax;

const TAGS = {
  vote: 1,
  proposal: 2,
  certificates: 3,
  fetch: 4,
  block: 5,
  finalBlocks: 6,
  hello: 7,
  helloAnswer: 8,
  recoveryRequest: 9,
  recoveryAnswer: 10,
} as const satisfies Record<Message["kind"], number>;

const TOKEN_MAX = 2 ** 32 - 1;
const FETCHES = { certificates: 1, proposal: 2, block: 3, finalBlocks: 4 } as const satisfies Record<FetchTarget["kind"], number>;

/** Canonical CBOR: array [tag, ...fields in the order of the type]; optional fields are arrays of none or one. */
export function encodeMessage(message: Message): Uint8Array {
  const w = new CborWriter(256);
  switch (message.kind) {
    case "vote":
      return w.array(2).uint(TAGS.vote).raw(encodeVote(message.vote)).finish();
    case "proposal":
      w.array(5).uint(TAGS.proposal).raw(encodeProposal(message.proposal)).bytes(encodeBlock(message.block));
      writeCertificates(w, message.nullifications);
      writeVotes(w, message.leaderVote ? [message.leaderVote] : []);
      return w.finish();
    case "certificates":
      return writeCertificates(w.array(2).uint(TAGS.certificates), message.certificates).finish();
    case "fetch":
      return writeTarget(w.array(2).uint(TAGS.fetch), message.target).finish();
    case "block":
      return w.array(2).uint(TAGS.block).bytes(encodeBlock(message.block)).finish();
    case "finalBlocks":
      w.array(3).uint(TAGS.finalBlocks).array(message.blocks.length);
      for (const block of message.blocks) w.bytes(encodeBlock(block));
      return w.raw(encodeCertificate(message.finalization)).finish();
    case "hello":
      w.array(6).uint(TAGS.hello).uint(message.token).uint(message.height).uint(message.epoch).uint(message.floorView);
      return writeVotes(w, message.votes).finish();
    case "helloAnswer":
      return writeVotes(w.array(3).uint(TAGS.helloAnswer).uint(message.token), message.votesOfYours).finish();
    case "recoveryRequest":
      return w.array(2).uint(TAGS.recoveryRequest).uint(message.token).finish();
    case "recoveryAnswer":
      w.array(5).uint(TAGS.recoveryAnswer).uint(message.token).bool(message.isRecovering);
      writeCertificates(w, message.opening ? [message.opening] : []);
      return writeCertificates(w, message.highest ? [message.highest] : []).finish();
  }
}

/**
 * Reads what `encodeMessage` writes: shape and bounds only, no signature is checked.
 *
 * Errors: `tooLarge` beyond MESSAGE_BYTES_MAX; `unknown` for what a later release says, which is to be passed over: another
 * kind of message, or a block of a later version; `malformed`.
 */
export function decodeMessage(bytes: Uint8Array): Result<Message, "malformed" | "tooLarge" | "unknown"> {
  if (bytes.length > MESSAGE_BYTES_MAX) return err("tooLarge");
  const r = new CborReader(bytes);
  const fields = r.array(6);
  const message = readMessage(r, r.uint(TAGS.recoveryAnswer));
  // One encoding per message: the head's count is a function of the kind, so re-reading it suffices.
  if (message && r.isComplete && fields === fieldCountOf(message)) return ok(message);
  return err(isOfLaterRelease(bytes) ? "unknown" : "malformed");
}

/** Whether a message that cannot be read is one that only a later release has words for. */
function isOfLaterRelease(bytes: Uint8Array): boolean {
  const r = new CborReader(bytes);
  r.array(64);
  const tag = r.uint();
  if (tag > TAGS.recoveryAnswer) return !r.isBroken;
  if (tag === TAGS.proposal) readProposal(r);
  else if (tag === TAGS.finalBlocks) r.array(BOUNDS.finalBlocksMax);
  else if (tag !== TAGS.block) return false;
  const block = decodeBlock(r.bytes(1, LIMITS.blockBytesMax));
  return !r.isBroken && !block.ok && block.error === "laterVersion";
}

function readMessage(r: CborReader, tag: number): Message | undefined {
  switch (tag) {
    case TAGS.vote:
      return { kind: "vote", vote: readVote(r) };
    case TAGS.proposal:
      return readProposalMessage(r);
    case TAGS.certificates:
      return { kind: "certificates", certificates: readCertificates(r, BOUNDS.messageCertificatesMax) };
    case TAGS.fetch: {
      const target = readTarget(r);
      return target && { kind: "fetch", target };
    }
    case TAGS.block: {
      const block = readBlock(r);
      return block && { kind: "block", block };
    }
    case TAGS.finalBlocks:
      return readFinalBlocks(r);
    case TAGS.hello: {
      const where = { token: r.uint(TOKEN_MAX), height: r.uint(), epoch: r.uint(), floorView: r.uint() };
      return { kind: "hello", ...where, votes: readVotes(r, BOUNDS.helloVotesMax) };
    }
    case TAGS.helloAnswer:
      return { kind: "helloAnswer", token: r.uint(TOKEN_MAX), votesOfYours: readVotes(r, BOUNDS.helloVotesMax) };
    case TAGS.recoveryRequest:
      return { kind: "recoveryRequest", token: r.uint(TOKEN_MAX) };
    case TAGS.recoveryAnswer:
      return readRecoveryAnswer(r);
    default:
      return undefined;
  }
}

function readProposalMessage(r: CborReader): Message | undefined {
  const proposal = readProposal(r);
  const block = readBlock(r);
  const nullifications = readCertificates(r, BOUNDS.proposalNullificationsMax);
  const [leaderVote] = readVotes(r, 1);
  return block && { kind: "proposal", proposal, block, nullifications, ...(leaderVote ? { leaderVote } : {}) };
}

function readFinalBlocks(r: CborReader): Message | undefined {
  const blocks = readMany(r, BOUNDS.finalBlocksMax, () => readBlock(r)).filter((block) => block !== undefined);
  const finalization = readCertificate(r);
  return { kind: "finalBlocks", blocks, finalization };
}

function readRecoveryAnswer(r: CborReader): Message {
  const head = { token: r.uint(TOKEN_MAX), isRecovering: r.bool() };
  const [opening] = readCertificates(r, 1);
  const [highest] = readCertificates(r, 1);
  return { kind: "recoveryAnswer", ...head, ...(opening ? { opening } : {}), ...(highest ? { highest } : {}) };
}

function fieldCountOf(message: Message): number {
  switch (message.kind) {
    case "hello":
      return 6;
    case "proposal":
    case "recoveryAnswer":
      return 5;
    case "finalBlocks":
    case "helloAnswer":
      return 3;
    case "vote":
    case "certificates":
    case "fetch":
    case "block":
    case "recoveryRequest":
      return 2;
  }
}

function writeTarget(w: CborWriter, target: FetchTarget): CborWriter {
  switch (target.kind) {
    case "certificates":
      return w.array(4).uint(FETCHES.certificates).uint(target.epoch).uint(target.fromView).uint(target.toView);
    case "proposal":
      return w.array(4).uint(FETCHES.proposal).uint(target.epoch).uint(target.view).bytes(target.proposalId);
    case "block":
      return w.array(2).uint(FETCHES.block).bytes(target.hash);
    case "finalBlocks":
      return w.array(2).uint(FETCHES.finalBlocks).uint(target.fromHeight);
  }
}

function readTarget(r: CborReader): FetchTarget | undefined {
  const fields = r.array(4);
  const tag = r.uint(FETCHES.finalBlocks);
  if (fields === 4 && tag === FETCHES.certificates) return { kind: "certificates", epoch: r.uint(), fromView: r.uint(), toView: r.uint() };
  if (fields === 4 && tag === FETCHES.proposal) return { kind: "proposal", epoch: r.uint(), view: r.uint(), proposalId: r.bytes(32) };
  if (fields === 2 && tag === FETCHES.block) return { kind: "block", hash: r.bytes(32) };
  if (fields === 2 && tag === FETCHES.finalBlocks) return { kind: "finalBlocks", fromHeight: r.uint() };
  return undefined;
}

function readBlock(r: CborReader): Block | undefined {
  const block = decodeBlock(r.bytes(1, LIMITS.blockBytesMax));
  if (block.ok) return block.value;
  r.reject();
  return undefined;
}

function writeCertificates(w: CborWriter, certificates: readonly Certificate[]): CborWriter {
  w.array(certificates.length);
  for (const certificate of certificates) w.raw(encodeCertificate(certificate));
  return w;
}

function readCertificates(r: CborReader, max: number): Certificate[] {
  return readMany(r, max, () => readCertificate(r));
}

function writeVotes(w: CborWriter, votes: readonly Vote[]): CborWriter {
  w.array(votes.length);
  for (const vote of votes) w.raw(encodeVote(vote));
  return w;
}

function readVotes(r: CborReader, max: number): Vote[] {
  return readMany(r, max, () => readVote(r));
}

function readMany<T>(r: CborReader, max: number, take: () => T): T[] {
  const items: T[] = [];
  for (let left = r.array(max); left > 0 && !r.isBroken; left--) items.push(take());
  return items;
}
