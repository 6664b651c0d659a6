import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Files and folders of a node's home. */
export const HOME = {
  configuration: "node.toml",
  genesis: "genesis.json",
  validatorKey: "keys/validator.json",
  /** The validator key that is to follow, and its journal, while a rotation is under way. */
  nextKey: "keys/validator.next.json",
  nextJournal: "journal.next",
  /** What is left of keys that sign no more. */
  retired: "retired",
  /** What binds keys to this machine, and marks of histories that were exported (DR-3, DR-10). */
  custody: "custody",
  /** A link to a place apart from this disk, for what binds keys and how far they have signed; most homes have none. */
  signstate: "signstate",
  /** The key of a node whose own is barred here, and its journal. */
  observerKey: "keys/observer.json",
  observerJournal: "journal.observer",
  /** What was done while the node was stopped, for the audit lane of its next start. */
  handAudit: "audit.jsonl",
  identityKey: "keys/identity.json",
  passphrase: "keys/passphrase",
  lock: "lock",
  journal: "journal",
  batches: "batches",
  chain: "chain.db",
  node: "node.db",
  ops: "ops.db",
  /** What telemetry has not brought to its brokers yet. */
  telemetry: "telemetry.db",
  /** What aggregators have acknowledged. */
  sync: "sync.db",
  /** Sessions and retained messages of MQTT clients. */
  broker: "broker.db",
  /** Who may connect over MQTT; absent until somebody is listed. */
  mqttAccess: "mqtt-access.json",
  state: "state.checkpoint",
  /** The snapshot that the chain begins at, where it does not at genesis: what proves it, and its state. */
  snapshot: "snapshot.manifest",
  snapshotState: "snapshot.state",
  /** The manifest of a snapshot that is being downloaded, so that what came of it is not fetched again. */
  snapshotWanted: "snapshot.wanted",
  /** There while nobody has the next block of this chain any more: a start goes on at a peer's snapshot. */
  behind: "behind",
  /** A restore that is under way: the backup's manifest, so that it is gone on with. */
  restoring: "restore.wanted",
  /** Where a backup is restored to for trial. */
  drill: "drill",
  index: "index",
  /** Where a running node answers; removed when it stops. */
  run: "run.json",
} as const;

/** Where a running node answers. */
export type NodeAddress = {
  readonly pid: number;
  readonly http: string;
  /** Where its device broker is, when it has one over TCP. */
  readonly mqtt?: string;
};

/** Writes a file for its owner's eyes alone, making its folder; false, and nothing changed, when there is one already. */
export function writeNewFile(path: string, content: string | Uint8Array): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return false;
  }
}

/** Leaves word of where this process answers. */
export function announceRunningNode(home: string, running: NodeAddress): void {
  writeFileSync(join(home, HOME.run), `${JSON.stringify(running)}\n`, { mode: 0o600 });
}

/** Takes the word back. */
export function withdrawRunningNode(home: string): void {
  rmSync(join(home, HOME.run), { force: true });
}

/** Whether a process with this number exists: a node that was killed takes its word back no more. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // it exists and is another user's
  }
}

/** The running node of a home, or undefined when none left its address there. */
export function findRunningNode(home: string): NodeAddress | undefined {
  const path = join(home, HOME.run);
  if (!existsSync(path)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null || !("pid" in value) || !("http" in value)) return undefined;
    if (typeof value.pid !== "number" || typeof value.http !== "string" || !isAlive(value.pid)) return undefined;
    const mqtt = "mqtt" in value && typeof value.mqtt === "string" ? { mqtt: value.mqtt } : {};
    return { pid: value.pid, http: value.http, ...mqtt };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a half-written file is as good as none
    return undefined;
  }
}
