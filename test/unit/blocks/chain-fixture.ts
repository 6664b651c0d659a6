import {
  type BatchLocation,
  type BatchSource,
  type BlockObserver,
  type BlockOutcome,
  BlockService,
  CHAIN_APPLICATION_ID,
  CHAIN_MIGRATIONS,
  type ChainLane,
  type ChainReader,
  HASH_INDEX_TUNING,
  HashIndex,
  type HashIndexTuning,
  type HeldBatch,
  type StateOverlay,
  type StatePort,
} from "../../../src/blocks/index.ts";
import type { BlockPort, FinalizedBlock } from "../../../src/consensus/index.ts";
import { localSigner, merkleRoot, type Signer, sha256, verifyEd25519 } from "../../../src/crypto/index.ts";
import { type LaneRecord, sealBlockRecords, sealGenesisRecords } from "../../../src/events/index.ts";
import { bytesEqual, compareBytes, concatBytes, parseHex, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { type EntryChange, genesisEntries, type LedgerView } from "../../../src/ledger/index.ts";
import {
  type AccountEntry,
  accountKey,
  type Batch,
  type Block,
  type Certificate,
  type DeviceEntry,
  decodeTransaction,
  deviceKey,
  encodeBatch,
  encodeEntry,
  formatAddress,
  GENESIS_FORMAT,
  type Genesis,
  genesisOf,
  makeBatch,
  makeBitmap,
  makeValidatorSet,
  proposalIdOf,
  type StateEntry,
  SUPPLY_KEY,
  type SupplyEntry,
  signTransaction,
  type TransactionBody,
  transactionAad,
  type ValidatorSet,
  VOTE_KIND,
  voteSignBytes,
} from "../../../src/protocol/index.ts";
import { type Database, MemoryFileSystem, openMemoryDatabase } from "../../../src/storage/index.ts";

/** A signer from a word, so that fixtures read well. */
export function signerOf(word: string): Signer {
  return localSigner(sha256(utf8(word)));
}

/** A state kept the simplest way there is: maps of entries, the root a Merkle root over all of them in key order. */
export class PlainState implements StatePort<PlainOverlay> {
  height = 0;
  #entries: ReadonlyMap<string, StateEntry>;
  #overlays: PlainOverlay[] = [];
  root: Uint8Array;

  constructor(genesis: Genesis) {
    this.#entries = apply(new Map(), genesisEntries(genesis));
    this.root = rootOf(this.#entries);
  }

  viewOn(overlay: PlainOverlay | undefined): LedgerView {
    return viewOf(overlay?.entries ?? this.#entries);
  }

  stack(below: PlainOverlay | undefined, changes: readonly EntryChange[]): PlainOverlay {
    const entries = apply(below?.entries ?? this.#entries, changes);
    const overlay = { entries, root: rootOf(entries) };
    this.#overlays.push(overlay);
    return overlay;
  }

  fold(overlay: PlainOverlay, height: number): void {
    if (height !== this.height + 1 || !this.#overlays.includes(overlay))
      throw new RangeError("only an overlay on the finalized state is folded");
    this.#entries = overlay.entries;
    this.root = overlay.root;
    this.height = height;
  }
}

/** Entries after a block. */
export type PlainOverlay = StateOverlay & { readonly entries: ReadonlyMap<string, StateEntry> };

function apply(entries: ReadonlyMap<string, StateEntry>, changes: readonly EntryChange[]): ReadonlyMap<string, StateEntry> {
  const after = new Map(entries);
  for (const { key, entry } of changes) {
    if (entry) after.set(toHex(key), entry);
    else after.delete(toHex(key));
  }
  return after;
}

function rootOf(entries: ReadonlyMap<string, StateEntry>): Uint8Array {
  const leaves = [...entries].map(([name, entry]) => [parseHex(name) ?? new Uint8Array(0), encodeEntry(entry)] as const);
  return merkleRoot(leaves.sort(([a], [b]) => compareBytes(a, b)).map(([key, value]) => concatBytes(key, value)));
}

function viewOf(entries: ReadonlyMap<string, StateEntry>): LedgerView {
  const find = <K extends StateEntry["kind"]>(key: Uint8Array, kind: K): Extract<StateEntry, { kind: K }> | undefined => {
    const entry = entries.get(toHex(key));
    return entry?.kind === kind ? (entry as Extract<StateEntry, { kind: K }>) : undefined;
  };
  return {
    find: (key) => entries.get(toHex(key)),
    findAccount: (publicKey): AccountEntry | undefined => find(accountKey(publicKey), "account"),
    findDevice: (publicKey): DeviceEntry | undefined => find(deviceKey(publicKey), "device"),
    supply: (): SupplyEntry => find(SUPPLY_KEY, "supply") ?? { kind: "supply", issued: 0n, burned: 0n },
  };
}

/** Batches in memory, offered oldest first until a block names them; what blocks told of commits is kept. */
export class PlainBatches implements BatchSource {
  readonly outcomes: BlockOutcome[] = [];
  readonly #aad: Uint8Array;
  readonly #held = new Map<string, HeldBatch>();
  readonly #pending = new Set<string>();

  constructor(genesis: Genesis) {
    this.#aad = transactionAad(genesis.hash);
  }

  add(batch: Batch): HeldBatch {
    const transactions = batch.transactions.map((encoded) => {
      const transaction = decodeTransaction(this.#aad, encoded);
      if (!transaction.ok) throw new RangeError("a fixture's transaction decodes");
      return transaction.value;
    });
    const sizeBytes = encodeBatch(batch).length;
    const record = this.#held.size;
    const held = {
      digest: batch.digest,
      header: batch.header,
      transactions,
      sizeBytes,
      location: { record, segment: 0, offset: record * 1_000, length: sizeBytes + 1 },
    };
    this.#held.set(toHex(batch.digest), held);
    this.#pending.add(toHex(batch.digest));
    return held;
  }

  forget(digest: Uint8Array): void {
    this.#held.delete(toHex(digest));
    this.#pending.delete(toHex(digest));
  }

  select(
    limits: { readonly bytes: number; readonly transactions: number },
    isExcluded: (digestHex: string) => boolean,
  ): readonly HeldBatch[] {
    const chosen: HeldBatch[] = [];
    let { bytes, transactions } = limits;
    for (const name of this.#pending) {
      const held = this.#held.get(name);
      if (!held || isExcluded(name)) continue;
      bytes -= held.sizeBytes;
      transactions -= held.header.count;
      if (bytes < 0 || transactions < 0) break;
      chosen.push(held);
    }
    return chosen;
  }

  hasIncludable(): boolean {
    return this.#pending.size > 0;
  }

  find(digest: Uint8Array): HeldBatch | undefined {
    return this.#held.get(toHex(digest));
  }

  read(digest: Uint8Array, location: BatchLocation): HeldBatch | undefined {
    const held = this.#held.get(toHex(digest));
    if (held && held.location.record !== location.record) throw new RangeError("a batch is read where it stands");
    return held;
  }

  replayMark(): number {
    return this.#held.size - this.#pending.size;
  }

  onCommitted(outcome: BlockOutcome): void {
    this.outcomes.push(outcome);
    for (const digest of outcome.batchDigests) this.#pending.delete(toHex(digest));
  }
}

/** What a test makes a chain of. */
export type ChainOptions = {
  readonly validators?: number;
  readonly epochBlocks?: number;
  readonly feePolicy?: "burn" | "validators";
  readonly blockTransactionsMax?: number;
  readonly blockBytesMax?: number;
  readonly tuning?: HashIndexTuning;
};

/** Accounts with funds in every fixture. */
export const ACCOUNTS = ["alice", "bob", "carol"] as const;

/** A chain of real blocks under real certificates, over a state and batches that are kept simply. */
export class TestChain {
  readonly genesis: Genesis;
  readonly validatorSet: ValidatorSet;
  readonly signers: readonly Signer[];
  readonly fs: MemoryFileSystem;
  readonly database: Database;
  readonly batches: PlainBatches;
  readonly laneRecords: LaneRecord[] = [];
  readonly damage: Error[] = [];
  readonly noticed: string[] = [];
  state: PlainState;
  index: HashIndex;
  service: BlockService<PlainOverlay, LaneRecord>;
  readonly #options: ChainOptions;
  readonly #nonces = new Map<string, bigint>();
  readonly #keyring = new Map<string, Signer>();
  #sequence = 0;

  constructor(options: ChainOptions = {}) {
    this.#options = options;
    const count = options.validators ?? 1;
    const signers = Array.from({ length: count }, (_, at) => signerOf(`validator ${at}`));
    this.signers = signers.sort((a, b) => compareBytes(a.publicKey, b.publicKey));
    for (const signer of this.signers) this.#keyring.set(toHex(signer.publicKey), signer);
    this.genesis = makeGenesis(this.signers, options);
    const set = makeValidatorSet(
      this.genesis.validators.map((v) => ({ publicKey: v.publicKey, owner: v.owner, weight: v.stake, reputation: 10_000 })),
    );
    if (!set.ok) throw new RangeError(set.error);
    this.validatorSet = set.value;
    this.fs = new MemoryFileSystem();
    this.fs.makeDirectory("/home");
    this.database = openMemoryDatabase({ applicationId: CHAIN_APPLICATION_ID, migrations: CHAIN_MIGRATIONS });
    this.batches = new PlainBatches(this.genesis);
    this.state = new PlainState(this.genesis);
    this.index = this.#openIndex();
    this.service = this.#openService();
    this.service.recover(0);
  }

  /** Starts again on the same database and index files, with the state of genesis unless another is given. */
  restart(
    batchesHeight = this.service.reader.tipHeight,
    state = new PlainState(this.genesis),
    genesis = this.genesis,
  ): ReturnType<BlockService<PlainOverlay, LaneRecord>["recover"]> {
    this.index.close();
    this.state = state;
    this.index = this.#openIndex();
    this.service = this.#openService(genesis);
    return this.service.recover(batchesHeight);
  }

  /** A signed transaction of an account, with the account's next nonce unless another is given. */
  transaction(
    from: string,
    body: TransactionBody,
    change: { readonly nonce?: bigint; readonly fee?: bigint; readonly validUntil?: bigint } = {},
  ): Uint8Array {
    const signer = signerOf(from);
    const nonce = change.nonce ?? this.#nonces.get(from) ?? 0n;
    if (change.nonce === undefined) this.#nonces.set(from, nonce + 1n);
    const payload = { sender: signer.publicKey, nonce, fee: change.fee ?? 10n, validUntil: change.validUntil ?? 100_000n, body };
    return signTransaction(signer, transactionAad(this.genesis.hash), payload);
  }

  /** A transfer of an account. */
  transfer(
    from: string,
    to: string,
    amount: bigint,
    change: { readonly nonce?: bigint; readonly fee?: bigint; readonly validUntil?: bigint } = {},
  ): Uint8Array {
    return this.transaction(from, { type: 1, to: signerOf(to).publicKey, amount }, change);
  }

  /** Seals transactions into a batch of the first validator and offers it. */
  offer(...transactions: readonly Uint8Array[]): HeldBatch {
    const [author] = this.signers;
    if (!author) throw new RangeError("a chain has a validator");
    return this.batches.add(makeBatch(author, this.genesis.hash, this.#sequence++, transactions));
  }

  /** Builds a block on a parent (default: the tip) at the next view. */
  build(
    change: {
      readonly parent?: Block;
      readonly view?: number;
      readonly timeMs?: number;
      readonly isEmpty?: boolean;
      readonly evidence?: readonly Uint8Array[];
    } = {},
  ): FinalizedBlock {
    const tip = this.service.tip();
    const parentHeader = change.parent?.header;
    const parentHash = change.parent ? hashOf(this.service, change.parent) : tip.hash;
    const opened = this.service.reader.currentEpoch().epoch;
    const doesParentEnd = parentHeader?.nextValidatorSetHash !== undefined;
    const epoch = parentHeader ? parentHeader.epoch + Number(doesParentEnd) : opened;
    const parentEpoch = parentHeader?.epoch ?? tip.epoch;
    const parentView = parentHeader?.view ?? tip.view;
    const view = change.view ?? (epoch === parentEpoch ? parentView + 1 : 1);
    const height = (parentHeader?.height ?? tip.height) + 1;
    const parentCertificate = height === 1 ? undefined : this.certify(VOTE_KIND.finalize, parentEpoch, parentView, parentHash);
    const { block, hash } = this.service.build({
      epoch,
      view,
      leader: view % this.setOf(epoch).validators.length,
      parentHash,
      ...(parentCertificate && { parentCertificate }),
      timeMs: change.timeMs ?? (parentHeader?.timeMs ?? tip.timeMs) + 100,
      isEmpty: change.isEmpty ?? false,
      validatorSet: this.setOf(epoch),
      evidence: change.evidence ?? [],
    });
    return { block, hash, finalization: this.certify(VOTE_KIND.finalize, epoch, view, hash) };
  }

  /** Builds the next block on the tip of other blocks of this chain and commits it there. */
  commitOn(service: BlockPort & { readonly reader: ChainReader }): FinalizedBlock {
    const tip = service.tip();
    const { epoch } = service.reader.currentEpoch();
    const view = epoch === tip.epoch ? tip.view + 1 : 1;
    const parentCertificate = tip.height === 0 ? undefined : this.certify(VOTE_KIND.finalize, tip.epoch, tip.view, tip.hash);
    const { block, hash } = service.build({
      epoch,
      view,
      leader: view % this.signers.length,
      parentHash: tip.hash,
      ...(parentCertificate && { parentCertificate }),
      timeMs: tip.timeMs + 100,
      isEmpty: false,
      validatorSet: this.validatorSet,
      evidence: [],
    });
    const finalized = { block, hash, finalization: this.certify(VOTE_KIND.finalize, epoch, view, hash) };
    service.commit([finalized]);
    return finalized;
  }

  /** Builds and commits the next block. */
  grow(change: { readonly isEmpty?: boolean; readonly timeMs?: number; readonly evidence?: readonly Uint8Array[] } = {}): FinalizedBlock {
    const finalized = this.build(change);
    this.service.commit([finalized]);
    return finalized;
  }

  /** The set of an epoch; that of genesis for one that no committed block opened, since sets seldom change here. */
  setOf(epoch: number): ValidatorSet {
    return this.service.findEpoch(epoch)?.validatorSet ?? this.validatorSet;
  }

  /** A signer under whose key a validator may come into a set. */
  addSigner(word: string): Signer {
    const signer = signerOf(word);
    this.#keyring.set(toHex(signer.publicKey), signer);
    return signer;
  }

  /** A certificate on a block by every validator. */
  certify(kind: 1 | 3, epoch: number, view: number, blockHash: Uint8Array): Certificate {
    const proposal = { epoch, view, parentView: view - 1, blockHash };
    const message = voteSignBytes(this.genesis.hash, { kind, epoch, view, proposalId: proposalIdOf(proposal) });
    const signers = this.setOf(epoch).validators.map(({ publicKey }) => this.#keyring.get(toHex(publicKey)) as Signer);
    const all = signers.map((_, at) => at);
    return {
      kind,
      epoch,
      view,
      proposal,
      bitmap: makeBitmap(all, all.length),
      signatures: signers.map((signer) => signer.sign(message)),
    };
  }

  #openIndex(): HashIndex {
    const parts = {
      fs: this.fs,
      directory: "/home/index",
      chainId: this.genesis.hash,
      log: silentLog,
      onDamage: (error: Error) => this.damage.push(error),
    };
    return new HashIndex(parts, this.#options.tuning ?? HASH_INDEX_TUNING);
  }

  #openService(genesis = this.genesis): BlockService<PlainOverlay, LaneRecord> {
    const lane: ChainLane<LaneRecord> = {
      sealGenesis: sealGenesisRecords,
      sealBlock: sealBlockRecords,
      onCommitted: (records) => this.laneRecords.push(...records),
    };
    const { validatorSet, state, batches, index, database } = this;
    const observer: BlockObserver = {
      onBuilt: (block) => this.noticed.push(`built ${block.header.height}`),
      onJudged: (block, verdict) => this.noticed.push(`judged ${block.header.height} ${verdict}`),
    };
    return new BlockService({
      observer,
      database,
      genesis,
      validatorSet,
      state,
      batches,
      lane,
      index,
      verifySignature: verifyEd25519,
      log: silentLog,
    });
  }
}

function hashOf(service: BlockService<PlainOverlay, LaneRecord>, block: Block): Uint8Array {
  const tip = service.tip();
  const verdict = service.check(block, service.reader.currentEpoch().validatorSet);
  if (verdict.kind === "valid") return verdict.hash;
  if (bytesEqual(tip.hash, block.header.parentHash)) return tip.hash;
  throw new RangeError(`a parent in a fixture is valid, not ${verdict.kind}`);
}

function makeGenesis(signers: readonly Signer[], options: ChainOptions): Genesis {
  return genesisOf({
    format: GENESIS_FORMAT,
    chainName: "test",
    time: "2026-01-01T00:00:00Z",
    parameters: {
      minimumFee: "1",
      maxValidity: "1000000",
      feePolicy: options.feePolicy ?? "burn",
      blockBytesMax: options.blockBytesMax ?? 1_048_576,
      blockTransactionsMax: options.blockTransactionsMax ?? 4_096,
      epochBlocks: options.epochBlocks ?? 1_000_000,
      epochMs: 1_000_000_000,
    },
    accounts: [...ACCOUNTS, "owner"].map((word) => ({ address: formatAddress(signerOf(word).publicKey), balance: "1000000000" })),
    validators: signers.map((signer, at) => ({
      name: `v${at}`,
      publicKey: toHex(signer.publicKey),
      owner: formatAddress(signerOf("owner").publicKey),
      stake: "100",
      proofOfPossession: "00".repeat(64),
    })),
    signatures: [],
  });
}
