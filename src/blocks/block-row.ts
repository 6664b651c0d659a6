import { DOMAIN_TAGS, sha256 } from "../crypto/index.ts";
import { CborReader, CborWriter, concatBytes, toHex, u64be } from "../kernel/index.ts";
import {
  blockHashOf,
  decodeBlock,
  decodeCertificate,
  decodeSnapshotManifest,
  encodeBlock,
  encodeCertificate,
  encodeSnapshotManifest,
  encodeValidatorSet,
  LIMITS,
  SNAPSHOT_LIMITS,
  type SnapshotManifest,
} from "../protocol/index.ts";
import { readExecutionRecord, writeExecutionRecord } from "./execution-record.ts";
import type { CommittedBatch, CommittedBlock, CommittedGenesis, CommittedUnder, LaneRecords } from "./types.ts";

const NOTHING = new Uint8Array(0);
const CERTIFICATE_BYTES_MAX = 16_384;
const SET_BYTES_MAX = 16_384;
/** One, two for each conviction, of which a block may hold as many as transactions, and one for each key that changes. */
const LANE_RECORDS_MAX = 16_384;
const LANE_BODY_BYTES_MAX = 16_384;

/** Hash of a row: SHA-256(tag | height u64 | hash of the row before, or the chain id at height 0 | body). */
export function rowHashOf(height: number, previousHash: Uint8Array, body: Uint8Array): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.blockRow, u64be(height), previousHash, body));
}

/**
 * Body of a block's row: array [block, distance to the block whose row has the certificate, certificate (empty
 * unless the distance is 0), authors, batches, execution, lane, replayMark] with the next set appended in an epoch's last
 * block. Block and certificate are the
 * protocol's own encodings, so the block's hash is recomputed from what is stored.
 */
export function encodeBlockRow(row: CommittedBlock): Uint8Array {
  const { finalization, nextValidatorSet } = row;
  const w = new CborWriter(1024).array(nextValidatorSet ? 9 : 8).bytes(encodeBlock(row.block));
  if ("certificate" in finalization) w.uint(0).bytes(encodeCertificate(finalization.certificate));
  else w.uint(finalization.height - row.block.header.height).bytes(NOTHING);
  writeBatches(w, row.batches);
  writeExecutionRecord(w, row.execution);
  writeLane(w, row.lane);
  w.uint(row.replayMark);
  if (nextValidatorSet) w.bytes(nextValidatorSet);
  return w.finish();
}

/** Reads what `encodeBlockRow` writes; undefined when it is no such body. */
export function decodeBlockRow(body: Uint8Array): CommittedBlock | undefined {
  const r = new CborReader(body);
  const fields = r.array(9);
  const block = decodeBlock(r.bytes(1, LIMITS.blockBytesMax));
  if (!block.ok || fields < 8) return undefined;
  const { header, batchDigests } = block.value;
  const finalization = readFinalization(r, header.height);
  const batches = readBatches(r, batchDigests);
  const execution = readExecutionRecord(r);
  const lane = readLane(r);
  const replayMark = r.uint();
  const next = fields === 9 ? { nextValidatorSet: r.bytes(1, SET_BYTES_MAX) } : {};
  if (!r.isComplete || !finalization) return undefined;
  return { block: block.value, hash: blockHashOf(header), finalization, batches, execution, lane, replayMark, ...next };
}

/** Body of the row of the block after which a chain goes on from a snapshot: array [manifest without parts, lane]. */
export function encodeBaseRow(manifest: SnapshotManifest, lane: LaneRecords): Uint8Array {
  const w = new CborWriter(4_096).array(2).bytes(encodeSnapshotManifest({ ...manifest, parts: [] }));
  writeLane(w, lane);
  return w.finish();
}

/** Reads what `encodeBaseRow` writes, as a block without its batches; undefined when it is no such body. */
export function decodeBaseRow(body: Uint8Array): CommittedBlock | undefined {
  const r = new CborReader(body);
  if (r.array(2) !== 2) r.reject();
  const manifest = decodeSnapshotManifest(r.bytes(1, SNAPSHOT_LIMITS.manifestBytesMax));
  const lane = readLane(r);
  if (!r.isComplete || !manifest.ok) return undefined;
  const { block, finalization, hops, nextSet } = manifest.value;
  return {
    block,
    hash: blockHashOf(block.header),
    finalization: { certificate: finalization },
    batches: [],
    execution: { skipped: [], codes: [], payers: [], digests: [] },
    lane,
    replayMark: 0,
    ...(nextSet && { nextValidatorSet: encodeValidatorSet(nextSet) }),
    hops,
  };
}

