import type { Round } from "../consensus/index.ts";
import { type EventLog, event } from "../events/index.ts";
import { isStorageError } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import { carrySigningMark } from "./event-tellers.ts";
import { closeFiles, type NodeFiles } from "./files.ts";
import { VERSION } from "./version.ts";

/** By header time: while the chain moves, whoever keeps this node's events knows so often how far it has signed (DR-9). */
const MARK_EVERY_MS = 600_000;

/** Sets opened contexts going: from here on the node votes, and its event log says that it runs. */
export function runContexts({ blocks, state, dissemination, loop, settlements, events, pruning }: Contexts): void {
  let markedMs = blocks.tip().timeMs;
  blocks.subscribe((outcome) => {
    settlements.onBlock(outcome);
    dissemination.onEpoch();
    // Only at the last block of a commit, which has its own finalization: a snapshot can be made of it.
    if (outcome.height !== blocks.queries.tipHeight) return;
    state.checkpointIfDue();
    if (outcome.timeMs - markedMs < MARK_EVERY_MS) return;
    markedMs = outcome.timeMs;
    markUnlessFull(events, loop.status().floor);
  });
  dissemination.start();
  pruning.start();
  loop.start();
  carrySigningMark(events, loop.status().floor);
  events.appendOps(event("service.started", { service: "node", version: VERSION.version, height: blocks.queries.tipHeight }));
}

/** On a full disk the mark waits for the next time: agreement needs what room there is. */
function markUnlessFull(events: EventLog, floor: Round): void {
  try {
    carrySigningMark(events, floor);
  } catch (error) {
    if (!isStorageError(error) || error.code !== "diskFull") throw error;
  }
}

/** The event log's last word of a node that is asked to stop. */
export function tellStop({ loop, events }: Contexts): void {
  carrySigningMark(events, loop.status().floor);
  events.appendOps(event("service.stopped", { service: "node", reason: "asked to" }));
}

/** Everything admitted is written, the state too, and each file is closed in good order. */
export async function closeContexts(contexts: Contexts, files: NodeFiles): Promise<void> {
  const { mempool, dissemination, loop, state, index, events, pruning } = contexts;
  pruning.stop();
  await mempool.stop();
  dissemination.stop();
  loop.stop();
  await state.checkpoint();
  await index.settle();
  index.close();
  events.close();
  closeFiles(files);
}
