/** What many nodes send of their event logs, made before the clock runs: real records, chained, checkpointed, compressed. */
import { localSigner, MerkleAccumulator, type Signer, sha256 } from "../../src/crypto/index.ts";
import {
  CHECKPOINT_POLICY,
  checkpointOrigin,
  type Event,
  event,
  growTree,
  type LaneRecord,
  type LaneTip,
  sealRecord,
  signCheckpoint,
} from "../../src/events/index.ts";
import { toHex, utf8 } from "../../src/kernel/index.ts";
import { packBatch } from "../../sync/agent/pack.ts";
import type { Ingest } from "../../sync/aggregator/index.ts";
import { decodeWelcome, encodeBatch, encodeHello, SYNC_LIMITS, type SyncBatch, type SyncLane } from "../../sync/protocol/index.ts";

/** The network of all of them. */
export const NETWORK = sha256(utf8("a network of a benchmark"));

const START_MS = 1_767_225_600_000;
/** The log of a node that validates: of five events four are of the lane `ops`. */
const LANES = ["chain", "ops", "ops", "ops", "ops"] as const;

/** A node with what it has to send, lane by lane. */
export type Sender = { readonly node: string; readonly identity: Signer; readonly batches: ReadonlyMap<SyncLane, readonly SyncBatch[]> };

/** How much there is: batches of each node, and the records of each. */
export type BacklogShape = {
  readonly nodes: number;
  readonly batchesOfEach: number;
  readonly recordsOfEach: number;
  /** Batches of a lane on their way. */
  readonly inFlight: number;
};

/** Makes nodes with so many batches each, in the proportions of a node's lanes. */
export function makeSenders({ nodes, batchesOfEach, recordsOfEach }: BacklogShape): readonly Sender[] {
  return Array.from({ length: nodes }, (_, at) => {
    const identity = localSigner(sha256(utf8(`node ${at}`)));
    const node = `box-${at}`;
    const lanes = Array.from({ length: batchesOfEach }, (_, turn) => LANES[turn % LANES.length] ?? "ops");
    const batches = (["chain", "ops"] as const).map((lane) => {
      const length = lanes.filter((name) => name === lane).length;
      return [lane, batchesOf(identity, node, lane, length, recordsOfEach)] as const;
    });
    return { node, identity, batches: new Map(batches) };
  });
}

/** Bytes of records as they travel. */
export function wireBytesOf(senders: readonly Sender[]): number {
  return batchesIn(senders).reduce((sum, { records }) => sum + records.length, 0);
}

/** Records of all senders. */
export function eventsOf(senders: readonly Sender[]): number {
  return batchesIn(senders).reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

/** Says hello for each; gives the messages of each lane of each, in order. */
export async function greetAll(ingest: Ingest, senders: readonly Sender[]): Promise<readonly (readonly Uint8Array[])[]> {
  const lines: Uint8Array[][] = [];
  for (const { node, identity, batches } of senders) {
    const about = {
      node,
      network: NETWORK,
      identityKey: identity.publicKey,
      bootId: new Uint8Array(16),
      timeMs: START_MS,
      software: "bench",
    };
    const lanes = [...batches].map(([lane, line]) => ({
      lane,
      epoch: 1,
      first: 1,
      last: line.at(-1)?.to ?? 0,
      tipHash: new Uint8Array(32),
    }));
    const answer = await ingest.answer(
      "hello",
      encodeHello({ ...about, profile: "unmetered", codecs: ["zstd"], lanes }, identity),
      undefined,
    );
    const welcome = decodeWelcome(answer.message);
    if (!welcome.ok) throw new Error(`a hello was answered with ${answer.refusal?.code}`);
    const { session } = welcome.value;
    for (const line of batches.values()) lines.push(line.map((batch) => encodeBatch({ ...batch, session })));
  }
  return lines;
}

/** Sends every line, each with so many on their way; all must be acknowledged. */
export async function sendAll(ingest: Ingest, lines: readonly (readonly Uint8Array[])[], inFlight: number): Promise<void> {
  await Promise.all(
    lines.map(async (line) => {
      const onTheirWay: Promise<void>[] = [];
      for (const message of line) {
        onTheirWay.push(
          ingest.answer("batch", message, undefined).then(({ kind, refusal }) => {
            if (kind !== "ack") throw new Error(`a batch was answered with ${refusal?.code}: ${refusal?.detail}`);
          }),
        );
        if (onTheirWay.length === inFlight) await onTheirWay.shift();
      }
      await Promise.all(onTheirWay);
    }),
  );
}

function batchesIn(senders: readonly Sender[]): readonly SyncBatch[] {
  return senders.flatMap(({ batches }) => [...batches.values()].flat());
}

function batchesOf(identity: Signer, node: string, lane: "chain" | "ops", count: number, recordsOfEach: number): readonly SyncBatch[] {
  const origin = checkpointOrigin(toHex(NETWORK).slice(0, 8), node, lane, 1);
  const tree = new MerkleAccumulator();
  const batches: SyncBatch[] = [];
  let tip: LaneTip = { epoch: 1, sequence: 0, hash: new Uint8Array(32) };
  for (let at = 0; at < count; at++) {
    const records: LaneRecord[] = [];
    let note: string | undefined;
    for (let i = 0; i < recordsOfEach; i++) {
      const record = sealRecord(lane, tip, START_MS + tip.sequence * 100, eventAt(node, lane, tip.sequence + 1));
      growTree(tree, record.hash);
      if (tree.size % CHECKPOINT_POLICY.recordsMax === 0) note = signCheckpoint(identity, origin, tree);
      records.push(record);
      tip = { epoch: 1, sequence: record.sequence, hash: record.hash };
    }
    const batch = packBatch(records, { session: new Uint8Array(16), codec: "zstd", bytesMax: SYNC_LIMITS.batchWireBytesMax });
    if (batch?.to !== tip.sequence) throw new Error("as many records as a batch may have make one");
    batches.push({ ...batch, ...(note !== undefined && { checkpoint: note }) });
  }
  return batches;
}

/** The records that a validator writes, by turns; their hashes do not compress. */
function eventAt(node: string, lane: "chain" | "ops", sequence: number): Event {
  const view = Math.ceil(sequence / (lane === "chain" ? 1 : 4));
  const hash = sha256(utf8(`${node} ${view}`));
  if (lane === "chain")
    return event("block.finalized", { height: view, hash, epoch: 0, view, executed: 40, failed: 1, skipped: 0, fees: 41_000n });
  const turn = sequence % 4;
  if (turn === 0) return event("transaction.submitted", { batch: hash, transactions: 40, sizeBytes: 9_000 + (view % 500) });
  if (turn === 1) return event("block.created", { height: view, epoch: 0, view, hash, transactions: 40 });
  if (turn === 2) return event("block.validated", { height: view, epoch: 0, view, hash, verdict: "valid" });
  return event("consensus.reached", { kind: "finalization", epoch: 0, view, hash });
}