/** Body of the row of height 0: array [chainId, timeMs, stateRoot, validatorSet, lane]. */
export function encodeGenesisRow(row: CommittedGenesis): Uint8Array {
  const w = new CborWriter(512).array(5).bytes(row.chainId).uint(row.timeMs).bytes(row.stateRoot).bytes(row.validatorSet);
  writeLane(w, row.lane);
  return w.finish();
}

/** Reads what `encodeGenesisRow` writes; undefined when it is no such body. */
export function decodeGenesisRow(body: Uint8Array): CommittedGenesis | undefined {
  const r = new CborReader(body);
  if (r.array(5) !== 5) r.reject();
  const row = {
    chainId: r.bytes(32),
    timeMs: r.uint(),
    stateRoot: r.bytes(32),
    validatorSet: r.bytes(1, SET_BYTES_MAX),
    lane: readLane(r),
  };
  return r.isComplete ? row : undefined;
}

function readFinalization(r: CborReader, height: number): CommittedUnder | undefined {
  const distance = r.uint();
  const encoded = r.bytes(0, CERTIFICATE_BYTES_MAX);
  if (distance > 0) return encoded.length === 0 ? { height: height + distance } : undefined;
  const certificate = decodeCertificate(encoded);
  return certificate.ok ? { certificate: certificate.value } : undefined;
}

/** Authors once, then each batch as [author's position, sequence, transactions, bytes, record, segment, offset, length]. */
function writeBatches(w: CborWriter, batches: readonly CommittedBatch[]): void {
  const authors = new Map(batches.map(({ author }) => [toHex(author), author]));
  const places = new Map([...authors.keys()].map((name, place) => [name, place]));
  w.array(authors.size);
  for (const author of authors.values()) w.bytes(author);
  w.array(batches.length);
  for (const { author, sequence, transactionCount, sizeBytes, location } of batches) {
    w.array(8).uint(places.get(toHex(author)) ?? 0);
    w.uint(sequence).uint(transactionCount).uint(sizeBytes);
    w.uint(location.record).uint(location.segment).uint(location.offset).uint(location.length);
  }
}

function readBatches(r: CborReader, digests: readonly Uint8Array[]): CommittedBatch[] {
  const authorCount = r.array(LIMITS.blockBatchesMax);
  const authors: Uint8Array[] = [];
  for (let i = 0; i < authorCount && !r.isBroken; i++) authors.push(r.bytes(32));
  if (r.array(LIMITS.blockBatchesMax) !== digests.length) r.reject();
  const batches: CommittedBatch[] = [];
  for (const digest of digests) {
    if (r.array(8) !== 8) r.reject();
    const author = authors[r.uint()];
    const head = { sequence: r.uint(), transactionCount: r.uint(LIMITS.batchTransactionsMax), sizeBytes: r.uint() };
    const location = { record: r.uint(), segment: r.uint(), offset: r.uint(), length: r.uint() };
    if (!author) r.reject();
    if (r.isBroken || !author) break;
    batches.push({ digest, author, ...head, location });
  }
  return batches;
}

function writeLane(w: CborWriter, lane: LaneRecords): void {
  w.array(3).uint(lane.epoch).uint(lane.firstSequence).array(lane.records.length);
  for (const { body, hash } of lane.records) w.array(2).bytes(body).bytes(hash);
}

function readLane(r: CborReader): LaneRecords {
  if (r.array(3) !== 3) r.reject();
  const epoch = r.uint();
  const firstSequence = r.uint();
  const count = r.array(LANE_RECORDS_MAX);
  const records: { body: Uint8Array; hash: Uint8Array }[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) {
    if (r.array(2) !== 2) r.reject();
    records.push({ body: r.bytes(1, LANE_BODY_BYTES_MAX), hash: r.bytes(32) });
  }
  if (count === 0) r.reject();
  return { epoch, firstSequence, records };
}
