import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import { type Block, type Proposal, VOTE_KIND } from "../protocol/index.ts";
import type { BlockVerdict } from "./block-port.ts";
import { BOUNDS } from "./bounds.ts";
import { type BlockEntry, type BlockStatus, type CoreState, emit, note, type ProposalEntry, type ViewState } from "./state.ts";
import { want } from "./wants.ts";

/** What a child needs to know of its parent. */
export type ParentFacts = {
  readonly hash: Uint8Array;
  readonly key: string;
  readonly height: number;
  readonly timeMs: number;
  /** Whether it is the boundary block of the current epoch, which only it itself may follow (R12). */
  readonly isBoundary: boolean;
};

/** Holds a block until it is judged; the caller has matched it with its hash. */
export function keepBlock(core: CoreState, hash: Uint8Array, block: Block, status: BlockStatus = "held"): BlockEntry {
  const key = toHex(hash);
  const known = core.blocks.get(key);
  if (known) return known;
  const entry: BlockEntry = { block, hash, status, lacking: [] };
  core.blocks.set(key, entry);
  return entry;
}

/**
 * Keeps a proposal of a view with its block, and remembers when that of the current view came (minimum interval, R2): one
 * for a later view, which its leader may send at any time, must not hold up the present one.
 */
export function keepProposal(
  core: CoreState,
  view: ViewState,
  id: string,
  proposal: Proposal,
  block: Block,
  status?: BlockStatus,
): ProposalEntry {
  keepBlock(core, proposal.blockHash, block, status);
  const entry: ProposalEntry = { id, proposal, blockKey: toHex(proposal.blockHash), isJournaled: false };
  view.proposals.set(id, entry);
  if (view.view === core.epoch.current) core.lastProposalAtMs = core.nowMs;
  return entry;
}

/** The facts of a block that is held or is the tip. */
export function findParentFacts(core: CoreState, hash: Uint8Array): ParentFacts | undefined {
  const key = toHex(hash);
  if (bytesEqual(hash, core.tip.hash)) return { hash, key, height: core.tip.height, timeMs: core.tip.timeMs, isBoundary: false };
  const header = core.blocks.get(key)?.block.header;
  if (!header) return undefined;
  return { hash, key, height: header.height, timeMs: header.timeMs, isBoundary: isBoundary(core, header) };
}

/** Whether a header closes the current epoch (R12). */
function isBoundary(core: CoreState, header: Block["header"]): boolean {
  return header.epoch === core.epoch.epoch && header.nextValidatorSetHash !== undefined;
}

/**
 * Where a block stands that a quorum or the proven leader vouches for, asking for what is needed to judge it: itself,
 * its ancestors down to the tip, its batches. Valid means: it and all its ancestors down to the tip are local and valid,
 * which is the ancestry that R3 and R7 ask for.
 */
export function judgeBlock(core: CoreState, hash: Uint8Array): BlockStatus | "missing" | "orphan" {
  const chain: BlockEntry[] = [];
  let at = hash;
  while (!bytesEqual(at, core.tip.hash)) {
    const entry = core.blocks.get(toHex(at));
    if (!entry) {
      want(core, { kind: "block", hash: at });
      return "missing";
    }
    if (entry.block.header.height <= core.tip.height) return "orphan";
    chain.push(entry);
    at = entry.block.header.parentHash;
  }
  for (let i = chain.length - 1; i >= 0; i--) {
    const entry = chain[i] as BlockEntry;
    if (entry.status === "held") askCheck(core, entry);
    if (entry.lacking.length > 0) want(core, { kind: "batches", blockHash: entry.hash });
    if (entry.status !== "valid") return i === 0 || entry.status === "invalid" ? entry.status : "held";
  }
  return "valid";
}

/** Takes the block port's verdict. */
export function onChecked(core: CoreState, hash: Uint8Array, verdict: BlockVerdict): void {
  const entry = core.blocks.get(toHex(hash));
  if (entry?.status !== "checking") return;
  if (verdict.kind === "missingBatches" || verdict.kind === "noRoom") {
    entry.status = "lacking";
    entry.lacking = verdict.kind === "noRoom" ? [] : verdict.digests;
  } else if (verdict.kind === "missingParent") {
    entry.status = "held";
    const parent = core.blocks.get(toHex(verdict.hash));
    assert(parent !== undefined, "the block port holds every block that it found valid and that still descends from the tip");
    parent.status = "held";
    entry.lacking = [];
  } else {
    entry.status = verdict.kind;
    entry.lacking = [];
    const { epoch, view } = entry.block.header;
    if (verdict.kind === "invalid") note(core, { kind: "blockInvalid", epoch, view, code: verdict.code });
  }
}

/**
 * Batches arrived or a commit made room: blocks that lacked either are judged again. What they lacked is asked for until
 * the new verdict: batches of other blocks arrive all the time, and each would put the question off.
 */
export function retryLacking(core: CoreState): void {
  for (const entry of core.blocks.values()) if (entry.status === "lacking") entry.status = "held";
}

/** After a commit: forgets blocks that nothing above the floor refers to, and tells the block port of those it holds. */
export function dropStaleBlocks(core: CoreState): void {
  const wanted = new Set<string>();
  const mark = (hash: Uint8Array | undefined): void => {
    for (let at = hash; at; ) {
      const key = toHex(at);
      const entry = core.blocks.get(key);
      if (!entry || wanted.has(key) || entry.block.header.height <= core.tip.height) return;
      wanted.add(key);
      at = entry.block.header.parentHash;
    }
  };
  for (const target of core.targets) mark(target.proposal?.blockHash);
  for (const [number, view] of core.epoch.views) {
    if (number <= core.epoch.floor) continue;
    mark(view.notarization?.proposal?.blockHash);
    for (const entry of view.proposals.values()) mark(entry.proposal.blockHash);
  }
  for (const [key, entry] of core.blocks) {
    if (wanted.has(key)) continue;
    core.blocks.delete(key);
    if (entry.status === "valid" && entry.block.header.height > core.tip.height) emit(core, { kind: "discard", hash: entry.hash });
  }
}

/** Keeps the pool within its bound while commits wait for something: what lies furthest above the tip goes first. */
export function boundBlocks(core: CoreState): void {
  if (core.blocks.size <= BOUNDS.blocksMax) return;
  dropStaleBlocks(core);
  const furthest = [...core.blocks].sort(([, a], [, b]) => b.block.header.height - a.block.header.height);
  for (const [key, entry] of furthest.slice(0, Math.max(0, core.blocks.size - BOUNDS.blocksMax / 2))) {
    if (entry.status === "checking") continue;
    core.blocks.delete(key);
    if (entry.status === "valid") emit(core, { kind: "discard", hash: entry.hash });
  }
}

/** The proposal that this view's leader signed, when its payload is here (R3). */
export function findLeaderProposal(view: ViewState): ProposalEntry | undefined {
  return view.leaderChoice === undefined ? undefined : view.proposals.get(view.leaderChoice);
}

/** Asks for the payload that the leader's NOTARIZE names when it has not come (R9d). */
export function wantLeaderProposal(core: CoreState, view: ViewState, leader: number): void {
  const vote = view.votes.get(leader)?.notarize;
  if (!vote?.proposalId || vote.kind !== VOTE_KIND.notarize) return;
  const target = { kind: "proposal", epoch: core.epoch.epoch, view: view.view, proposalId: vote.proposalId } as const;
  want(core, target, core.epoch.peerOf[leader]);
}

function askCheck(core: CoreState, entry: BlockEntry): void {
  entry.status = "checking";
  emit(core, { kind: "check", hash: entry.hash, block: entry.block });
}
