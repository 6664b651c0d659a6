import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { localSigner, nativeSuite, sha256 } from "../../../../src/crypto/index.ts";
import { type Clock, type Entropy, Prng, present, utf8 } from "../../../../src/kernel/index.ts";
import {
  type Block,
  batchRootOf,
  blockHashOf,
  type ChainAnchor,
  makeBitmap,
  makeValidatorSet,
  proposalIdOf,
  VOTE_KIND,
  voteSignBytes,
} from "../../../../src/protocol/index.ts";
import { InlineCheckpointWriter, SnapshotFile } from "../../../../src/state/index.ts";
import { buildTree } from "../../../../src/state/tree.ts";
import { type FileSystem, MemoryFileSystem, type ObjectStore } from "../../../../src/storage/index.ts";
import { type BackupSource, BackupWriter, type RestoreTrust } from "../../../../sync/restore/index.ts";
import { account, CHAIN_ID } from "../../state/state-fixture.ts";

/** Objects in memory, each of which a test may spoil. */
export class MemoryObjects implements ObjectStore {
  readonly kind = "memory";
  readonly objects = new Map<string, Uint8Array>();
  puts = 0;
  /** How many puts succeed before the store fails. */
  failsAfter = Number.POSITIVE_INFINITY;

  async put(name: string, bytes: Uint8Array): Promise<void> {
    if (this.puts >= this.failsAfter) throw Object.assign(new Error("the store is gone"), { code: "ECONNREFUSED" });
    this.puts++;
    this.objects.set(name, bytes.slice());
  }

  async getPart(name: string, from: number, to: number): Promise<Uint8Array | undefined> {
    return (await this.get(name))?.slice(from, to);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.objects.get(name)?.slice();
  }

  async list(prefix: string, after: string, limit: number): Promise<readonly { name: string; sizeBytes: number }[]> {
    const names = [...this.objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    return names.slice(0, limit).map((name) => ({ name, sizeBytes: this.objects.get(name)?.length ?? 0 }));
  }

  async delete(name: string): Promise<void> {
    this.objects.delete(name);
  }

  async close(): Promise<void> {}
}

const signers = ["a", "b", "c", "d"].map((name) => localSigner(sha256(utf8(`validator ${name}`))));
const made = makeValidatorSet(signers.map(({ publicKey }) => ({ publicKey, owner: publicKey, weight: 1n, reputation: 10_000 })));
if (!made.ok) throw new Error(made.error);
const set = made.value;

/** The node whose backups these are. */
export const IDENTITY = localSigner(sha256(utf8("an identity")));
export const NODE = "node-A_1";
export const CONFIGURATION = '[node]\nid = "node-A_1"\n';
export const TRUST: RestoreTrust = { suite: nativeSuite, chainId: CHAIN_ID, genesisSet: set, node: NODE };
/** Two recipients, as age identities, and their public halves. */
export const SECRETS = [await generateX25519Identity(), await generateX25519Identity()] as const;
export const RECIPIENTS = await Promise.all(SECRETS.map((secret) => identityToRecipient(secret)));

/** A state at a height, in a checkpoint file, with the proof that its block is final. */
export async function sourceAt(
  height: number,
  accounts = 30_000,
  fs: FileSystem = new MemoryFileSystem(),
  path = "/state",
): Promise<BackupSource> {
  const tree = buildTree(Array.from({ length: accounts }, (_, i) => account(i, BigInt(i === 0 ? height : 5), 0n)));
  const stateRoot = tree.root();
  await new InlineCheckpointWriter(fs, path).write({ mark: { chainId: CHAIN_ID, height, stateRoot }, buckets: tree.snapshot() });
  const walk = SnapshotFile.open(fs, path, CHAIN_ID);
  for (let step = walk.next(); ; step = walk.next()) {
    if (!step.done) continue;
    if (!step.value.ok) throw new Error(step.value.error.detail);
    const file = step.value.value;
    return { file, anchor: anchorOf(height, stateRoot), configuration: CONFIGURATION };
  }
}

function anchorOf(height: number, stateRoot: Uint8Array): ChainAnchor {
  const zero = new Uint8Array(32);
  const block: Block = {
    header: {
      version: 1,
      chainId: CHAIN_ID,
      height,
      epoch: 0,
      view: height,
      parentHash: zero,
      leader: 0,
      timeMs: 1_000 + height,
      batchRoot: batchRootOf([]),
      stateRoot,
      receiptRoot: zero,
      validatorSetHash: set.hash,
      parentBitmap: new Uint8Array(0),
    },
    batchDigests: [],
    evidence: [],
  };
  const proposal = { epoch: 0, view: height, parentView: 0, blockHash: blockHashOf(block.header) };
  const statement = { kind: VOTE_KIND.finalize, epoch: 0, view: height, proposalId: proposalIdOf(proposal) };
  const members = set.validators
    .slice(0, 3)
    .map(({ publicKey }) => signers.find((signer) => Buffer.from(signer.publicKey).equals(publicKey)));
  const signatures = members.map((signer) => present(signer, "a member signs").sign(voteSignBytes(CHAIN_ID, statement)));
  const finalization = { kind: VOTE_KIND.finalize, epoch: 0, view: height, proposal, bitmap: makeBitmap([0, 1, 2], 4), signatures };
  return { block, finalization, hops: [] };
}

/** A clock that a test moves, and a writer on it; a benchmark brings a stopwatch of its own. */
export function writerOn(store: ObjectStore, stopwatch?: () => number): { writer: BackupWriter; clock: { nowMs: number } } {
  const time = { nowMs: 1_700_000_000_000 };
  const clock: Clock = { nowMs: () => time.nowMs, monotonicMs: stopwatch ?? (() => time.nowMs) };
  const prng = new Prng(5);
  const entropy: Entropy = { bytes: (count) => prng.bytes(count) };
  const parts = { store, chainId: CHAIN_ID, node: NODE, identity: IDENTITY, recipients: RECIPIENTS, clock, entropy };
  return { writer: new BackupWriter(parts), clock: time };
}
