import { DOMAIN_TAGS, merkleRoot, sha256 } from "../crypto/portable.ts";
import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result } from "../kernel/index.ts";
import { type Certificate, encodeCertificate, readCertificate } from "./certificate.ts";
import { LIMITS } from "./limits.ts";
import { BLOCK_VERSIONS } from "./release.ts";

/** Version of the first blocks of a chain, until a vote activates a later one. */
export const BLOCK_VERSION = 1;

/** What a block commits to; `stateRoot` and `receiptRoot` are those after executing this block. Hashes are 32 bytes. */
export type BlockHeader = {
  /** One of BLOCK_VERSIONS; all that are known have the same layout. */
  readonly version: number;
  /** Genesis hash. */
  readonly chainId: Uint8Array;
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly parentHash: Uint8Array;
  /** Index of the proposer in the epoch's set. */
  readonly leader: number;
  /** Milliseconds since the Unix epoch, above the parent's. */
  readonly timeMs: number;
  readonly batchRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly receiptRoot: Uint8Array;
  readonly validatorSetHash: Uint8Array;
  /** Present exactly in the last block of an epoch. */
  readonly nextValidatorSetHash?: Uint8Array;
  /** Bitmap of the attached parent certificate; empty when the parent is genesis. */
  readonly parentBitmap: Uint8Array;
  /** Root over the attached evidence; present exactly when there is some. */
  readonly evidenceRoot?: Uint8Array;
};

/** A header with what it commits to. */
export type Block = {
  readonly header: BlockHeader;
  /** Digests of the batches, in execution order. */
  readonly batchDigests: readonly Uint8Array[];
  /** Notarization or finalization of the parent; absent exactly when the parent is genesis. */
  readonly parentCertificate?: Certificate;
  /** Encoded evidence, each at most LIMITS.evidenceBytesMax. */
  readonly evidence: readonly Uint8Array[];
};

/** Canonical encoding: map with keys 1..15 in the order of the type, absent keys left out. */
export function encodeBlockHeader(header: BlockHeader): Uint8Array {
  const optional = Number(header.nextValidatorSetHash !== undefined) + Number(header.evidenceRoot !== undefined);
  const w = new CborWriter(512).map(13 + optional);
  w.uint(1).uint(header.version).uint(2).bytes(header.chainId).uint(3).uint(header.height).uint(4).uint(header.epoch);
  w.uint(5).uint(header.view).uint(6).bytes(header.parentHash).uint(7).uint(header.leader).uint(8).uint(header.timeMs);
  w.uint(9).bytes(header.batchRoot).uint(10).bytes(header.stateRoot).uint(11).bytes(header.receiptRoot);
  w.uint(12).bytes(header.validatorSetHash);
  if (header.nextValidatorSetHash) w.uint(13).bytes(header.nextValidatorSetHash);
  w.uint(14).bytes(header.parentBitmap);
  if (header.evidenceRoot) w.uint(15).bytes(header.evidenceRoot);
  return w.finish();
}

/** Reads a header at the reader's place. */
export function readBlockHeader(reader: CborReader): BlockHeader {
  const pairs = reader.map(15);
  const read = <T>(key: number, take: () => T): T => {
    reader.key(key);
    return take();
  };
  const hash = (): Uint8Array => reader.bytes(32);
  const base = {
    version: read(1, () => reader.uint(BLOCK_VERSIONS.max)),
    chainId: read(2, hash),
    height: read(3, () => reader.uint()),
    epoch: read(4, () => reader.uint()),
    view: read(5, () => reader.uint()),
    parentHash: read(6, hash),
    leader: read(7, () => reader.uint(LIMITS.validatorsMax - 1)),
    timeMs: read(8, () => reader.uint()),
    batchRoot: read(9, hash),
    stateRoot: read(10, hash),
    receiptRoot: read(11, hash),
    validatorSetHash: read(12, hash),
  };
  const next = reader.optionalKey(13) ? { nextValidatorSetHash: hash() } : {};
  const parentBitmap = read(14, () => reader.bytes(0, LIMITS.validatorsMax / 8));
  const evidence = reader.optionalKey(15) ? { evidenceRoot: hash() } : {};
  const header = { ...base, ...next, parentBitmap, ...evidence };
  if (header.version < BLOCK_VERSIONS.min || pairs !== Object.keys(header).length) reader.reject();
  return header;
}

/**
 * Whether the bytes at the reader's place begin a header of a version that a later release brought: no fault of who sent
 * them. The reader is used up.
 */
export function isLaterHeader(reader: CborReader): boolean {
  reader.map(64);
  reader.key(1);
  const version = reader.uint();
  return !reader.isBroken && version > BLOCK_VERSIONS.max;
}

/** Reads what `encodeBlockHeader` writes. */
export function decodeBlockHeader(bytes: Uint8Array): Result<BlockHeader, "malformed"> {
  const reader = new CborReader(bytes);
  const header = readBlockHeader(reader);
  return reader.isComplete ? ok(header) : err("malformed");
}

/** SHA-256 of tag | header encoding: the block's identity. */
export function blockHashOf(header: BlockHeader): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.block, encodeBlockHeader(header)));
}

/** RFC 6962 root over the digests in order. */
export function batchRootOf(batchDigests: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(batchDigests);
}

/** RFC 6962 root over the encoded evidence, or undefined when there is none. */
export function evidenceRootOf(evidence: readonly Uint8Array[]): Uint8Array | undefined {
  return evidence.length === 0 ? undefined : merkleRoot(evidence);
}

/** Canonical encoding: array [header, [digest...], [evidence...]] with the parent certificate appended unless the parent is genesis. */
export function encodeBlock(block: Block): Uint8Array {
  const w = new CborWriter(1024).array(block.parentCertificate ? 4 : 3).raw(encodeBlockHeader(block.header));
  w.array(block.batchDigests.length);
  for (const digest of block.batchDigests) w.bytes(digest);
  w.array(block.evidence.length);
  for (const item of block.evidence) w.bytes(item);
  if (block.parentCertificate) w.raw(encodeCertificate(block.parentCertificate));
  const encoded = w.finish();
  assert(encoded.length <= LIMITS.blockBytesMax, "an encoded block fits its bound");
  return encoded;
}

/**
 * Reads what `encodeBlock` writes: shape and bounds only; roots, certificate and rules are checked by consensus and blocks.
 *
 * Errors: `tooLarge`; `laterVersion` for a block of a version that this release does not know; `malformed`.
 */
export function decodeBlock(bytes: Uint8Array): Result<Block, "malformed" | "tooLarge" | "laterVersion"> {
  if (bytes.length > LIMITS.blockBytesMax) return err("tooLarge");
  const reader = new CborReader(bytes);
  const fields = reader.array(4);
  const header = readBlockHeader(reader);
  const batchDigests = readList(reader, LIMITS.blockBatchesMax, () => reader.bytes(32));
  const evidence = readList(reader, LIMITS.blockEvidenceMax, () => reader.bytes(1, LIMITS.evidenceBytesMax));
  const parent = fields === 4 ? { parentCertificate: readCertificate(reader) } : {};
  if (fields < 3 || !reader.isComplete) return err(isLaterBlock(bytes) ? "laterVersion" : "malformed");
  return ok({ header, batchDigests, evidence, ...parent });
}

function isLaterBlock(bytes: Uint8Array): boolean {
  const reader = new CborReader(bytes);
  reader.array(64);
  return isLaterHeader(reader);
}

function readList<T>(reader: CborReader, max: number, take: () => T): T[] {
  const count = reader.array(max);
  const items: T[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) items.push(take());
  return items;
}
