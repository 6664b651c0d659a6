import { join } from "node:path";
import { BlockStore, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, CHAIN_PAGE_BYTES, isChainDamaged } from "../blocks/index.ts";
import { compareRounds, type Round } from "../consensus/index.ts";
import { CRIT_MIGRATION, type EventLog, event, LANE_PAGE_BYTES, LaneDamaged, OPS_APPLICATION_ID, OPS_MIGRATION } from "../events/index.ts";
import type { Log } from "../kernel/index.ts";
import {
  createRecordLog,
  type Database,
  type FileSystem,
  isStorageError,
  type Migration,
  openRecordLog,
  type RecordLog,
} from "../storage/index.ts";
import { type ConsensusJournal, openJournal, type SignedMark } from "../validator/index.ts";
import { HOME } from "./home.ts";
import { findChainBase } from "./joining.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";
import { openSignedMark } from "./signstate.ts";
import { StartRefused } from "./start-refused.ts";
import { HELD_BACK_STEPS } from "./upgrade.ts";

/** The durable files that hold what this node promised. The state and the indexes are caches and are opened elsewhere. */
export type NodeFiles = {
  readonly journal: ConsensusJournal;
  /** How far the key has signed, where the home has a place for that apart from its disk. */
  readonly signed?: SignedMark;
  readonly chain: Database;
  readonly batches: RecordLog;
  /** node.db: the vital event lane and what belongs to it. */
  readonly node: Database;
  /** ops.db: the operational event lane. */
  readonly ops: Database;
  /** Whether this start made them: the first of this home. */
  readonly isFirstStart: boolean;
};

/** Marks a file as a node.db: "BZno". */
export const NODE_APPLICATION_ID = 0x42_5a_6e_6f;
/** Laid out ahead, so that the sync of a small batch changes no file length: a third of the wear. */
const BATCH_LOG = { name: "batches", segmentBytesMax: 32 * 1024 * 1024, preallocateBytes: 256 * 1024 } as const;

/**
 * Opens a home's files, each checking itself. The first start makes them; later ones never do, so a lost file is noticed.
 *
 * @throws StartRefused naming the file that is damaged, missing, of a later release or in use, and what to do
 */
export function openFiles(setup: NodeSetup, platform: Platform, log: Log): NodeFiles {
  const { home } = setup;
  const { fs, openDatabase } = platform;
  const path = (name: string): string => join(home, name);
  const hasChain = fs.stat(path(HOME.chain)) !== undefined;
  if (hasChain) requirePresent(fs, home, [HOME.batches, HOME.node, HOME.ops]);
  const openChain = (): Database =>
    openDatabase({
      path: path(HOME.chain),
      applicationId: CHAIN_APPLICATION_ID,
      migrations: CHAIN_MIGRATIONS,
      heldBackSteps: HELD_BACK_STEPS,
      pageBytes: CHAIN_PAGE_BYTES,
      durability: "full",
      create: !hasChain,
    });
  // The chain is made last, so a first start that was cut short is known by an empty batch log without a chain.
  const early = hasChain ? undefined : named(home, () => openBatchLog(platform, home, log, true));
  if (early && early.nextIndex > 0) requirePresent(fs, home, [HOME.chain]);
  const openLanes = (): Pick<NodeFiles, "node" | "ops"> => ({
    node: named(home, () => openLane(platform, path(HOME.node), NODE_APPLICATION_ID, CRIT_MIGRATION, "full")),
    ops: named(home, () => openLane(platform, path(HOME.ops), OPS_APPLICATION_ID, OPS_MIGRATION, "normal")),
  });
  const earlyLanes = hasChain ? undefined : openLanes();
  const chain = named(home, openChain);
  try {
    const signed = named(home, () => (setup.journal === undefined ? openSignedMark(home, setup.validator.publicKey) : undefined));
    const journal = named(home, () => openHomeJournal(setup, platform, signed));
    requireChainReachesJournal(
      home,
      journal,
      named(home, () => tipRoundOf(chain, setup, platform)),
    );
    const batches = early ?? named(home, () => openBatchLog(platform, home, log, false));
    return { journal, ...(signed && { signed }), chain, batches, ...(earlyLanes ?? openLanes()), isFirstStart: !hasChain };
  } catch (error) {
    chain.close();
    throw error;
  }
}

/** Closes everything, each file marked as closed in good order. */
export function closeFiles({ journal, signed, chain, batches, node, ops }: NodeFiles): void {
  batches.close();
  journal.close();
  ops.close();
  node.close();
  chain.close();
  signed?.flush(); // last: what it may throw keeps none of the others open
}

function openLane(
  { openDatabase }: Platform,
  path: string,
  applicationId: number,
  migration: Migration,
  durability: "full" | "normal",
): Database {
  return openDatabase({ path, applicationId, migrations: [migration], pageBytes: LANE_PAGE_BYTES, durability, create: true });
}

/** The journal of the home's validator key, sound or lost. */
function openHomeJournal(
  { home, validator, journal }: Pick<NodeSetup, "home" | "validator" | "journal">,
  { fs, entropy }: Pick<Platform, "fs" | "entropy">,
  signed?: SignedMark,
): ConsensusJournal {
  const files = { fs, directory: join(home, journal ?? HOME.journal), entropy };
  const onDurable = signed && ((round: Round): void => signed.advance(round));
  return openJournal(files, { publicKey: validator.publicKey, isBlocking: true, ...(onDurable && { onDurable }) });
}

