import { bytesEqual } from "../../../src/kernel/index.ts";
import type { Database } from "../../../src/storage/index.ts";
import { SYNC_LANE_NUMBER, type SyncLane } from "../../protocol/index.ts";
import { appendageBytes, laneLimitBytes } from "../quota.ts";
import type { AggregatorStore, Appendage, AppendOutcome, EnrolledNode, ForwardStep, NodeRef, StoredHeartbeat } from "../types.ts";
import { encodePeaks } from "./peaks.ts";
import { heartbeatOfRow } from "./rows.ts";
import { HISTORY_EVERY_MS, SqlStore } from "./sql-store.ts";
import { SqliteEnrolment } from "./sqlite-enrolment.ts";
import { SqlitePort } from "./sqlite-port.ts";
import { prepareStatements } from "./sqlite-statements.ts";

/** Everything an aggregator keeps, in one SQLite file: for one process. */
export class SqliteStore extends SqlStore implements AggregatorStore {
  readonly kind = "sqlite";
  readonly enrolment: SqliteEnrolment;
  readonly #database: Database;
  readonly #port: SqlitePort;
  readonly #statements;

  /** @param database opened with `AGGREGATOR_MIGRATIONS` */
  constructor(database: Database) {
    const port = new SqlitePort(database);
    super(port);
    this.#port = port;
    this.#database = database;
    this.#statements = prepareStatements(database);
    this.enrolment = new SqliteEnrolment(port);
  }

  async putNode(node: EnrolledNode): Promise<"stored" | "otherIdentity" | "revoked"> {
    const { network, node: name, identityKey, validatorKey, software, profile, site, status, enrolledAtMs, lastHelloAtMs } = node;
    const { selectNode, putNode } = this.#statements;
    return this.#port.atomically(() => {
      const known = selectNode.get(network, name);
      if (known && !bytesEqual(known.identity_key, identityKey)) return "otherIdentity";
      if (known?.status === "revoked") return "revoked";
      const times = [enrolledAtMs, lastHelloAtMs] as const;
      putNode.run(network, name, identityKey, validatorKey ?? null, software, profile, site, status, ...times);
      return "stored";
    });
  }

  async append(appendages: readonly Appendage[]): Promise<readonly AppendOutcome[]> {
    const placed = await Promise.all(appendages.map(async (appendage) => ({ id: await this.ids.find(appendage.ref), appendage })));
    return this.#port.atomically(() => placed.map(({ id, appendage }) => (id === undefined ? "moved" : this.#append(id, appendage))));
  }

  async putHeartbeat(heartbeat: StoredHeartbeat): Promise<void> {
    const id = await this.ids.find(heartbeat);
    if (id === undefined) return;
    const { receivedAtMs, timeMs, message } = heartbeat;
    this.#port.atomically(() => {
      this.#statements.putLatest.run(id, receivedAtMs, timeMs, message);
      const last = this.#statements.selectLastHistory.get(id);
      if (!last || receivedAtMs - Number(last.received_at_ms) >= HISTORY_EVERY_MS)
        this.#statements.putHistory.run(id, receivedAtMs, timeMs, message);
    });
  }

  async latestHeartbeats(refs: readonly NodeRef[]): Promise<readonly StoredHeartbeat[]> {
    const placed = await Promise.all(refs.map(async (ref) => ({ id: await this.ids.find(ref), ref })));
    return this.#port.run(() =>
      placed.flatMap(({ id, ref }) => {
        const row = id === undefined ? null : this.#statements.selectLatest.get(id);
        return row ? [heartbeatOfRow(ref, row)] : [];
      }),
    );
  }

  async moveForwarded(bus: string, steps: readonly ForwardStep[]): Promise<readonly ("stored" | "moved")[]> {
    const placed = await Promise.all(steps.map(async (step) => ({ id: await this.ids.find(step.ref), step })));
    return this.#port.atomically(() => placed.map(({ id, step }) => (id === undefined ? "moved" : this.#moveForwarded(bus, id, step))));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #append(id: number, appendage: Appendage): AppendOutcome {
    const { before, after, events, checkpoint, quotaBytes } = appendage;
    const { selectHolding, putHolding, insertEvent, putCheckpoint } = this.#statements;
    const lane = SYNC_LANE_NUMBER[after.lane];
    const held = selectHolding.get(id, lane);
    const isAsJudged = before ? held && Number(held.epoch) === before.epoch && Number(held.sequence) === before.sequence : !held;
    if (!isAsJudged) return "moved";
    const bytes = appendageBytes(appendage);
    if (quotaBytes !== undefined && !this.#hasRoom(id, bytes, appendage.after.lane, quotaBytes)) return "full";
    for (const { epoch, sequence, body, hash, receivedAtMs } of events)
      insertEvent.run(id, lane, epoch, sequence, body, hash, receivedAtMs);
    const peaks = after.peaks ? encodePeaks(after.peaks) : null;
    putHolding.run(id, lane, after.epoch, after.sequence, after.hash, peaks, after.checkpointed, Number(held?.bytes ?? 0n) + bytes);
    if (checkpoint) putCheckpoint.run(id, lane, after.epoch, checkpoint.size, checkpoint.note);
    return "stored";
  }

  #hasRoom(id: number, bytes: number, lane: SyncLane, quotaBytes: number): boolean {
    const room = this.#statements.selectRoom.get(id);
    return Number(room?.used ?? 0n) + bytes <= laneLimitBytes(lane, Number(room?.quota ?? quotaBytes));
  }

  #moveForwarded(bus: string, id: number, { lane, forwarded, to }: ForwardStep): "stored" | "moved" {
    const found = this.#statements.selectForwarded.get(bus, id, SYNC_LANE_NUMBER[lane]);
    const { epoch, sequence } = found ?? { epoch: 0n, sequence: 0n };
    if (Number(epoch) !== forwarded.epoch || Number(sequence) !== forwarded.sequence) return "moved";
    this.#statements.putForwarded.run(bus, id, SYNC_LANE_NUMBER[lane], to.epoch, to.sequence);
    return "stored";
  }
}
