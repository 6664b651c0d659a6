import { assert } from "../kernel/index.ts";
import type { EpochOpening } from "./block-port.ts";
import { replayRecords } from "./replay.ts";
import { type CoreState, newEpochState, note } from "./state.ts";

/**
 * R12: the boundary block is final and committed, so the next epoch starts at view 1 on it. The epoch before stays for
 * evidence; its voters that did not see the finalization are answered with it (R9b). Silence of leaders is carried over
 * by key.
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
  replayRecords(core, core.laterRecords);
  note(core, { kind: "entered", epoch: after.epoch, view: 1 });
}