/**
 * The floor of the home's journal: a chain that begins below it would have lost blocks.
 *
 * @throws StartRefused when the journal is in use or cannot be read
 */
export function journalFloorOf(setup: NodeSetup, platform: Pick<Platform, "fs" | "entropy">): Round {
  const journal = named(setup.home, () => openHomeJournal(setup, platform));
  const replay = journal.replay();
  journal.close();
  return replay.kind === "lost" ? { epoch: 0, view: 0 } : replay.floor;
}

/** Translates a failure of storage, or damage, into a sentence; other errors pass. */
export function named<T>(home: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (isChainDamaged(error)) throw new StartRefused(`${join(home, error.message)}. ${remedyOf("damaged", home)}`, { cause: error });
    if (error instanceof LaneDamaged) {
      const file = error.fault.lane === "chain" ? HOME.chain : HOME.node;
      throw new StartRefused(`${join(home, file)}: ${error.message}. ${remedyOf("damaged", home)}`, { cause: error });
    }
    if (!isStorageError(error)) throw error;
    throw new StartRefused(`${error.message}. ${remedyOf(error.code, home)}`, { cause: error });
  }
}

/** Says what opening a database found changed at rest and could live without: in the log, and in the vital lane for who reads it later. */
export function tellNotices({ notices }: Pick<Database, "notices">, events: Pick<EventLog, "appendCrit">, log: Log): void {
  for (const { file, detail } of notices) {
    log.error("storage.damaged", { file, detail });
    events.appendCrit(event("storage.damaged", { file, place: "beside the database", detail }));
  }
}

function remedyOf(code: string, home: string): string {
  switch (code) {
    case "busy":
      return `Another process uses ${home}; stop it first (\`bizra status --home ${home}\` shows it)`;
    case "tooNew":
      return "Start the release that wrote it, or a later one";
    case "diskFull":
      return "Free some space on this disk and start again";
    case "ioFailed":
      return (
        "Nothing was changed. Start again; when it stays so, the system's log names the disk that fails, or the limit that was reached " +
        "(open files, memory)"
      );
    case "denied":
      return "Start as the user that owns the home";
    default:
      return `\`bizra doctor --home ${home}\` shows what else is touched; put the whole home back from a copy made while the node was stopped, and keep this one for examination`;
  }
}

function requirePresent(fs: FileSystem, home: string, names: readonly string[]): void {
  const missing = names.filter((name) => fs.stat(join(home, name)) === undefined);
  if (missing.length === 0) return;
  throw new StartRefused(
    `${missing.map((name) => join(home, name)).join(", ")}: missing, while other files of this home are there, so it was deleted or lost. ` +
      "Nothing was made in its place; put it back, or the whole home from a copy made while the node was stopped",
  );
}

/** Round of the chain's last block, or of that of the snapshot it is about to begin at; view 0 at genesis. */
export function tipRoundOf(chain: Database, setup: NodeSetup, platform: Platform): Round {
  const store = new BlockStore(chain);
  const base = findChainBase(setup, chain, platform)?.block.header;
  if (base) return { epoch: base.epoch, view: base.view };
  if (!store.tipHeight) return { epoch: 0, view: 0 };
  const { epoch, view } = store.read(store.tipHeight).block.header;
  return { epoch, view };
}

/**
 * The journal's floor is raised only after the chain holds what lies below it (J5), so a chain that ends before it has
 * lost blocks: SQLite drops commits behind a damaged frame without a word, and this is what notices.
 */
function requireChainReachesJournal(home: string, journal: ConsensusJournal, tip: Round): void {
  const replay = journal.replay();
  if (replay.kind === "lost" || compareRounds(replay.floor, tip) <= 0) return;
  throw new StartRefused(
    `${join(home, HOME.chain)}: ends at view ${tip.view} of epoch ${tip.epoch}, but ${join(home, HOME.journal)} shows that blocks up to view ` +
      `${replay.floor.view} of epoch ${replay.floor.epoch} were stored in it: its last blocks are lost or damaged. ${remedyOf("damaged", home)}`,
  );
}

/** @param mayBegin whether this is a first start, or one after a first start that was cut short before the log had a segment */
function openBatchLog({ fs, entropy, batchSegmentBytesMax }: Platform, home: string, log: Log, mayBegin: boolean): RecordLog {
  const directory = join(home, HOME.batches);
  const layout = { ...BATCH_LOG, ...(batchSegmentBytesMax && { segmentBytesMax: batchSegmentBytesMax }) };
  const create = (): RecordLog => createRecordLog(fs, directory, { ...layout, entropy });
  if (mayBegin && fs.stat(directory) === undefined) return create();
  const opened = openRecordLog(fs, directory, layout);
  if (!opened.ok) {
    const { kind, file, offset, detail } = opened.error;
    if (mayBegin && kind === "empty") return create();
    throw new StartRefused(`${file}: damaged at byte ${offset}: ${detail} (${kind}). ${remedyOf("damaged", home)}`);
  }
  const { tornTail } = opened.value.report;
  if (tornTail) log.warn("batches.tornTail", { file: tornTail.file, offset: tornTail.offset, shape: tornTail.shape });
  return opened.value;
}
