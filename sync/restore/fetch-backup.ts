import { type CryptoSuite, sha256 } from "../../src/crypto/index.ts";
import { assert, bytesEqual, err, ok, type Result, toHex } from "../../src/kernel/index.ts";
import {
  type BlockHeader,
  decodeSnapshotManifest,
  encodeSnapshotManifest,
  SNAPSHOT_LIMITS,
  type SnapshotManifest,
  type ValidatorSet,
  verifyChainAnchor,
} from "../../src/protocol/index.ts";
import { SnapshotWriter, State } from "../../src/state/index.ts";
import type { FileSystem, ObjectStore } from "../../src/storage/index.ts";
import { objectName } from "./catalogue.ts";
import { BACKUP_LIMITS } from "./limits.ts";
import { type BackupManifest, verifyBackupManifest } from "./manifest.ts";
import { openEnclosure, openPart } from "./sealing.ts";

/**
 * Why a backup cannot be used, in words for the person who restores.
 *
 * `missing` an object is not in the store; `damaged` an object is not what was stored; `badSignature` nobody signed the
 * manifest so; `otherIdentity`, `otherNetwork`, `otherNode` it is another's; `notForThisKey` another key opens it; `notFinal`
 * genesis does not prove its block; `otherState` its parts give another state than the block says.
 */
export type RestoreFault = {
  readonly code:
    | "missing"
    | "damaged"
    | "malformed"
    | "badSignature"
    | "otherIdentity"
    | "otherNetwork"
    | "otherNode"
    | "notForThisKey"
    | "notFinal"
    | "otherState";
  readonly detail: string;
};

/** What a backup is judged by. */
export type RestoreTrust = {
  readonly suite: CryptoSuite;
  /** Genesis hash, and the set of epoch 0: the root of all trust. */
  readonly chainId: Uint8Array;
  readonly genesisSet: ValidatorSet;
  readonly node: string;
  /** The node's identity where the restorer knows it; without it the manifest's own is taken and told. */
  readonly identityKey?: Uint8Array;
};

/** A backup whose proof holds; its parts are still to be fetched. */
export type OpenedBackup = {
  readonly manifest: BackupManifest;
  readonly snapshot: SnapshotManifest;
  readonly header: BlockHeader;
  readonly configuration: string;
  readonly contentKey: Uint8Array;
};

/** Opens what only recipients can: by a recipient's secret (an age identity), or by what the node that took it still knows. */
export type BackupOpener = { readonly identity: string } | { readonly contentKey: Uint8Array; readonly anchorHash: Uint8Array };

/**
 * Verifies a manifest and the proof in it: signature, network, node, identity, then the block from genesis as a light client
 * would.
 *
 * @param bytes the manifest as the store gave it
 */
export async function openBackup(
  store: ObjectStore,
  bytes: Uint8Array,
  trust: RestoreTrust,
  opener: BackupOpener,
): Promise<Result<OpenedBackup, RestoreFault>> {
  const signed = verifyBackupManifest(bytes);
  if (!signed.ok) {
    const detail =
      signed.error === "badSignature" ? "its manifest is not signed by the node it names" : "its manifest is not one, or damaged";
    return refuse(signed.error, detail);
  }
  const manifest = signed.value;
  const { node, chainId, identityKey } = trust;
  if (!bytesEqual(manifest.chainId, chainId)) return refuse("otherNetwork", `it is of the network ${toHex(manifest.chainId)}`);
  if (manifest.node !== node) return refuse("otherNode", `it is of the node ${manifest.node}`);
  if (identityKey && !bytesEqual(manifest.identityKey, identityKey))
    return refuse("otherIdentity", `it is signed by ${toHex(manifest.identityKey)}, expected ${toHex(identityKey)}`);
  const opened = await openProofKey(manifest, opener);
  if (!opened.ok) return opened;
  const { contentKey, anchorHash, configuration } = opened.value;
  const sealed = await getObject(store, manifest, 0);
  if (!sealed.ok) return sealed;
  const proof = await openPart(contentKey, anchorHash, sealed.value, SNAPSHOT_LIMITS.manifestBytesMax);
  if (!proof.ok) return refuse("damaged", "its proof does not open");
  const snapshot = decodeSnapshotManifest(proof.value);
  if (!snapshot.ok) return refuse("malformed", "its proof is none");
  const proven = verifyChainAnchor(trust.suite, { chainId, epoch: 0, set: trust.genesisSet }, snapshot.value);
  if (!proven.ok) return refuse("notFinal", `its block is not proven by this genesis: ${proven.error.detail}`);
  const header = proven.value;
  if (header.height !== manifest.height || !bytesEqual(header.stateRoot, manifest.stateRoot))
    return refuse("otherState", "its manifest names another block than its proof");
  if (snapshot.value.parts.length + 1 !== manifest.objects.length) return refuse("malformed", "it has not as many objects as parts");
  return ok({ manifest, snapshot: snapshot.value, header, configuration, contentKey });
}

