/**
 * Floor 5. Disaster recovery: snapshots of the state in an object store, and a state again from them.
 *
 * Invariants: a backup holds the state, what proves it from genesis, and the node's settings; never a key, never the
 * consensus journal, so nothing that is restored can sign (DR-2, DR-3). What a restore gives was checked down to each byte:
 * the manifest's signature, each object's hash, each part's authenticated encryption, and the state root against a header
 * that is final by a chain of certificates from genesis. A backup is complete or not there: its manifest comes last.
 *
 * Never trusts the object store, never writes into a home that is in use, never decides who validates.
 */
export { type BackupSource, BackupUnreadable, BackupWriter, type BackupWriterParts, type TakenBackup } from "./backup-writer.ts";
export { type BackupEntry, listBackups, newestUntil } from "./catalogue.ts";
export {
  type BackupOpener,
  fetchBackup,
  type OpenedBackup,
  openBackup,
  type RestoreFault,
  type RestoreTrust,
  snapshotManifestBytes,
} from "./fetch-backup.ts";
export { type BackupManifest, verifyBackupManifest } from "./manifest.ts";
export { makeRecoveryKey, openRecoveryKey, RECIPIENT_PATTERN } from "./recovery-key.ts";
export { planRetention, RETENTION_DEFAULT, type Retention } from "./retention.ts";
