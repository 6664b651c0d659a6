import type { BlockObserver, BlockService } from "../blocks/index.ts";
import type { Notice, Round } from "../consensus/index.ts";
import { CheckpointTable, CritTable, decodePayload, EventLog, event, type LaneRecord, LaneTable } from "../events/index.ts";
import { bytesEqual, type Log } from "../kernel/index.ts";
import { type BlockHeader, blockHashOf, networkIdOf } from "../protocol/index.ts";
import type { Overlay } from "../state/index.ts";
import { StorageError } from "../storage/index.ts";
import type { NodeFiles } from "./files.ts";
import { HOME } from "./home.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";
import { findOutdated } from "./upgrade.ts";

/**
 * Opens the three lanes over their files. The vital lane begins with the genesis that the node runs on, so that another
 * chain's file is noticed.
 *
 * @throws StorageError `damaged` when node.db is another chain's
 */
export function openEvents(
  setup: NodeSetup,
  files: NodeFiles,
  blocks: BlockService<Overlay, LaneRecord>,
  platform: Pick<Platform, "clock" | "timers">,
  log: Log,
): EventLog {
  const events = openLanes(setup, files, blocks, platform, log);
  const digest = setup.genesis.hash;
  if (events.tip("crit").sequence === 0) events.appendCrit(event("configuration.changed", { version: 1, digest, actor: "genesis" }));
  const read = events.read("crit", { epoch: 1, sequence: 0 }, 1);
  const first = read.ok ? read.value[0] : undefined;
  const payload = first && decodePayload(first.type, first.payload);
  const found = payload?.ok ? payload.value["digest"] : undefined;
  if (!(found instanceof Uint8Array) || !bytesEqual(found, digest)) {
    throw new StorageError("damaged", files.node.path, "its first record names another genesis: it belongs to another chain");
  }
  return events;
}

function openLanes(
  setup: NodeSetup,
  files: NodeFiles,
  blocks: BlockService<Overlay, LaneRecord>,
  { clock, timers }: Pick<Platform, "clock" | "timers">,
  log: Log,
): EventLog {
  return new EventLog({
    crit: new CritTable(files.node),
    ops: new LaneTable(files.ops, "ops"),
    chain: blocks.laneReader,
    checkpoints: new CheckpointTable(files.node, log),
    identity: setup.identity,
    network: networkIdOf(setup.genesis.hash),
    node: setup.nodeId,
    clock,
    timers,
    log,
  });
}

/** Tells people and the event log what consensus tells. */
export function onNotice(notice: Notice, events: EventLog, log: Log): void {
  switch (notice.kind) {
    case "certified":
      if (notice.by === "notarization") return;
      events.appendOps(event("consensus.reached", { kind: notice.by, epoch: notice.epoch, view: notice.view }));
      return;
    case "recovering":
      log.error("consensus.recovering", { why: notice.why });
      events.appendCrit(recoveryAudit("refused", notice.why));
      return;
    case "blockInvalid":
      log.warn("consensus.blockInvalid", { epoch: notice.epoch, view: notice.view, code: notice.code });
      return;
    case "recovered":
      log.warn("consensus.recovered", { epoch: notice.epoch, firstView: notice.firstView });
      events.appendCrit(recoveryAudit("done", `it signs again from view ${notice.firstView} of epoch ${notice.epoch} on (R14)`));
      return;
    case "refused":
      log.warn("consensus.refused", { from: notice.from, code: notice.code });
      return;
    case "outdated":
      log.error("node.outdated", { detail: findOutdated(notice.version, notice.epoch) ?? "" });
      return;
    case "entered":
    case "evidence":
      log.debug(`consensus.${notice.kind}`);
  }
}

/** The same key's way back after a lost journal: that it does not sign, and from where on it does again (DR-7, DR-12). */
function recoveryAudit(outcome: "refused" | "done", detail: string) {
  return event("audit.recorded", { actor: "node", action: "recoverJournal", target: HOME.journal, outcome, detail });
}

/**
 * Tells the `ops` lane what this node does with blocks.
 *
 * @param countOf transactions of a batch that is held here
 */
export function blockObserver(events: () => EventLog | undefined, countOf: (digest: Uint8Array) => number): BlockObserver {
  const placeOf = ({ height, epoch, view }: BlockHeader) => ({ height, epoch, view });
  return {
    onBuilt({ header, batchDigests }, hash) {
      const transactions = batchDigests.reduce((sum, digest) => sum + countOf(digest), 0);
      events()?.appendOps(event("block.created", { ...placeOf(header), hash, transactions }));
    },
    onJudged: ({ header }, verdict) =>
      events()?.appendOps(event("block.validated", { ...placeOf(header), hash: blockHashOf(header), verdict })),
  };
}

/**
 * Carries the signing high-water mark from the journal into the vital lane, once for each floor, at a start, at a
 * stop and every ten minutes in between: whoever restores this box later must not vote at or below it.
 */
export function carrySigningMark(events: EventLog, { epoch, view }: Round): void {
  events.appendCritFrom("journal", epoch * MARK_EPOCH + view, event("signing.marked", { epoch, view }));
}

/** Views of one epoch stay below this, so that marks count upward across epochs. */
const MARK_EPOCH = 2 ** 32;
