import { assert, bytesEqual, concatBytes, present, toHex } from "../kernel/index.ts";
import {
  type Certificate,
  checkCertificate,
  isConflict,
  makeBitmap,
  type Proposal,
  parseBitmap,
  proposalIdOf,
  statementOf,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  type VoteStatement,
} from "../protocol/index.ts";
import { BOUNDS } from "./bounds.ts";
import { unitDraw } from "./draws.ts";
import { type CoreState, type EpochState, note, type ViewState, viewOf } from "./state.ts";
import { findVote, idOf, recordVote } from "./votes.ts";

/** What became of a certificate that someone showed. */
export type CertificateOutcome = "held" | "known" | "ahead" | "refused";

const NAMES = { 1: "notarization", 2: "nullification", 3: "finalization" } as const;

/** The held certificate of a kind in a view. */
function findCertificate(view: ViewState | undefined, kind: VoteKind): Certificate | undefined {
  return view?.[NAMES[kind]];
}

/**
 * Takes a certificate that someone showed, for any view above the floor (R0). One whose statement is held already costs
 * no signature check; one that contradicts a held one convicts its signers.
 */
export function acceptCertificate(core: CoreState, certificate: Certificate): CertificateOutcome {
  const { epoch } = core;
  if (certificate.epoch > epoch.epoch) return "ahead";
  if (certificate.epoch < epoch.epoch || certificate.view <= epoch.floor) return judgePast(core, certificate);
  const held = findCertificate(epoch.views.get(certificate.view), certificate.kind);
  if (held && isSameStatement(held, certificate)) return "known";
  if (!isSound(core, epoch, certificate)) return "refused";
  if (held) recordSigners(core, epoch, certificate);
  else holdCertificate(core, certificate);
  return held ? "known" : "held";
}

/**
 * A certificate of what is decided is no news, unless votes that are kept say otherwise: then it is checked, and its
 * signers convict themselves. A fork shows itself so, also after the fact.
 *
 * @see consensus R11
 */
function judgePast(core: CoreState, certificate: Certificate): CertificateOutcome {
  const past = [core.epoch, core.previous].find((epoch) => epoch?.epoch === certificate.epoch);
  if (!past || !hasContradiction(past, certificate)) return "known";
  if (!isSound(core, past, certificate)) return "refused";
  recordSigners(core, past, certificate);
  return "known";
}

function hasContradiction(epoch: EpochState, certificate: Certificate): boolean {
  const view = epoch.views.get(certificate.view);
  const signers = view && parseBitmap(certificate.bitmap, epoch.set.validators.length);
  if (!signers) return false;
  const statement = statementOf(certificate);
  return signers.some((signer) => {
    const held = view.votes.get(signer);
    if (!held || held.isContradicted) return false;
    const votes = [held.notarize, held.nullify, held.finalize].filter((vote) => vote !== undefined);
    return votes.some((vote) => isConflict(vote, { ...statement, signer, signature: vote.signature }));
  });
}

/** Whether a certificate of this epoch verifies; signatures that are in the vote table are not checked again. */
export function isSound(core: CoreState, epoch: EpochState, certificate: Certificate): boolean {
  const { chainId, suite } = core.config;
  const known = knownSignatures(epoch, certificate);
  return checkCertificate(
    certificate,
    epoch.set,
    epoch.epoch,
    chainId,
    (key, message, signature) => known.has(toHex(concatBytes(key, signature))) || suite.verify(key, message, signature),
  ).ok;
}

/**
 * Holds a sound certificate of the current epoch: its votes enter the table, R1, R6 and R8 see it, and it waits to be
 * forwarded (R9a).
 */
export function holdCertificate(core: CoreState, certificate: Certificate): void {
  const { epoch } = core;
  assert(certificate.epoch === epoch.epoch && certificate.view > epoch.floor, "a held certificate lies above the floor");
  const view = viewOf(epoch, certificate.view);
  const isFirst = !view.notarization && !view.nullification && !view.finalization;
  view[NAMES[certificate.kind]] = certificate;
  if (isFirst) epoch.attendance.certifiedViews++;
  recordSigners(core, epoch, certificate);
  if (!epoch.best || certificate.view > epoch.best.view) epoch.best = certificate;
  if (certificate.kind === VOTE_KIND.notarize) {
    view.notarizedAtMs = core.nowMs;
    epoch.notarized.add(view.view);
  } else if (certificate.kind === VOTE_KIND.nullify) epoch.nullifiedViews++;
  else raiseFloor(core, certificate);
  note(core, { kind: "certified", epoch: epoch.epoch, view: view.view, by: NAMES[certificate.kind] });
  if (epoch.set.validators.length > 1) scheduleForward(core, certificate);
}

/**
 * Makes the certificate of a statement when the table's votes allow it (R4, R6, R8). The first proposal at weight Q wins;
 * quorum intersection says that there is no second while no more than F are faulty. Votes for a proposal that nobody
 * showed yet wait for it, since a certificate carries it.
 */
