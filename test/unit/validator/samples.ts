import type { JournalRecord } from "../../../src/consensus/index.ts";
import { localSigner, sha256 } from "../../../src/crypto/index.ts";
import { Prng, utf8 } from "../../../src/kernel/index.ts";
import { type Block, type Certificate, type Proposal, VOTE_KIND, type VoteStatement } from "../../../src/protocol/index.ts";
import { type MemoryDiskOptions, MemoryFileSystem } from "../../../src/storage/index.ts";
import { type ConsensusJournal, createJournal, type JournalFiles, openJournal } from "../../../src/validator/index.ts";

/** A real key. */
export const KEY = localSigner(sha256(utf8("a validator's seed")));
/** Some chain. */
export const CHAIN_ID = sha256(utf8("some chain"));
/** Where the journals of these tests lie. */
export const DIRECTORY = "/home/journal";

/** 32 bytes named by a word. */
export function id(name: string): Uint8Array {
  return sha256(utf8(name));
}

/** NOTARIZE. */
export function notarize(view: number, name = `block ${view}`, epoch = 0): VoteStatement {
  return { kind: VOTE_KIND.notarize, epoch, view, proposalId: id(name) };
}

/** NULLIFY. */
export function nullify(view: number, epoch = 0): VoteStatement {
  return { kind: VOTE_KIND.nullify, epoch, view };
}

/** FINALIZE. */
export function finalize(view: number, name = `block ${view}`, epoch = 0): VoteStatement {
  return { kind: VOTE_KIND.finalize, epoch, view, proposalId: id(name) };
}

/** The journal record of a vote. */
export function voteRecord(statement: VoteStatement): JournalRecord {
  return { kind: "vote", statement };
}

/** A proposal and its block, which no rule has judged. */
export function proposalRecord(view: number): Extract<JournalRecord, { kind: "proposal" }> {
  const proposal: Proposal = { epoch: 0, view, parentView: view - 1, blockHash: id(`block ${view}`) };
  const hash = id("anything");
  const header = { version: 1, chainId: CHAIN_ID, height: view, epoch: 0, view, parentHash: hash, leader: 0, timeMs: 5, batchRoot: hash };
  const block: Block = {
    header: { ...header, stateRoot: hash, receiptRoot: hash, validatorSetHash: hash, parentBitmap: Uint8Array.of(1) },
    batchDigests: [id("batch")],
    parentCertificate: certificate(VOTE_KIND.notarize, view, proposal),
    evidence: [],
  };
  return { kind: "proposal", proposal, block };
}

/** A certificate of one signer, not verified by anyone. */
export function certificate(kind: Certificate["kind"], view: number, proposal?: Proposal): Certificate {
  const base = { kind, epoch: 0, view, bitmap: Uint8Array.of(1), signatures: [new Uint8Array(64)] };
  return kind === VOTE_KIND.nullify
    ? base
    : { ...base, proposal: proposal ?? { epoch: 0, view, parentView: 0, blockHash: id(`block ${view}`) } };
}

/** A disk with a new journal on it. */
export function diskWithJournal(options: MemoryDiskOptions = {}): { readonly fs: MemoryFileSystem; readonly files: JournalFiles } {
  const fs = new MemoryFileSystem(options);
  fs.makeDirectory("/home");
  fs.syncDirectory("/");
  const files = filesOn(fs);
  createJournal(files, KEY.publicKey);
  return { fs, files };
}

/** Where the journal lies on a disk. */
export function filesOn(fs: MemoryFileSystem): JournalFiles {
  const prng = new Prng(9);
  return { fs, directory: DIRECTORY, entropy: { bytes: (count) => prng.bytes(count) } };
}

/** Opens it with blocking syncs. */
export function open(files: JournalFiles): ConsensusJournal {
  return openJournal(files, { publicKey: KEY.publicKey, isBlocking: true });
}

/** The votes of a replay, or why there are none. */
export function replayedVotes(journal: ConsensusJournal): VoteStatement[] | string {
  const replay = journal.replay();
  if (replay.kind === "lost") return replay.loss;
  return replay.records.flatMap((record) => (record.kind === "vote" ? [record.statement] : []));
}
