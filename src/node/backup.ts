import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BackupSource, BackupUnreadable, BackupWriter, type TakenBackup } from "../../sync/restore/index.ts";
import { buildChainAnchor } from "../blocks/index.ts";
import { event } from "../events/index.ts";
import type { CancelTimer, Log } from "../kernel/index.ts";
import type { MetricFamily, MetricSource } from "../monitoring/index.ts";
import { SnapshotFile } from "../state/index.ts";
import { isObjectsFault, isStorageError, type ObjectStore } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import type { DrillOrder, DrillOutcome } from "./drill-messages.ts";
import { HOME } from "./home.ts";
import { type ObjectsPlace, openObjects } from "./object-store.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";

/** How often it is looked whether a backup or a drill is due. */
const LOOK_MS = 1_000;
/** After a failure the next try waits as long. */
const RETRY_MS = 30_000;

/** How backups stand. */
export type BackupStatus = {
  readonly taken: number;
  readonly failed: number;
  readonly last?: TakenBackup;
  /** The last drill: whether it restored, and which height. */
  readonly drill?: { readonly isRestored: boolean; readonly height: number };
};

/**
 * Takes a backup of the state every so many minutes or blocks, and now and then restores the newest one to see that it can be.
 * What it needs of the calling thread is one read and one hash a part; a drill runs in a thread of its own. A store that
 * does not serve costs a line in the log, and an alert once backups are overdue; nothing waits for it.
 */
export class NodeBackup implements MetricSource {
  readonly #setup: NodeSetup;
  readonly #platform: Platform;
  readonly #contexts: Contexts;
  readonly #log: Log;
  readonly #store: ObjectStore;
  readonly #place: ObjectsPlace;
  readonly #writer: BackupWriter;
  #cancel: CancelTimer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #lastMs: number;
  #lastHeight = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #drilledMs: number;
  #isOverdueTold = false;
  #worker: Worker | undefined;
  #status: BackupStatus = { taken: 0, failed: 0 };

  /** Whether the home's settings name an object store and who may open what is put there. */
  static isWanted({ configuration: { backup } }: NodeSetup): boolean {
    return backup.objects !== "" && backup.recipients.length > 0;
  }

