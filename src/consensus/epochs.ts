import { assert } from "../kernel/index.ts";
import type { EpochOpening } from "./block-port.ts";
import { isGreetedByQuorum } from "./greeting.ts";
import { replayRecords } from "./replay.ts";
import { type CoreState, type EpochState, newEpochState, note } from "./state.ts";

/**
 * R12: the boundary block is final and committed, so the next epoch starts at view 1 on it. The epoch before stays for
 * evidence; its voters that did not see the finalization are answered with it (R9b). Silence of leaders is carried over
 * by key. A box that has not voted yet in this life, as one that catches up, is greeted by the set it will vote in (R15).
 */
export function openEpoch(core: CoreState, opening: EpochOpening): void {
  const before = core.epoch;
  assert(opening.epoch === before.epoch + 1, "epochs follow one another");
  assert(opening.finalization?.epoch === before.epoch, "an epoch is opened by a finalization in the one before");
  const after = newEpochState(core.config, opening);
  after.attendance.certifiedViews = before.attendance.certifiedViews;
  for (const [signer, peer] of after.peerOf.entries()) {
    const index = before.signerOf.get(peer);
    after.attendance.lastHeard[signer] =
      (index === undefined ? undefined : before.attendance.lastHeard[index]) ?? before.attendance.certifiedViews;
  }
  core.previous = before;
  core.epoch = after;
  core.targets = [];
  core.fetches.clear();
  if (!hasVoted(before)) core.isGreeted = isGreetedByQuorum(core);
  replayRecords(core, core.laterRecords);
  note(core, { kind: "entered", epoch: after.epoch, view: 1 });
}

function hasVoted(epoch: EpochState): boolean {
  for (const view of epoch.views.values()) if (view.ownSigned.length > 0) return true;
  return false;
}
