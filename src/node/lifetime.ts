import { event } from "../events/index.ts";
import type { Contexts } from "./contexts.ts";
import { carrySigningMark } from "./event-tellers.ts";
import { closeFiles, type NodeFiles } from "./files.ts";
import { VERSION } from "./version.ts";

/** Sets opened contexts going: from here on the node votes, and its event log says that it runs. */
export function runContexts({ blocks, state, dissemination, loop, settlements, events, pruning }: Contexts): void {
  blocks.subscribe((outcome) => {
    settlements.onBlock(outcome);
    dissemination.onEpoch();
    // Only at the last block of a commit, which has its own finalization: a snapshot can be made of it.
    if (outcome.height === blocks.queries.tipHeight) state.checkpointIfDue();
  });
  dissemination.start();
  pruning.start();
  loop.start();
  carrySigningMark(events, loop.status().floor);
  events.appendOps(event("service.started", { service: "node", version: VERSION.version, height: blocks.queries.tipHeight }));
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
