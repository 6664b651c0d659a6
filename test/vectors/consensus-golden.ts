/** One of every message between validators, journal record and piece of evidence, and how it is encoded, in hexadecimal. */
import { encodeMessage, type Message } from "../../src/consensus/index.ts";
import { inclusionPath, leafHash, localSigner, sha256 } from "../../src/crypto/index.ts";
import { toHex, utf8 } from "../../src/kernel/index.ts";
import {
  type Block,
  type Certificate,
  encodeEvidence,
  makeBatch,
  makeVoteEvidence,
  type Proposal,
  proposalIdOf,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import { encodeRecord, type StoredRecord } from "../../src/validator/index.ts";

const CHAIN_ID = sha256(utf8("golden chain"));
const signer = localSigner(sha256(utf8("golden validator")));
const hash = (name: string): Uint8Array => sha256(utf8(`golden ${name}`));
const proposal: Proposal = { epoch: 3, view: 300, parentView: 298, blockHash: hash("block") };

function vote(kind: VoteKind, proposalId?: Uint8Array): Vote {
  const base = { kind, epoch: 3, view: 300 };
  const statement = proposalId ? { ...base, proposalId } : base;
  return { ...statement, signer: 2, signature: signer.sign(voteSignBytes(CHAIN_ID, statement)) };
}

const notarize = vote(VOTE_KIND.notarize, proposalIdOf(proposal));
const nullify = vote(VOTE_KIND.nullify);
const finalize = vote(VOTE_KIND.finalize, proposalIdOf(proposal));
const base = { epoch: 3, view: 300, bitmap: Uint8Array.of(0x04), signatures: [finalize.signature] };
const finalization: Certificate = { kind: VOTE_KIND.finalize, ...base, proposal };
const nullification: Certificate = { kind: VOTE_KIND.nullify, ...base, signatures: [nullify.signature] };
const block: Block = {
  header: {
    version: 1,
    chainId: CHAIN_ID,
    height: 70_000,
    epoch: 3,
    view: 300,
    parentHash: hash("parent"),
    leader: 2,
    timeMs: 1_770_000_000_000,
    batchRoot: hash("batches"),
    stateRoot: hash("state"),
    receiptRoot: hash("receipts"),
    validatorSetHash: hash("set"),
    parentBitmap: finalization.bitmap,
  },
  batchDigests: [hash("batch")],
  parentCertificate: finalization,
  evidence: [],
};

const messages: Readonly<Record<string, Message>> = {
  vote: { kind: "vote", vote: nullify },
  "proposal, signed": { kind: "proposal", proposal, block, nullifications: [nullification], leaderVote: notarize },
  "proposal, early": { kind: "proposal", proposal, block, nullifications: [] },
  certificates: { kind: "certificates", certificates: [finalization, nullification] },
  "fetch certificates": { kind: "fetch", target: { kind: "certificates", epoch: 3, fromView: 7, toView: 299 } },
  "fetch proposal": { kind: "fetch", target: { kind: "proposal", epoch: 3, view: 300, proposalId: proposalIdOf(proposal) } },
  "fetch block": { kind: "fetch", target: { kind: "block", hash: proposal.blockHash } },
  "fetch final blocks": { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 69_000 } },
  block: { kind: "block", block },
  "final blocks": { kind: "finalBlocks", blocks: [block], finalization },
  hello: { kind: "hello", token: 4_000_000_000, height: 70_000, epoch: 3, floorView: 299, votes: [finalize] },
  "hello answer": { kind: "helloAnswer", token: 4_000_000_000, votesOfYours: [nullify] },
  "recovery request": { kind: "recoveryRequest", token: 5 },
  "recovery answer": { kind: "recoveryAnswer", token: 5, isRecovering: false, opening: finalization, highest: nullification },
  "recovery answer, empty": { kind: "recoveryAnswer", token: 5, isRecovering: true },
};

const records: Readonly<Record<string, StoredRecord>> = {
  identity: { kind: "identity", publicKey: signer.publicKey },
  notarize: { kind: "vote", statement: { kind: VOTE_KIND.notarize, epoch: 3, view: 300, proposalId: proposalIdOf(proposal) } },
  nullify: { kind: "vote", statement: { kind: VOTE_KIND.nullify, epoch: 3, view: 300 } },
  certificate: { kind: "certificate", certificate: finalization },
  proposal: { kind: "proposal", proposal, block },
  floor: { kind: "floor", round: { epoch: 3, view: 299 } },
  intact: { kind: "recovery", status: { kind: "intact" } },
  recovering: { kind: "recovery", status: { kind: "recovering" } },
  gated: { kind: "recovery", status: { kind: "gated", epoch: 3, firstView: 303 } },
};

/** Everything that the formats of consensus, journal and evidence decide. */
export function goldenConsensus(): Record<string, unknown> {
  const transactions = [utf8("no transaction"), utf8("nor is this")];
  const batch = makeBatch(signer, CHAIN_ID, 9, transactions);
  const path = inclusionPath(transactions.map(leafHash), 1);
  const faulty = {
    kind: "batch",
    epoch: 3,
    header: batch.header,
    signature: batch.signature,
    index: 1,
    transaction: utf8("nor is this"),
    path,
  } as const;
  return {
    messages: Object.fromEntries(Object.entries(messages).map(([name, message]) => [name, toHex(encodeMessage(message))])),
    journal: Object.fromEntries(Object.entries(records).map(([name, record]) => [name, toHex(encodeRecord(record))])),
    evidence: { votes: toHex(encodeEvidence(makeVoteEvidence(nullify, finalize))), batch: toHex(encodeEvidence(faulty)) },
  };
}
