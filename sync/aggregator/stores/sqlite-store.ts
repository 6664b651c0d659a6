import { bytesEqual } from "../../../src/kernel/index.ts";
import { type Database, isStorageError } from "../../../src/storage/index.ts";
import { SYNC_LANE_NUMBER, type SyncLane } from "../../protocol/index.ts";
import {
  type AggregatorStore,
  type Appendage,
  type AuditEntry,
  type EnrolledNode,
  type EventPlace,
  type Finding,
  type ForwardStep,
  type LaneHolding,
  type NodeRef,
  type StoredEvent,
  type StoredHeartbeat,
  type StoredLogin,
  StoreUnavailable,
  type WaitingLane,
} from "../types.ts";
import { encodePeaks } from "./peaks.ts";
import {
  type AuditRow,
  auditOfRow,
  type EventRow,
  eventOfRow,
  type FindingRow,
  findingOfRow,
  type HeartbeatRow,
  type HoldingRow,
  heartbeatOfRow,
  holdingOfRow,
  type LoginRow,
  loginOfRow,
  type NodeRow,
  nodeOfRow,
  type WaitingRow,
  waitingOfRow,
} from "./rows.ts";
import { SqliteEnrolment } from "./sqlite-enrolment.ts";
import { prepareStatements } from "./sqlite-statements.ts";

/** Heartbeats of a node in its history are at least this far apart. */
const HISTORY_EVERY_MS = 60_000;

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 4_000;

/** Everything an aggregator keeps, in one SQLite file: for one process. */
export class SqliteStore implements AggregatorStore {
  readonly kind = "sqlite";
  readonly enrolment: SqliteEnrolment;
  readonly #database: Database;
  readonly #statements;
  /** Row ids of nodes, which never change. */
  readonly #ids = new Map<string, number>();

