import type {
  BlockPort,
  BlockVerdict,
  BuildRequest,
  BuiltBlock,
  ChainTip,
  EpochOpening,
  FinalizedBlock,
  ServedBlock,
} from "../../src/consensus/index.ts";
import { sha256 } from "../../src/crypto/index.ts";
import { assert, bytesEqual, concatBytes, present, toHex, utf8 } from "../../src/kernel/index.ts";
import { BLOCK_VERSION, type Block, batchRootOf, blockHashOf, evidenceRootOf } from "../../src/protocol/index.ts";
import type { ChainRules, SimChain } from "./sim-chain.ts";

export type { ChainRules } from "./sim-chain.ts";

const EMPTY_RECEIPTS = sha256(utf8("no receipts"));
const BATCHES_PER_BLOCK = 8;

type Executed = { readonly block: Block; readonly hash: Uint8Array; readonly stateRoot: Uint8Array; readonly digests: ReadonlySet<string> };

/**
 * A chain in memory behind the block port: "executing" a batch hashes its digest into the state root, each once. What was
 * committed outlives a crash, overlays and held batches that are not durable do not.
 */
export class ChainModel implements BlockPort, SimChain {
  readonly rules: ChainRules;
  /** Committed blocks from height 1. */
  readonly committed: FinalizedBlock[] = [];
  readonly #executedDigests = new Set<string>();
  readonly #stateRoots: Uint8Array[] = [sha256(utf8("genesis state"))];
  readonly #heightOf = new Map<string, number>();
  #overlays = new Map<string, Executed>();
  /** Held, durable batches by digest, oldest first. */
  readonly batches = new Map<string, Uint8Array>();
  /** Those of them that no committed block executed. */
  readonly #pending = new Map<string, Uint8Array>();

  constructor(rules: ChainRules) {
    this.rules = rules;
  }

  /** A process starts on what the last one left on disk. */
  restart(): void {
    this.#overlays = new Map();
  }