export function formCertificate(core: CoreState, statement: VoteStatement): void {
  const { epoch } = core;
  if (statement.epoch !== epoch.epoch || statement.view <= epoch.floor) return;
  const view = viewOf(epoch, statement.view);
  const id = idOf(statement);
  const tally = statement.kind === VOTE_KIND.notarize ? view.notarizeWeight : view.finalizeWeight;
  const weight = statement.kind === VOTE_KIND.nullify ? view.nullifyWeight : (tally.get(id) ?? 0n);
  if (weight < epoch.set.quorumWeight || findCertificate(view, statement.kind)) return;
  const proposal = statement.proposalId ? findProposal(view, id) : undefined;
  if (statement.proposalId && !proposal) return;
  const votes = epoch.set.validators.map((_, signer) => findVote(view, { signer, kind: statement.kind }));
  const cast = votes.filter((vote) => vote !== undefined && idOf(vote) === id) as Vote[];
  const bitmap = makeBitmap(
    cast.map((vote) => vote.signer),
    votes.length,
  );
  const base = { kind: statement.kind, epoch: statement.epoch, view: statement.view };
  holdCertificate(core, { ...base, ...(proposal ? { proposal } : {}), bitmap, signatures: cast.map((vote) => vote.signature) });
}

/** The proposal of this id, as far as a payload or certificate of the view shows it. */
function findProposal(view: ViewState, id: string): Proposal | undefined {
  const entry = view.proposals.get(id);
  if (entry) return entry.proposal;
  for (const certificate of [view.notarization, view.finalization]) {
    if (certificate?.proposal && toHex(proposalIdOf(certificate.proposal)) === id) return certificate.proposal;
  }
  return undefined;
}

/** Whether two certificates say the same, whoever signed them. */
function isSameStatement(a: Certificate, b: Certificate): boolean {
  if (a.kind !== b.kind || a.epoch !== b.epoch || a.view !== b.view) return false;
  if (!a.proposal || !b.proposal) return !a.proposal && !b.proposal;
  return bytesEqual(proposalIdOf(a.proposal), proposalIdOf(b.proposal));
}

function raiseFloor(core: CoreState, finalization: Certificate): void {
  const { epoch } = core;
  const before = epoch.floor;
  assert(finalization.view > before, "the floor never moves back");
  epoch.floor = finalization.view;
  addTarget(core, finalization);
  for (const view of viewsBetween(epoch, before, epoch.floor - 1)) stripView(epoch, view);
  const gone = BOUNDS.viewsBelowFloor + 1;
  for (const { view } of viewsBetween(epoch, before - gone, epoch.floor - gone)) epoch.views.delete(view);
  epoch.nullifiedViews = 0;
  for (const view of viewsBetween(epoch, epoch.floor + 1, epoch.best?.view ?? 0)) if (view.nullification) epoch.nullifiedViews++;
  epoch.notarized.delete(epoch.floor);
}

/** Remembers a finalization whose blocks are to be committed (R8). While they cannot be, old ones between make room. */
export function addTarget(core: CoreState, finalization: Certificate): void {
  core.targets.push(finalization);
  core.targets.sort((a, b) => a.view - b.view);
  if (core.targets.length > BOUNDS.targetsMax) core.targets.splice(1, 1);
}

/** Views from first to last that are kept; looks at each number or at each view, whichever are fewer. */
function viewsBetween(epoch: EpochState, first: number, last: number): ViewState[] {
  if (last - first > epoch.views.size) return [...epoch.views.values()].filter(({ view }) => view >= first && view <= last);
  const found: ViewState[] = [];
  for (let number = first; number <= last; number++) {
    const view = epoch.views.get(number);
    if (view) found.push(view);
  }
  return found;
}

/** Below the floor only votes stay, for evidence. */
function stripView(epoch: EpochState, view: ViewState): void {
  view.notarization = undefined;
  view.nullification = undefined;
  view.finalization = undefined;
  view.proposals.clear();
  epoch.notarized.delete(view.view);
  for (const kind of [1, 2, 3]) epoch.journaled.delete(`${kind}:${view.view}`);
}

function recordSigners(core: CoreState, epoch: EpochState, certificate: Certificate): void {
  const statement = statementOf(certificate);
  const signers = present(parseBitmap(certificate.bitmap, epoch.set.validators.length), "a sound certificate has a fitting bitmap");
  for (const [position, signer] of signers.entries()) {
    const signature = present(certificate.signatures[position], "a sound certificate has a signature for each signer");
    recordVote(core, epoch, { ...statement, signer, signature });
  }
}

function knownSignatures(epoch: EpochState, certificate: Certificate): Set<string> {
  const known = new Set<string>();
  const view = epoch.views.get(certificate.view);
  const id = certificate.proposal ? toHex(proposalIdOf(certificate.proposal)) : "";
  for (const signer of view?.votes.keys() ?? []) {
    const vote = findVote(view, { signer, kind: certificate.kind });
    const key = epoch.set.validators[signer]?.publicKey;
    if (vote && key && idOf(vote) === id) known.add(toHex(concatBytes(key, vote.signature)));
  }
  return known;
}

function scheduleForward(core: CoreState, certificate: Certificate): void {
  if (core.forwards.length >= BOUNDS.forwardsMax) core.forwards.shift();
  const delayMs = core.config.timers.forwardDelayMs * (1 + 0.5 * unitDraw(core));
  core.forwards.push({ certificate, dueAtMs: core.nowMs + delayMs });
}
