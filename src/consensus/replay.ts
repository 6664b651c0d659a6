import { toHex } from "../kernel/index.ts";
import { type Certificate, type Proposal, proposalIdOf, VOTE_KIND, type VoteStatement } from "../protocol/index.ts";
import { keepProposal } from "./block-pool.ts";
import { holdCertificate } from "./certificates.ts";
import type { JournalRecord } from "./ports.ts";
import { recoveryAllows } from "./recovery-gate.ts";
import { type CoreState, certificateKey, emit, viewOf } from "./state.ts";
import { idOf } from "./votes.ts";

/**
 * Takes the journal's records of the current epoch back in: own votes first, so that certificates that hold them show
 * nothing unknown, then proposals, then certificates. Records of later epochs wait for the chain to get there. The own
 * votes above the floor are signed again, which counts and re-sends them (J6).
 */
export function replayRecords(core: CoreState, records: readonly JournalRecord[]): void {
  const { epoch } = core;
  const here = records.filter((record) => epochOf(record) === epoch.epoch);
  core.laterRecords = records.filter((record) => epochOf(record) > epoch.epoch);
  const votes = here.flatMap((record) => (record.kind === "vote" ? [record.statement] : [])).filter((vote) => vote.view > epoch.floor);
  for (const vote of votes) restoreOwn(core, vote);
  for (const record of here) if (record.kind === "proposal" && record.proposal.view > epoch.floor) restoreProposal(core, record);
  const certificates = here.flatMap((record) => (record.kind === "certificate" ? [record.certificate] : []));
  for (const certificate of certificates.sort((a, b) => a.view - b.view)) restoreCertificate(core, certificate);
  const floorView = core.voteFloor.epoch === epoch.epoch ? core.voteFloor.view : 0;
  epoch.current = Math.max(epoch.current, (epoch.best?.view ?? 0) + 1, floorView + 1, ...votes.map((vote) => vote.view));
  if (epoch.best?.view === epoch.current - 1) epoch.entry = epoch.best;
  const { self } = epoch;
  if (self === undefined) return;
  for (const statement of votes) {
    const isLive = statement.view > epoch.floor && recoveryAllows(core.recoveryStatus, statement);
    if (isLive) emit(core, { kind: "sign", statement, signer: self });
  }
}

function restoreOwn(core: CoreState, vote: VoteStatement): void {
  const { own } = viewOf(core.epoch, vote.view);
  if (vote.kind === VOTE_KIND.nullify) own.nullify = true;
  else if (vote.kind === VOTE_KIND.notarize) own.notarize = idOf(vote);
  else own.finalize = idOf(vote);
}

function restoreProposal(core: CoreState, record: Extract<JournalRecord, { kind: "proposal" }>): void {
  const { proposal, block } = record;
  keepProposal(core, viewOf(core.epoch, proposal.view), idOfProposal(proposal), proposal, block).isJournaled = true;
}

/** The journal's own hashes vouch for it: every certificate in it was verified before it was written. */
function restoreCertificate(core: CoreState, certificate: Certificate): void {
  core.epoch.journaled.add(certificateKey(certificate));
  if (certificate.view > core.epoch.floor) holdCertificate(core, certificate);
}

function idOfProposal(proposal: Proposal): string {
  return toHex(proposalIdOf(proposal));
}

function epochOf(record: JournalRecord): number {
  switch (record.kind) {
    case "vote":
      return record.statement.epoch;
    case "certificate":
      return record.certificate.epoch;
    case "proposal":
      return record.proposal.epoch;
    case "floor":
    case "recovery":
      return -1;
  }
}
