import { EMPTY_LANE, EVENT_SCHEMAS, type Event, event, type Lane, type LaneRecord, sealRecord, tipOf } from "../../../src/events/index.ts";

const hash = new Uint8Array(32).map((_, at) => at);
const key = new Uint8Array(32).fill(0xb2);

/** An event of every type, those with optional fields with and without them. */
export const eventSamples: readonly Event[] = [
  event("transaction.submitted", { batch: hash, transactions: 12, sizeBytes: 2_048 }),
  event("block.created", { height: 1, epoch: 0, view: 3, hash, transactions: 12 }),
  event("block.validated", { height: 1, epoch: 0, view: 3, hash, verdict: "valid" }),
  event("consensus.reached", { kind: "finalization", epoch: 0, view: 3, hash }),
  event("consensus.reached", { kind: "nullification", epoch: 0, view: 4 }),
  event("block.finalized", { height: 1, hash, epoch: 0, view: 3, executed: 11, failed: 1, skipped: 1, fees: 18_446_744_073_709_551_615n }),
  event("validator.registered", { publicKey: key, owner: hash, weight: 1_000n, epoch: 0 }),
  event("validator.slashed", { validator: key, epoch: 2, slashed: 50n, height: 9 }),
  event("validator.jailed", { validator: key, untilEpoch: 7, height: 9 }),
  event("set.changed", { publicKey: key, owner: hash, weightBefore: 1_000n, weight: 0n, epoch: 3 }),
  event("epoch.opened", { epoch: 3, height: 9, setHash: hash, validators: 4, totalWeight: 4_000n }),
  event("service.started", { service: "node", version: "0.1.0", height: 1 }),
  event("service.stopped", { service: "node", reason: "asked to" }),
  event("healthcheck.failed", { check: "disk", detail: "4 % free" }),
  event("storage.damaged", { file: "chain.db", place: "block 123", detail: "its row is missing" }),
  event("signing.marked", { epoch: 2, view: 77 }),
  event("configuration.changed", { version: 3, digest: hash, actor: "operator" }),
  event("audit.recorded", { actor: "operator", action: "keys.rotate", target: "validator", outcome: "refused", detail: "mark missing" }),
  event("audit.recorded", { actor: "operator", action: "status.read", target: "node", outcome: "done" }),
  event("alert.raised", { alert: "disk.low", severity: "warning", detail: "4 % free" }),
  event("alert.cleared", { alert: "disk.low", detail: "20 % free" }),
  event("alert.cleared", { alert: "disk.low" }),
  event("log.opened", { reason: "restore", previousEpoch: 1, previousSequence: 9, previousHash: hash }),
  event("log.dropped", { count: 5, reason: "the disk was full" }),
  event("log.gap", { epoch: 1, from: 1, to: 2_048, tipHash: hash }),
];

function chainOf(lane: Lane): LaneRecord[] {
  const records: LaneRecord[] = [];
  let tip = EMPTY_LANE;
  for (const item of eventSamples) {
    const belongs: string = EVENT_SCHEMAS[item.type].lane;
    if (belongs !== lane && belongs !== "any") continue;
    const record = sealRecord(lane, tip, 1_767_225_600_000 + records.length, item);
    records.push(record);
    tip = tipOf(record);
  }
  return records;
}

/** A chain of samples for each lane; golden, see test/vectors/events.json. */
export const chainSamples: Readonly<Record<Lane, readonly LaneRecord[]>> = {
  crit: chainOf("crit"),
  chain: chainOf("chain"),
  ops: chainOf("ops"),
};
