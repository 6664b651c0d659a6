import { DOMAIN_TAGS, type Signer, sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { assert, bytesEqual, CborReader, CborWriter, err, ok, type Result } from "../../src/kernel/index.ts";
import { BACKUP_LIMITS } from "./limits.ts";

/** An object of a backup: its name follows from the SHA-256 of its bytes. */
export type BackupObject = { readonly hash: Uint8Array; readonly sizeBytes: number };

/** What a backup says of itself in clear, signed by the node that took it. */
export type BackupManifest = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  readonly node: string;
  /** Signs the manifest, 32 bytes. */
  readonly identityKey: Uint8Array;
  /** Wall clock of the node, ms since the Unix epoch. */
  readonly takenAtMs: number;
  /** Block that the state is after, and what the state's root is by it; the proof is inside. */
  readonly height: number;
  readonly stateRoot: Uint8Array;
  /** For the recipients alone, in the age format. */
  readonly enclosure: Uint8Array;
  /** The proof, then the parts of the state in order. */
  readonly objects: readonly BackupObject[];
};

/** Signs and encodes: array [body, signature], the body an array [1, chain, node, key, time, height, root, enclosure, [[hash, size] ...]]. */
export function encodeBackupManifest(manifest: BackupManifest, identity: Signer): Uint8Array {
  assert(bytesEqual(identity.publicKey, manifest.identityKey), "a manifest is signed by the key that it names");
  assert(manifest.objects.length > 0 && manifest.objects.length <= BACKUP_LIMITS.objectsMax, "a backup has its proof and its parts");
  const w = new CborWriter(4_096).array(9).uint(1).bytes(manifest.chainId).text(manifest.node).bytes(manifest.identityKey);
  w.uint(manifest.takenAtMs).uint(manifest.height).bytes(manifest.stateRoot).bytes(manifest.enclosure).array(manifest.objects.length);
  for (const { hash, sizeBytes } of manifest.objects) w.array(2).bytes(hash).uint(sizeBytes);
  const body = w.finish();
  return new CborWriter(body.length + 80)
    .array(2)
    .bytes(body)
    .bytes(identity.sign(signBytes(body)))
    .finish();
}

/**
 * Reads a manifest whose signature is that of the identity it names. Whether that identity is the wanted one is for the caller
 * to see; what the state is worth follows from genesis, not from it.
 */
export function verifyBackupManifest(bytes: Uint8Array): Result<BackupManifest, "malformed" | "badSignature"> {
  const outer = new CborReader(bytes);
  if (bytes.length > BACKUP_LIMITS.manifestBytesMax || outer.array(2) !== 2) outer.reject();
  const body = outer.bytes(1, BACKUP_LIMITS.manifestBytesMax);
  const signature = outer.bytes(64);
  if (!outer.isComplete) return err("malformed");
  const r = new CborReader(body);
  if (r.array(9) !== 9 || r.uint() !== 1) r.reject();
  const head = { chainId: r.bytes(32), node: r.text(1, 64), identityKey: r.bytes(32), takenAtMs: r.uint(), height: r.uint() };
  const stateRoot = r.bytes(32);
  const enclosure = r.bytes(1, BACKUP_LIMITS.manifestBytesMax);
  const count = r.array(BACKUP_LIMITS.objectsMax);
  const objects: BackupObject[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) {
    if (r.array(2) !== 2) r.reject();
    objects.push({ hash: r.bytes(32), sizeBytes: r.uint(BACKUP_LIMITS.objectBytesMax) });
  }
  if (!r.isComplete || objects.length === 0) return err("malformed");
  if (!verifyEd25519(head.identityKey, signBytes(body), signature)) return err("badSignature");
  return ok({ ...head, stateRoot, enclosure, objects });
}

function signBytes(body: Uint8Array): Uint8Array {
  return sha256(DOMAIN_TAGS.backupManifest, body);
}
