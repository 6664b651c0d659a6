import { localSigner, nativeSuite, sha256 } from "../../src/crypto/index.ts";
import { event, type LaneRecord } from "../../src/events/index.ts";
import { utf8 } from "../../src/kernel/index.ts";
import { openMemoryDatabase } from "../../src/storage/index.ts";
import { AckTable, SYNC_MIGRATION } from "../../sync/agent/index.ts";
import { packBatch } from "../../sync/agent/pack.ts";
import {
  decodeAck,
  encodeAck,
  encodeBatch,
  encodeEnvelope,
  isWitnessed,
  SYNC_LIMITS,
  type SyncBatch,
  signWitness,
} from "../../sync/protocol/index.ts";
import { identity } from "../unit/events/event-fixture.ts";
import { AgentWorld, network } from "../unit/sync/agent/agent-world.ts";
import type { BenchReport } from "./harness.ts";

const BATCHES = [1, 10, 100, 500] as const;
const RECORDS = 2_000;
/** Head of a masked WebSocket frame of 126 to 65,535 bytes, and of an unmasked one below. */
const FRAME_BYTES = { out: 8, back: 4 } as const;
const session = new Uint8Array(16).fill(7);
const witness = localSigner(sha256(utf8("a witness")));

/** CPU time of a call in microseconds, which hardly depends on who else uses the machine. */
function cpuUsOf(action: () => void): number {
  const run = (durationMs: number): number => {
    const before = process.cpuUsage();
    let calls = 0;
    for (const endMs = performance.now() + durationMs; performance.now() < endMs; calls++) action();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  };
  run(300);
  return run(700);
}

/** A world whose chain and ops lanes hold records like a node's; hashes do not compress. */
function filledWorld(): AgentWorld {
  const world = new AgentWorld();
  world.add("chain", RECORDS);
  for (let view = 1; view <= RECORDS / 4; view++) {
    const hash = sha256(utf8(`block ${view}`));
    world.log.appendOps(
      event("transaction.submitted", { batch: sha256(utf8(`batch ${view}`)), transactions: 40, sizeBytes: 9_000 + view }),
    );
    world.log.appendOps(event("block.created", { height: view, epoch: 0, view, hash, transactions: 40 }));
    world.log.appendOps(event("block.validated", { height: view, epoch: 0, view, hash, verdict: "valid" }));
    world.log.appendOps(event("consensus.reached", { kind: "finalization", epoch: 0, view, hash }));
    world.bench.time.pass(100);
  }
  world.bench.time.pass(5_000);
  return world;
}

function recordsOf(world: AgentWorld, lane: "chain" | "ops", count: number): readonly LaneRecord[] {
  const read = world.log.read(lane, { epoch: 1, sequence: RECORDS / 2 }, count);
  if (!read.ok || read.value.length < count) throw new Error(`the ${lane} lane has ${count} records in its middle`);
  return read.value;
}

function batchOf(records: readonly LaneRecord[]): SyncBatch {
  const batch = packBatch(records, { session, codec: "zstd", bytesMax: SYNC_LIMITS.batchWireBytesMax });
  if (!batch) throw new Error("records make a batch");
  return batch;
}

function ackOf(batch: SyncBatch): Uint8Array {
  const cursor = { lane: batch.lane, epoch: batch.epoch, sequence: batch.to, hash: batch.tipHash };
  const timeMs = 1_767_225_600_000;
  const signature = signWitness(witness, network, identity.publicKey, cursor, timeMs);
  return encodeAck({ ...cursor, timeMs, creditBytes: 2_097_152, intervalMs: 0, witness: signature });
}

/** Bytes on a WebSocket for each event by the size of batches, acknowledgement and frame heads within, TCP and TLS not. */
export function measureBytes(report: BenchReport): void {
  const world = filledWorld();
  for (const lane of ["chain", "ops"] as const) {
    for (const count of BATCHES) {
      const records = recordsOf(world, lane, count);
      const batch = batchOf(records);
      const out = encodeEnvelope({ kind: "batch", request: 1, message: encodeBatch(batch) }).length + FRAME_BYTES.out;
      const back = encodeEnvelope({ kind: "ack", request: 1, message: ackOf(batch) }).length + FRAME_BYTES.back;
      const bodies = records.reduce((sum, { body }) => sum + body.length, 0);
      const note = `${out} out, ${back} back; bodies ${Math.round(bodies / count)} bytes each, packed ${Math.round(batch.records.length / count)}`;
      report.add({ name: `bytes per ${lane} event, batches of ${count}`, value: (out + back) / count, unit: "bytes", note });
    }
  }
}

/** CPU time of the agent's own work: reading, checking, packing, encoding, judging and keeping the answer. */
export function measureAgentCost(report: BenchReport): void {
  const world = filledWorld();
  const acks = new AckTable(openMemoryDatabase({ applicationId: 2, migrations: [SYNC_MIGRATION] }));
  for (const lane of ["chain", "ops"] as const) {
    for (const count of BATCHES) {
      const answer = ackOf(batchOf(recordsOf(world, lane, count)));
      const parties = { witnessKey: witness.publicKey, network, identityKey: identity.publicKey };
      const usPerBatch = cpuUsOf(() => {
        const batch = batchOf(recordsOf(world, lane, count));
        encodeBatch(batch);
        const ack = decodeAck(answer);
        if (!ack.ok || !isWitnessed(ack.value, parties, nativeSuite.verify)) throw new Error("the answer is good");
        acks.put("bench", { ...ack.value, witnessKey: witness.publicKey });
      });
      report.add({
        name: `CPU of the agent per 1,000 ${lane} events, batches of ${count}`,
        value: usPerBatch / count,
        unit: "ms",
        note: "CPU time of the process, databases in memory",
      });
    }
  }
}