/**
 * Fetches the parts into a checkpoint file, each checked by hash, encryption and shape, and compares the whole with the
 * state root of the final header. A file that an earlier try left unfinished is gone on with.
 *
 * @param path of the file; it is in its place, durable, only when everything is right
 * @param onPart told after each part: how many are there, of how many
 * @throws StorageError when the disk does not serve
 */
export async function fetchBackup(
  store: ObjectStore,
  { manifest, snapshot, header, contentKey }: OpenedBackup,
  fs: FileSystem,
  path: string,
  onPart: (done: number, total: number) => void = () => {},
): Promise<Result<State, RestoreFault>> {
  const { chainId } = manifest;
  const mark = { chainId, height: header.height, stateRoot: header.stateRoot };
  if (fs.stat(path) === undefined) {
    const writer = new SnapshotWriter(fs, path, mark, snapshot.parts);
    for (let wanted = writer.wanted; wanted; wanted = writer.wanted) {
      const sealed = await getObject(store, manifest, writer.taken + 1);
      const part = sealed.ok ? await openPart(contentKey, wanted.hash, sealed.value, wanted.sizeBytes) : sealed;
      if (!part.ok || !writer.take(part.value).ok) {
        writer.abandon();
        return part.ok || typeof part.error === "string"
          ? refuse("damaged", `part ${writer.taken + 1} is not what was stored`)
          : err(part.error);
      }
      onPart(writer.taken, snapshot.parts.length);
    }
    writer.finish();
  }
  const loaded = State.load(fs, path, chainId);
  if (loaded.ok && bytesEqual(loaded.value.root, header.stateRoot) && loaded.value.height === header.height) return ok(loaded.value);
  fs.remove(path);
  return refuse("otherState", loaded.ok ? "its parts give another state than its block says" : loaded.error.detail);
}

/** What a restored home keeps beside its state, so that its chain can begin there. */
export function snapshotManifestBytes({ snapshot }: OpenedBackup): Uint8Array {
  return encodeSnapshotManifest(snapshot);
}

type ProofKey = { readonly contentKey: Uint8Array; readonly anchorHash: Uint8Array; readonly configuration: string };

async function openProofKey(manifest: BackupManifest, opener: BackupOpener): Promise<Result<ProofKey, RestoreFault>> {
  if ("contentKey" in opener) return ok({ ...opener, configuration: "" });
  const enclosure = await openEnclosure(opener.identity, manifest.enclosure);
  if (enclosure.ok) return enclosure;
  if (enclosure.error === "malformed") return refuse("malformed", "what is enclosed in it is not what a node encloses");
  return refuse("notForThisKey", "it was encrypted to other recovery keys than this one, or its enclosure is damaged");
}

async function getObject(
  store: ObjectStore,
  { chainId, node, objects }: BackupManifest,
  at: number,
): Promise<Result<Uint8Array, RestoreFault>> {
  const object = objects[at];
  assert(object !== undefined, "an object is asked for that the manifest names");
  const name = objectName(chainId, node, object.hash);
  const bytes = await store.get(name);
  if (!bytes) return refuse("missing", `${name} is not in the store`);
  const isRight =
    bytes.length === object.sizeBytes && bytes.length <= BACKUP_LIMITS.objectBytesMax && bytesEqual(sha256(bytes), object.hash);
  return isRight ? ok(bytes) : refuse("damaged", `${name} is not what was stored`);
}

function refuse(code: RestoreFault["code"], detail: string): { readonly ok: false; readonly error: RestoreFault } {
  return err({ code, detail });
}
