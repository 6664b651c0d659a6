import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BlockStore, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, ChainLaneReader } from "../blocks/index.ts";
import {
  type Checkpoint,
  CheckpointTable,
  CRIT_MIGRATION,
  CritTable,
  type Lane,
  type LaneReader,
  LaneTable,
  OPS_APPLICATION_ID,
  OPS_MIGRATION,
} from "../events/index.ts";
import { parseKeyFile } from "../identity/index.ts";
import { silentLog } from "../kernel/index.ts";
import type { Database, Migration } from "../storage/index.ts";
import { NODE_APPLICATION_ID, named } from "./files.ts";
import { HOME } from "./home.ts";
import { systemPlatform } from "./platform.ts";
import { StartRefused } from "./start-refused.ts";
import { HELD_BACK_STEPS } from "./upgrade.ts";

/** The event lanes of a home whose node is stopped, as they lie there; nothing of it needs a passphrase. */
export type HomeLanes = {
  /** Public key of the node's identity, which signed the checkpoints; 32 bytes. */
  readonly identityKey: Uint8Array;
  readonly readers: Readonly<Record<Lane, LaneReader>>;
  checkpoint(lane: Lane): Checkpoint | undefined;
  close(): void;
};

/**
 * Opens them; each file checks itself.
 *
 * @throws StartRefused naming the file that is damaged, missing or in use, and what to do
 */
export function openHomeLanes(home: string): HomeLanes {
  const identityKey = readIdentityKey(join(home, HOME.identityKey));
  const opened: Database[] = [];
  const open = (name: string, applicationId: number, migrations: readonly Migration[], heldBackSteps = 0): Database => {
    const options = { path: join(home, name), applicationId, migrations, heldBackSteps, durability: "full", create: false } as const;
    const database = named(home, () => systemPlatform.openDatabase(options));
    opened.push(database);
    return database;
  };
  const close = (): void => {
    for (const database of opened.reverse()) database.close();
  };
  try {
    const chain = new ChainLaneReader(new BlockStore(open(HOME.chain, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, HELD_BACK_STEPS)));
    const node = open(HOME.node, NODE_APPLICATION_ID, [CRIT_MIGRATION]);
    const ops = new LaneTable(open(HOME.ops, OPS_APPLICATION_ID, [OPS_MIGRATION]), "ops");
    const checkpoints = new CheckpointTable(node, silentLog);
    return { identityKey, readers: { crit: new CritTable(node), chain, ops }, checkpoint: (lane) => checkpoints.find(lane), close };
  } catch (error) {
    close();
    throw error;
  }
}

function readIdentityKey(path: string): Uint8Array {
  try {
    const parsed = parseKeyFile(readFileSync(path, "utf8"));
    if (parsed.ok) return parsed.value.publicKey;
    throw new StartRefused(`${path}: ${parsed.error.detail}; put it back from where you keep it`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new StartRefused(`${path}: expected the identity of a node's home, got ${String(error.code)}; name the home with --home`);
  }
}
