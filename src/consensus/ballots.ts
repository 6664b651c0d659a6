import { assert, parseHex, present, toHex } from "../kernel/index.ts";
import { type Block, type Certificate, VOTE_KIND, type VoteStatement } from "../protocol/index.ts";
import { BOUNDS } from "./bounds.ts";
import { jittered } from "./draws.ts";
import { recoveryAllows } from "./recovery-gate.ts";
import { compareRounds } from "./rounds.ts";
import { type CoreState, certificateKey, emit, type ProposalEntry, type ViewState } from "./state.ts";

/**
 * Whether we may vote in a view at all: a member of the set, greeted (R15), the journal in order (J7, R14), above the
 * floor, and not lagging (R13).
 */
export function mayVote(core: CoreState, view: number): boolean {
  const { epoch } = core;
  if (core.isHalted || core.isMute || epoch.self === undefined || !core.isGreeted) return false;
  const round = { epoch: epoch.epoch, view };
  if (view <= epoch.floor || compareRounds(round, core.voteFloor) <= 0) return false;
  return recoveryAllows(core.recoveryStatus, round) && !isLagging(core);
}

/**
 * Whether more than 8 final blocks are known and not committed here. A height counts only with the finalization that
 * makes it final.
 *
 * @see consensus R13
 */
export function isLagging(core: CoreState): boolean {
  for (const target of core.targets) {
    const hash = target.proposal?.blockHash;
    const held = hash && core.blocks.get(toHex(hash));
    if (held && held.block.header.height > core.tip.height + BOUNDS.lagBlocksMax) return true;
  }
  return false;
}

/**
 * Casts NOTARIZE for a proposal that R2 or R3 allow. The block's payload and the certificate that let us enter the view
 * are in the journal no later (J2); the vote is signed, counted and sent once it is durable (J1).
 */
export function castNotarize(core: CoreState, view: ViewState, entry: ProposalEntry): void {
  assert(view.own.notarize === undefined && view.own.nullify === undefined, "no own NOTARIZE after a NOTARIZE or NULLIFY in the view");
  assert(view.view === core.epoch.current, "NOTARIZE is for the current view");
  view.own.notarize = entry.id;
  journalEntry(core);
  const held = core.blocks.get(entry.blockKey);
  assert(held?.status === "valid", "a block is local, durable and valid before our NOTARIZE");
  journalProposal(core, entry, held.block);
  castVote(core, { kind: VOTE_KIND.notarize, epoch: core.epoch.epoch, view: view.view, proposalId: idBytes(entry.id) });
}

/** Casts NULLIFY for the current view (R5) and starts its retry timer. */
export function castNullify(core: CoreState, view: ViewState): void {
  assert(view.view === core.epoch.current, "NULLIFY is for the current view");
  assert(view.own.nullify === undefined && view.own.finalize === undefined, "no NULLIFY after NULLIFY or FINALIZE in the view");
  view.own.nullify = true;
  view.retryAtMs = core.nowMs + jittered(core, core.config.timers.nullifyRetryMs);
  journalEntry(core);
  castVote(core, { kind: VOTE_KIND.nullify, epoch: core.epoch.epoch, view: view.view });
}

/** Casts FINALIZE for a notarized proposal (R7); its notarization is in the journal no later. */
export function castFinalize(core: CoreState, view: ViewState, id: string): void {
  assert(view.own.nullify === undefined && view.own.finalize === undefined, "no FINALIZE after NULLIFY or FINALIZE in the view");
  assert(view.own.notarize === undefined || view.own.notarize === id, "FINALIZE agrees with our NOTARIZE");
  assert(!view.isEquivocated && view.notarization !== undefined, "FINALIZE is for a notarized proposal without a rival");
  view.own.finalize = id;
  journalCertificate(core, view.notarization);
  castVote(core, { kind: VOTE_KIND.finalize, epoch: core.epoch.epoch, view: view.view, proposalId: idBytes(id) });
}

/** Puts a proposal with its block into the journal, once. */
export function journalProposal(core: CoreState, entry: ProposalEntry, block: Block): void {
  if (entry.isJournaled) return;
  entry.isJournaled = true;
  emit(core, { kind: "persist", record: { kind: "proposal", proposal: entry.proposal, block } });
}

function castVote(core: CoreState, statement: VoteStatement): void {
  assert(mayVote(core, statement.view) && core.epoch.self !== undefined, "a vote is cast only where R13, R14 and R15 allow");
  emit(core, { kind: "persist", record: { kind: "vote", statement } });
  emit(core, { kind: "sign", statement, signer: core.epoch.self });
}

/** J2: the certificate that let us enter the current view, once. */
function journalEntry(core: CoreState): void {
  const { entry } = core.epoch;
  if (entry) journalCertificate(core, entry);
}

function journalCertificate(core: CoreState, certificate: Certificate): void {
  const key = certificateKey(certificate);
  if (core.epoch.journaled.has(key)) return;
  core.epoch.journaled.add(key);
  emit(core, { kind: "persist", record: { kind: "certificate", certificate } });
}

function idBytes(id: string): Uint8Array {
  return present(parseHex(id), "an id is the hex of its bytes");
}