  /** Holds a batch durably. */
  hold(digest: Uint8Array): void {
    const key = toHex(digest);
    this.batches.set(key, digest);
    if (!this.#executedDigests.has(key)) this.#pending.set(key, digest);
  }

  /** Whether a batch was executed in a committed block. */
  isExecuted(digest: Uint8Array): boolean {
    return this.#executedDigests.has(toHex(digest));
  }

  /** State root after the last committed block. */
  get stateRoot(): Uint8Array {
    return present(this.#stateRoots.at(-1), "genesis has a state");
  }

  tip(): ChainTip {
    const last = this.committed.at(-1);
    const { chainId, genesisTimeMs } = this.rules;
    if (!last) return { height: 0, hash: chainId, epoch: 0, view: 0, timeMs: genesisTimeMs };
    const { height, timeMs } = last.block.header;
    const { finalization } = last;
    return { height, hash: last.hash, epoch: finalization.epoch, view: finalization.view, timeMs, finalization };
  }

  findEpoch(epoch: number): EpochOpening | undefined {
    const validatorSet = this.rules.setOf(epoch);
    if (epoch === 0) return { epoch, validatorSet };
    const boundary = this.committed.find((block) => block.block.header.epoch === epoch - 1 && block.block.header.nextValidatorSetHash);
    return boundary && { epoch, validatorSet, finalization: boundary.finalization };
  }

  findFinalized(height: number): ServedBlock | undefined {
    const found = this.committed[height - 1];
    return found && { ...found, transactionCount: found.block.batchDigests.length };
  }

  /** Nothing is executed here, so what a block included has convicted. */
  canConvict(evidence: Uint8Array): boolean {
    return !this.committed.some(({ block }) => block.evidence.some((included) => bytesEqual(included, evidence)));
  }

  hasWork(): boolean {
    return this.#pending.size > 0;
  }

  build(request: BuildRequest): BuiltBlock {
    const parent = this.#parentOf(request.parentHash);
    assert(parent !== undefined, "a leader builds on a block it holds");
    const height = parent.height + 1;
    const fresh = [...this.#pending].filter(([key]) => !parent.digests.has(key));
    const batchDigests = request.isEmpty ? [] : fresh.slice(0, BATCHES_PER_BLOCK).map(([, digest]) => digest);
    const evidenceRoot = evidenceRootOf(request.evidence);
    const block: Block = {
      header: {
        version: BLOCK_VERSION,
        chainId: this.rules.chainId,
        height,
        epoch: request.epoch,
        view: request.view,
        parentHash: request.parentHash,
        leader: request.leader,
        timeMs: request.timeMs,
        batchRoot: batchRootOf(batchDigests),
        stateRoot: execute(parent.stateRoot, batchDigests),
        receiptRoot: EMPTY_RECEIPTS,
        validatorSetHash: request.validatorSet.hash,
        ...this.#boundaryOf(height, request.epoch),
        parentBitmap: request.parentCertificate?.bitmap ?? new Uint8Array(),
        ...(evidenceRoot ? { evidenceRoot } : {}),
      },
      batchDigests,
      ...(request.parentCertificate ? { parentCertificate: request.parentCertificate } : {}),
      evidence: request.evidence,
    };
    const hash = blockHashOf(block.header);
    this.#overlay(block, hash, parent.digests);
    return { block, hash };
  }

  check(block: Block): BlockVerdict {
    const { header } = block;
    const parent = this.#parentOf(header.parentHash);
    if (!parent) return { kind: "missingParent", hash: header.parentHash };
    const missing = block.batchDigests.filter((digest) => !this.batches.has(toHex(digest)));
    if (missing.length > 0) return { kind: "missingBatches", digests: missing };
    const boundary = this.#boundaryOf(header.height, header.epoch);
    const isFresh = block.batchDigests.every((digest) => !this.isExecuted(digest) && !parent.digests.has(toHex(digest)));
    const isRight =
      isFresh &&
      bytesEqual(header.batchRoot, batchRootOf(block.batchDigests)) &&
      bytesEqual(header.stateRoot, execute(parent.stateRoot, block.batchDigests)) &&
      (boundary.nextValidatorSetHash === undefined) === (header.nextValidatorSetHash === undefined);
    if (!isRight) return { kind: "invalid", code: "wrongRoots" };
    const hash = blockHashOf(header);
    this.#overlay(block, hash, parent.digests);
    return { kind: "valid", hash };
  }

  find(hash: Uint8Array): Block | undefined {
    const height = this.#heightOf.get(toHex(hash));
    return height === undefined ? this.#overlays.get(toHex(hash))?.block : this.committed[height - 1]?.block;
  }

  commit(blocks: readonly FinalizedBlock[]): void {
    for (const final of blocks) {
      const overlay = this.#overlays.get(toHex(final.hash));
      assert(overlay !== undefined, "a final block was executed");
      assert(bytesEqual(final.block.header.parentHash, this.tip().hash), "a final block extends the chain");
      for (const digest of final.block.batchDigests) {
        assert(!this.isExecuted(digest), "a batch is executed once");
        this.#executedDigests.add(toHex(digest));
        this.#pending.delete(toHex(digest));
      }
      this.#stateRoots.push(overlay.stateRoot);
      this.committed.push(final);
      this.#heightOf.set(toHex(final.hash), final.block.header.height);
      this.#overlays.delete(toHex(final.hash));
    }
    for (const [key, overlay] of this.#overlays) if (!this.#descendsFromTip(overlay.block)) this.#overlays.delete(key);
  }

  discard(hash: Uint8Array): void {
    this.#overlays.delete(toHex(hash));
  }

  /** Overlays held, for bounds. */
  get overlayCount(): number {
    return this.#overlays.size;
  }

  #descendsFromTip(block: Block): boolean {
    const tip = this.tip().hash;
    for (let at: Block | undefined = block; at; at = this.#overlays.get(toHex(at.header.parentHash))?.block) {
      if (bytesEqual(at.header.parentHash, tip)) return true;
    }
    return false;
  }

  #boundaryOf(height: number, epoch: number): { nextValidatorSetHash?: Uint8Array } {
    return height % this.rules.epochBlocks === 0 ? { nextValidatorSetHash: this.rules.setOf(epoch + 1).hash } : {};
  }

  #overlay(block: Block, hash: Uint8Array, inherited: ReadonlySet<string>): void {
    const digests = new Set([...inherited, ...block.batchDigests.map(toHex)]);
    this.#overlays.set(toHex(hash), { block, hash, stateRoot: block.header.stateRoot, digests });
  }

  #parentOf(hash: Uint8Array): { height: number; stateRoot: Uint8Array; digests: ReadonlySet<string> } | undefined {
    const overlay = this.#overlays.get(toHex(hash));
    if (overlay) return { height: overlay.block.header.height, stateRoot: overlay.stateRoot, digests: overlay.digests };
    const tip = this.tip();
    return bytesEqual(hash, tip.hash) ? { height: tip.height, stateRoot: this.stateRoot, digests: new Set() } : undefined;
  }
}

function execute(stateRoot: Uint8Array, digests: readonly Uint8Array[]): Uint8Array {
  return digests.reduce((root, digest) => sha256(concatBytes(root, digest)), stateRoot);
}