  constructor(setup: NodeSetup, platform: Platform, contexts: Contexts, log: Log) {
    this.#setup = setup;
    this.#platform = platform;
    this.#contexts = contexts;
    this.#log = log;
    const { backup } = setup.configuration;
    this.#place = placeOf(setup);
    this.#store = openObjects(setup.home, this.#place);
    this.#writer = new BackupWriter({
      store: this.#store,
      chainId: setup.genesis.hash,
      node: setup.nodeId,
      identity: setup.identity,
      recipients: backup.recipients,
      clock: platform.clock,
      entropy: platform.entropy,
    });
    this.#lastMs = platform.clock.monotonicMs();
    this.#drilledMs = this.#lastMs;
  }

  /** Begins to look. */
  start(): void {
    this.#cancel = this.#platform.timers.after(LOOK_MS, () => {
      this.#running = this.#look().finally(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  /** Stops; a backup under way is given up, which leaves nothing that counts. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    this.#worker?.terminate();
    await this.#running;
    await this.#store.close();
  }

  /** How backups stand. */
  status(): BackupStatus {
    return this.#status;
  }

  collect(): readonly MetricFamily[] {
    const { taken, failed, last, drill } = this.#status;
    const of = (name: string, help: string, kind: "gauge" | "counter", value: number): MetricFamily => ({
      name,
      help,
      kind,
      samples: [{ value }],
    });
    const ageMs = this.#platform.clock.monotonicMs() - this.#lastMs;
    return [
      of("bizra_backup_age_seconds", "Since the last backup, or the start when there was none.", "gauge", ageMs / 1_000),
      of("bizra_backup_height", "Height of the last backup of this process; 0 without one.", "gauge", last?.height ?? 0),
      of("bizra_backup_written_bytes", "Bytes that the last backup put into the store.", "gauge", last?.writtenBytes ?? 0),
      of(
        "bizra_backup_turn_seconds_max",
        "Longest work of the last backup on the consensus thread.",
        "gauge",
        (last?.turnMsMax ?? 0) / 1_000,
      ),
      of("bizra_backup_taken_total", "Backups taken since the start.", "counter", taken),
      of("bizra_backup_failed_total", "Backups that failed since the start.", "counter", failed),
      of(
        "bizra_backup_drill_ok",
        "Whether the last drill restored its backup; -1 before the first.",
        "gauge",
        drill ? Number(drill.isRestored) : -1,
      ),
    ];
  }

  async #look(): Promise<void> {
    const nowMs = this.#platform.clock.monotonicMs();
    if (nowMs >= this.#notBeforeMs && this.#isDue(nowMs)) await this.#take(nowMs);
    this.#tellOverdue(nowMs);
    const { drillSeconds } = this.#setup.configuration.backup;
    if (!this.#isStopped && drillSeconds > 0 && nowMs - this.#drilledMs >= 1_000 * drillSeconds) await this.#drill(nowMs);
  }

  /** The first backup of a process comes at once when there is a block; then by time or blocks, as soon as the chain has moved. */
  #isDue(nowMs: number): boolean {
    const { height } = this.#contexts.state;
    if (height <= this.#lastHeight) return false;
    const { everySeconds, everyBlocks } = this.#setup.configuration.backup;
    return this.#lastHeight === 0 || nowMs - this.#lastMs >= 1_000 * everySeconds || height - this.#lastHeight >= everyBlocks;
  }

  async #take(nowMs: number): Promise<void> {
    const source = await this.#openSource();
    if (!source) return; // the block has no finalization of its own, or the checkpoint found no room: another one comes
    try {
      const taken = await this.#writer.take(source, () => this.#isStopped);
      if (!taken) return;
      const removed = await this.#writer.prune();
      this.#lastMs = nowMs;
      this.#lastHeight = taken.height;
      this.#isOverdueTold = false;
      this.#status = { ...this.#status, taken: this.#status.taken + 1, last: taken };
      const { name, height, objects, writtenBytes } = taken;
      this.#log.info("backup.taken", { name, height, objects, writtenBytes, removed, turnMs: Math.round(taken.turnMsMax * 10) / 10 });
    } catch (error) {
      if (!(isObjectsFault(error) || error instanceof BackupUnreadable)) throw error;
      this.#notBeforeMs = nowMs + RETRY_MS;
      this.#status = { ...this.#status, failed: this.#status.failed + 1 };
      this.#log.warn("backup.failed", { objects: this.#place.objects, detail: error.message });
    } finally {
      source.file.close();
    }
  }

  async #openSource(): Promise<BackupSource | undefined> {
    const { home, genesis } = this.#setup;
    const { state, blocks } = this.#contexts;
    if (!(await state.checkpoint()) || this.#isStopped) return undefined;
    try {
      const walk = SnapshotFile.open(this.#platform.fs, join(home, HOME.state), genesis.hash);
      let step = walk.next();
      for (; !step.done; step = walk.next()) await new Promise<void>((resolve) => void this.#platform.timers.after(0, resolve));
      if (!step.value.ok) return undefined;
      const file = step.value.value;
      const anchor = this.#isStopped ? undefined : buildChainAnchor(blocks.reader, blocks.queries, file.mark.height);
      if (anchor) return { file, anchor, configuration: configurationOf(home) };
      file.close();
      return undefined;
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.#log.warn("backup.failed", { objects: error.path, detail: error.message });
      return undefined;
    }
  }

  #tellOverdue(nowMs: number): void {
    const { everySeconds } = this.#setup.configuration.backup;
    const isOverdue = nowMs - this.#lastMs > 3_000 * everySeconds && this.#contexts.state.height > this.#lastHeight;
    if (!isOverdue || this.#isOverdueTold) return;
    this.#isOverdueTold = true;
    const detail = `no backup since ${Math.round((nowMs - this.#lastMs) / 1_000)} s; the object store or the disk does not serve (backup.failed in the log)`;
    this.#contexts.events.appendCrit(event("alert.raised", { alert: "backupOverdue", severity: "warning", detail }));
  }

  async #drill(nowMs: number): Promise<void> {
    const { newest } = this.#writer;
    if (!newest) return;
    const { home, nodeId, identity } = this.#setup;
    const order = {
      home,
      node: nodeId,
      place: this.#place,
      identityKey: identity.publicKey,
      folder: join(home, HOME.drill),
    };
    const outcome = await this.#runDrill({ ...order, ...newest });
    if (this.#isStopped) return;
    this.#drilledMs = nowMs;
    const height = outcome.ok ? outcome.report.height : 0;
    this.#status = { ...this.#status, drill: { isRestored: outcome.ok, height } };
    const detail = outcome.ok ? `restored to height ${height}, ${outcome.report.sizeBytes} bytes, its root is the block's` : outcome.detail;
    const result = { actor: "node", action: "restoreDrill", target: newest.name, outcome: outcome.ok ? "done" : "failed", detail };
    this.#contexts.events.appendCrit(event("audit.recorded", result));
    this.#log.info("backup.drilled", result);
    if (outcome.ok) return;
    this.#contexts.events.appendCrit(event("alert.raised", { alert: "restoreDrillFailed", severity: "critical", detail }));
  }

  #runDrill(order: DrillOrder): Promise<DrillOutcome> {
    const { promise, resolve } = Promise.withResolvers<DrillOutcome>();
    const worker = new Worker(workerUrl(), { name: "drill", smol: true });
    this.#worker = worker;
    worker.onmessage = (message: MessageEvent<DrillOutcome>): void => resolve(message.data);
    worker.onerror = (fault: ErrorEvent): void => resolve({ ok: false, detail: `the drill's thread failed: ${fault.message}` });
    worker.addEventListener("close", () => resolve({ ok: false, detail: "the drill's thread ended" }));
    worker.postMessage(order);
    return promise.finally(() => {
      this.#worker = undefined;
      worker.terminate();
    });
  }
}

function placeOf({ configuration: { backup, sync } }: NodeSetup): ObjectsPlace {
  const { objects, credentialsFile } = backup;
  const { caFile, certificateFile, keyFile } = sync;
  return { objects, credentialsFile, caFile, certificateFile, keyFile };
}

function configurationOf(home: string): string {
  const path = join(home, HOME.configuration);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** As in state/worker-writer.ts: inside the compiled binary entry points keep their place in the project. */
function workerUrl(): URL {
  const isCompiled = import.meta.url.includes("/$bunfs/");
  return new URL(isCompiled ? "./src/node/drill.worker.ts" : "./drill.worker.ts", import.meta.url);
}