  /** @param database opened with `AGGREGATOR_MIGRATIONS` */
  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepareStatements(database);
    this.enrolment = new SqliteEnrolment(database, {
      read: (query) => this.#read(query, (value) => value),
      write: (action) => this.#write(action),
    });
  }

  async findNode({ network, node }: NodeRef): Promise<EnrolledNode | undefined> {
    return this.#read(
      () => this.#statements.selectNode.get(network, node),
      (row: NodeRow | null) => (row ? nodeOfRow(row) : undefined),
    );
  }

  async putNode(node: EnrolledNode): Promise<"stored" | "otherIdentity" | "revoked"> {
    const { network, node: name, identityKey, validatorKey, software, profile, site, status, enrolledAtMs, lastHelloAtMs } = node;
    const { selectNode, putNode } = this.#statements;
    return this.#write(() => {
      const known = selectNode.get(network, name);
      if (known && !bytesEqual(known.identity_key, identityKey)) return "otherIdentity";
      if (known?.status === "revoked") return "revoked";
      const times = [enrolledAtMs, lastHelloAtMs] as const;
      putNode.run(network, name, identityKey, validatorKey ?? null, software, profile, site, status, ...times);
      return "stored";
    });
  }

  async listNodes(after: NodeRef | undefined, limit: number): Promise<readonly EnrolledNode[]> {
    const { network, node } = after ?? { network: "", node: "" };
    return this.#read(
      () => this.#statements.listNodes.all(network, node, limit),
      (rows: NodeRow[]) => rows.map(nodeOfRow),
    );
  }

  async holdings(ref: NodeRef): Promise<readonly LaneHolding[]> {
    const id = this.#findId(ref);
    if (id === undefined) return [];
    return this.#read(
      () => this.#statements.selectHoldings.all(id),
      (rows: HoldingRow[]) => rows.map(holdingOfRow),
    );
  }

  async append(appendages: readonly Appendage[]): Promise<readonly ("stored" | "moved")[]> {
    return this.#write(() => appendages.map((appendage) => this.#append(appendage)));
  }

  async readEvents(ref: NodeRef, lane: SyncLane, after: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    const id = this.#findId(ref);
    if (id === undefined) return [];
    const query = () => this.#statements.selectAfter.all(id, SYNC_LANE_NUMBER[lane], after.epoch, after.sequence, limit);
    return this.#read(query, (rows: EventRow[]) => rows.map((row) => eventOfRow(lane, row)));
  }

  async readEventsBefore(ref: NodeRef, lane: SyncLane, before: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    const id = this.#findId(ref);
    if (id === undefined) return [];
    const query = () => this.#statements.selectBefore.all(id, SYNC_LANE_NUMBER[lane], before.epoch, before.sequence, limit);
    return this.#read(query, (rows: EventRow[]) => rows.map((row) => eventOfRow(lane, row)));
  }

  async findHash(ref: NodeRef, lane: SyncLane, { epoch, sequence }: EventPlace): Promise<Uint8Array | undefined> {
    const id = this.#findId(ref);
    if (id === undefined) return undefined;
    const query = () => this.#statements.selectHash.get(id, SYNC_LANE_NUMBER[lane], epoch, sequence);
    return this.#read(query, (row: { readonly hash: Uint8Array } | null) => row?.hash);
  }

  async findCheckpoint(
    ref: NodeRef,
    lane: SyncLane,
    { epoch, sequence }: EventPlace,
  ): Promise<{ readonly size: number; readonly note: string } | undefined> {
    const id = this.#findId(ref);
    if (id === undefined) return undefined;
    const query = () => this.#statements.selectCheckpoint.get(id, SYNC_LANE_NUMBER[lane], epoch, sequence);
    return this.#read(query, (row: { readonly size: bigint; readonly note: string } | null) =>
      row ? { size: Number(row.size), note: row.note } : undefined,
    );
  }

  async putHeartbeat(heartbeat: StoredHeartbeat): Promise<void> {
    const id = this.#findId(heartbeat);
    if (id === undefined) return;
    const { receivedAtMs, timeMs, message } = heartbeat;
    this.#write(() => {
      this.#statements.putLatest.run(id, receivedAtMs, timeMs, message);
      const last = this.#statements.selectLastHistory.get(id);
      if (!last || receivedAtMs - Number(last.received_at_ms) >= HISTORY_EVERY_MS)
        this.#statements.putHistory.run(id, receivedAtMs, timeMs, message);
    });
  }

  async latestHeartbeats(refs: readonly NodeRef[]): Promise<readonly StoredHeartbeat[]> {
    return refs.flatMap((ref) => {
      const id = this.#findId(ref);
      if (id === undefined) return [];
      return this.#read(
        () => this.#statements.selectLatest.get(id),
        (row: HeartbeatRow | null) => (row ? [heartbeatOfRow(ref, row)] : []),
      );
    });
  }

  async heartbeatHistory(ref: NodeRef, sinceMs: number, limit: number): Promise<readonly StoredHeartbeat[]> {
    const id = this.#findId(ref);
    if (id === undefined) return [];
    return this.#read(
      () => this.#statements.selectHistory.all(id, sinceMs, limit),
      (rows: HeartbeatRow[]) => rows.map((row) => heartbeatOfRow(ref, row)),
    );
  }

  async lanesToForward(bus: string, after: Omit<WaitingLane, "forwarded"> | undefined, limit: number): Promise<readonly WaitingLane[]> {
    const { network, node } = after?.ref ?? { network: "", node: "" };
    return this.#read(
      () => this.#statements.selectWaiting.all(bus, network, node, after ? SYNC_LANE_NUMBER[after.lane] : 0, limit),
      (rows: WaitingRow[]) => rows.map(waitingOfRow),
    );
  }

  async moveForwarded(bus: string, steps: readonly ForwardStep[]): Promise<readonly ("stored" | "moved")[]> {
    return this.#write(() => steps.map((step) => this.#moveForwarded(bus, step)));
  }

  async leaseForwarding(bus: string, holder: string, nowMs: number, untilMs: number): Promise<boolean> {
    return this.#write(() => this.#statements.putForwarder.run(bus, holder, untilMs, nowMs).changes > 0);
  }

  async addFinding(finding: Finding): Promise<void> {
    const { network, node, atMs, kind, lane, epoch, sequence, detail } = finding;
    this.#write(() => this.#statements.putFinding.run(network, node, atMs, kind, lane ?? null, epoch ?? null, sequence ?? null, detail));
  }

  async listFindings(ref: NodeRef | undefined, limit: number): Promise<readonly Finding[]> {
    const { allFindings, findingsOf } = this.#statements;
    return this.#read(
      () => (ref ? findingsOf.all(ref.network, ref.node, limit) : allFindings.all(limit)),
      (rows: FindingRow[]) => rows.map(findingOfRow),
    );
  }

  async addAudit({ atMs, actor, action, target, outcome, detail }: AuditEntry): Promise<void> {
    this.#write(() => this.#statements.putAudit.run(atMs, actor, action, target, outcome, detail));
  }

  async listAudit(beforeMs: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.#read(
      () => this.#statements.selectAudit.all(beforeMs, limit),
      (rows: AuditRow[]) => rows.map(auditOfRow),
    );
  }

  async putLogin({ key, name, passwordMark, expiresAtMs }: StoredLogin, nowMs: number, countMax: number): Promise<void> {
    this.#write(() => {
      this.#statements.putLogin.run(key, name, passwordMark, expiresAtMs);
      this.#statements.pruneLogins.run(nowMs, countMax);
    });
  }

  async findLogin(key: string): Promise<StoredLogin | undefined> {
    return this.#read(
      () => this.#statements.selectLogin.get(key),
      (row: LoginRow | null) => (row ? loginOfRow(row) : undefined),
    );
  }

  async endLogin(key: string): Promise<void> {
    this.#write(() => this.#statements.endLogin.run(key));
  }

  async pruneHeartbeats(beforeMs: number): Promise<void> {
    this.#write(() => this.#statements.pruneHistory.run(beforeMs));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #append({ ref, before, after, events, checkpoint }: Appendage): "stored" | "moved" {
    const { selectHoldings, putHolding, insertEvent, putCheckpoint } = this.#statements;
    const id = this.#findId(ref);
    if (id === undefined) return "moved";
    const lane = SYNC_LANE_NUMBER[after.lane];
    const held = selectHoldings.all(id).find((row) => Number(row.lane) === lane);
    const isAsJudged = before ? held && Number(held.epoch) === before.epoch && Number(held.sequence) === before.sequence : !held;
    if (!isAsJudged) return "moved";
    for (const { epoch, sequence, body, hash, receivedAtMs } of events)
      insertEvent.run(id, lane, epoch, sequence, body, hash, receivedAtMs);
    putHolding.run(id, lane, after.epoch, after.sequence, after.hash, after.peaks ? encodePeaks(after.peaks) : null, after.checkpointed);
    if (checkpoint) putCheckpoint.run(id, lane, after.epoch, checkpoint.size, checkpoint.note);
    return "stored";
  }

  #moveForwarded(bus: string, { ref, lane, forwarded, to }: ForwardStep): "stored" | "moved" {
    const id = this.#findId(ref);
    const found = id === undefined ? null : this.#statements.selectForwarded.get(bus, id, SYNC_LANE_NUMBER[lane]);
    const { epoch, sequence } = found ?? { epoch: 0n, sequence: 0n };
    if (id === undefined || Number(epoch) !== forwarded.epoch || Number(sequence) !== forwarded.sequence) return "moved";
    this.#statements.putForwarded.run(bus, id, SYNC_LANE_NUMBER[lane], to.epoch, to.sequence);
    return "stored";
  }

  #findId({ network, node }: NodeRef): number | undefined {
    const key = `${network}/${node}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#read(
      () => this.#statements.selectNode.get(network, node),
      (row: NodeRow | null) => (row ? Number(row.id) : undefined),
    );
    if (id !== undefined) this.#ids.set(key, id);
    return id;
  }

  #read<Row, T>(query: () => Row, map: (row: Row) => T): T {
    return available(() => map(this.#database.attempt(query)));
  }

  #write<T>(action: () => T): T {
    return available(() => {
      const value = this.#database.atomically(action);
      if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
      return value;
    });
  }
}

/** Translates a failure of storage into the port's own. */
function available<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new StoreUnavailable(error.code === "diskFull" ? "full" : "failed", error.message, { cause: error });
  }
}
