import { join } from "node:path";
import { BlockStore } from "../blocks/index.ts";
import { bytesEqual, type Log } from "../kernel/index.ts";
import { genesisEntries } from "../ledger/index.ts";
import type { SnapshotManifest } from "../protocol/index.ts";
import { CHECKPOINT_POLICY_DEFAULT, type CheckpointParts, State } from "../state/index.ts";
import type { NodeFiles } from "./files.ts";
import { HOME } from "./home.ts";
import { loadSnapshotState } from "./joining.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";

/** A cache that was not what was written, and is built again. */
export type CacheDamage = { readonly file: string; readonly detail: string };

/**
 * The state from its last checkpoint, or from genesis (or the snapshot that the chain begins at) when there is none that fits the chain: it is a cache, so a damaged
 * one is named and costs a re-execution.
 */
export function openState(
  setup: NodeSetup,
  files: NodeFiles,
  platform: Platform,
  log: Log,
  fail: (error: unknown) => void,
  base: SnapshotManifest | undefined,
): { readonly state: State; readonly damage: CacheDamage[] } {
  const { genesis, home, configuration } = setup;
  const path = join(home, HOME.state);
  const { checkpointBlocks, checkpointSeconds } = configuration.storage;
  const checkpoints: CheckpointParts = {
    writer: platform.checkpointWriter(path),
    policy: { ...CHECKPOINT_POLICY_DEFAULT, blocksMax: checkpointBlocks, intervalMs: 1_000 * checkpointSeconds },
    clock: platform.clock,
    log,
    onDefect: fail,
  };
  const store = new BlockStore(files.chain);
  const fromGenesis = (): State => {
    if (!base && store.isPruned) throw new StartRefused(prunedState(home, path, store.baseHeight));
    return base || store.baseHeight > 0
      ? loadSnapshotState(setup, platform, checkpoints)
      : State.ofGenesis(genesis.hash, genesisEntries(genesis), checkpoints);
  };
  const rebuilt = (detail: string): { state: State; damage: CacheDamage[] } => {
    log.error("storage.damaged", { file: path, detail, remedy: "built again from the chain" });
    return { state: fromGenesis(), damage: [{ file: path, detail: `${detail}; it is a cache and is built again from the chain` }] };
  };
  if (base && store.tipHeight !== undefined) {
    // The chain goes on at a snapshot: the state of where it was is of no more use.
    if (platform.fs.stat(path) !== undefined) platform.fs.remove(path);
    return { state: fromGenesis(), damage: [] };
  }
  if (platform.fs.stat(path) === undefined) {
    if (!files.isFirstStart && !base) log.warn("state.absent", { file: path, remedy: "built again from the chain" });
    return { state: fromGenesis(), damage: [] };
  }
  const loaded = State.load(platform.fs, path, genesis.hash, checkpoints);
  if (!loaded.ok) return rebuilt(loaded.error.detail);
  const state = loaded.value;
  const { height } = state;
  if (height < store.baseHeight) return rebuilt(`it is older than the snapshot that the chain begins at`);
  if (height > (store.tipHeight ?? 0)) return { state, damage: [] }; // recovery names the chain as short
  const expected = height === 0 ? state.root : store.read(height).block.header.stateRoot;
  if (bytesEqual(expected, state.root)) return { state, damage: [] };
  return rebuilt(`it holds another state than the chain has after block ${height}`);
}

/** Without its checkpoint a chain that let go of its first blocks cannot give its state again. */
function prunedState(home: string, path: string, baseHeight: number): string {
  return (
    `${path}: it is missing or damaged, and the blocks below ${baseHeight}, which would give the state again, were pruned. Put the file back ` +
    `from a copy; or stop the node for good, move everything but configuration, genesis, keys and journal out of ${home}, and start: ` +
    "it takes a snapshot of its peers"
  );
}
