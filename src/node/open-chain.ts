import { join } from "node:path";
import { type BatchSource, BlockService, BlockStore, HashIndex } from "../blocks/index.ts";
import { type EventLog, event, type LaneRecord, sealBaseRecords, sealBlockRecords, sealGenesisRecords } from "../events/index.ts";
import type { Log } from "../kernel/index.ts";
import type { Mempool } from "../mempool/index.ts";
import type { Overlay, State } from "../state/index.ts";
import { blockObserver } from "./event-tellers.ts";
import type { NodeFiles } from "./files.ts";
import { HOME } from "./home.ts";
import { findChainBase, genesisStateRootOf } from "./joining.ts";
import { type CacheDamage, openState } from "./open-state.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";

/** What every context of a node is opened with. */
export type OpeningParts = {
  readonly setup: NodeSetup;
  readonly files: NodeFiles;
  /** The one that the files were opened on. */
  readonly platform: Platform;
  readonly log: Log;
  /** Called once when a durable write failed or an invariant broke: the process must end. */
  readonly fail: (error: unknown) => void;
};

/** What holds the chain: its blocks, the state after them, and the index of what they hold. */
export type ChainContexts = {
  readonly state: State;
  readonly index: HashIndex;
  readonly blocks: BlockService<Overlay, LaneRecord>;
  /** Caches that were not what was written and are built again; more may be added while the index is read. */
  readonly damage: CacheDamage[];
};

/**
 * Opens state, index and blocks. The contexts above them are asked for when they are needed, since they are opened later.
 *
 * @param events the event log, undefined until it is open
 * @param mempool called from the recovery of the blocks on
 */
export function openChain(
  { setup, files, platform, log, fail }: OpeningParts,
  events: () => EventLog | undefined,
  mempool: () => Mempool,
): ChainContexts {
  const { genesis, validatorSet } = setup;
  const base = findChainBase(setup, files.chain, platform);
  const { state, damage } = openState(setup, files, platform, log, fail, base);
  const { baseHeight } = new BlockStore(files.chain);
  const index = openIndex(setup, platform, log, baseHeight, (file, detail) => {
    damage.push({ file, detail: `${detail}; it is a cache and is built again from the chain` });
    events()?.appendCrit(event("storage.damaged", { file, place: "index run", detail }));
  });
  const blocks = new BlockService({
    database: files.chain,
    genesis,
    validatorSet,
    state,
    batches: batchSource(mempool),
    index,
    lane: {
      sealGenesis: sealGenesisRecords,
      sealBlock: sealBlockRecords,
      onCommitted: (records) => events()?.onChainCommitted(records),
    },
    verifySignature: (key, message, signature) => platform.suite.verify(key, message, signature),
    log,
    base: base && { manifest: base, genesisStateRoot: genesisStateRootOf(genesis), seal: sealBaseRecords },
    observer: blockObserver(events, (digest) => mempool().find(digest)?.header.count ?? 0),
  });
  return { state, index, blocks, damage };
}

function openIndex(
  { home, genesis }: NodeSetup,
  platform: Platform,
  log: Log,
  lowestHeight: number,
  onDamage: (file: string, detail: string) => void,
): HashIndex {
  const parts = {
    fs: platform.fs,
    directory: join(home, HOME.index),
    chainId: genesis.hash,
    lowestHeight,
    log,
    onDamage: (error: { readonly path: string; readonly message: string }) => {
      log.error("storage.damaged", { file: error.path, detail: error.message });
      onDamage(error.path, error.message);
    },
  };
  return new HashIndex(parts, platform.indexTuning);
}

/** The mempool as blocks see it. */
function batchSource(mempool: () => Mempool): BatchSource {
  return {
    select: (limits, isExcluded) => mempool().select(limits, isExcluded),
    hasIncludable: () => mempool().hasIncludable(),
    find: (digest) => mempool().find(digest),
    read: (digest, location) => mempool().read(digest, location),
    replayMark: () => mempool().replayMark(),
    onCommitted: (outcome) => mempool().onCommitted(outcome),
  };
}
