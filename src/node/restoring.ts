import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type BackupEntry,
  type BackupOpener,
  fetchBackup,
  type OpenedBackup,
  openBackup,
  type RestoreFault,
  type RestoreTrust,
  snapshotManifestBytes,
} from "../../sync/restore/index.ts";
import { SCRYPT_COST_DEFAULT } from "../crypto/index.ts";
import { makeKeyFile, parseKeyFile } from "../identity/index.ts";
import { assert, bytesEqual, toHex, utf8 } from "../kernel/index.ts";
import { findValidatorIndex } from "../protocol/index.ts";
import { nodeFileSystem, type ObjectStore, replaceFile } from "../storage/index.ts";
import { createJournal } from "../validator/index.ts";
import { bindNewKey } from "./custody.ts";
import { noteByHand } from "./hand-audit.ts";
import { HOME, writeNewFile } from "./home.ts";
import { systemEntropy } from "./ports.ts";
import { StartRefused } from "./start-refused.ts";

/** What a restore works with. */
export type RestoreOrder = {
  readonly home: string;
  /** The network's genesis document, which the person gives: every trust follows from it. */
  readonly genesisText: string;
  readonly store: ObjectStore;
  /** Backups to try, in this order. */
  readonly entries: readonly BackupEntry[];
  readonly trust: RestoreTrust;
  readonly opener: BackupOpener;
  /** Seals the new keys. */
  readonly passphrase: string;
  /** Told of a backup that cannot be used, before the next is tried. */
  readonly onFault: (entry: string, fault: RestoreFault) => void;
  readonly onPart: (done: number, total: number) => void;
};

/** What was restored. */
export type RestoredHome = {
  readonly height: number;
  readonly epoch: number;
  readonly takenAtMs: number;
  /** The new validator key: in no set, so this box follows and does not vote. */
  readonly publicKey: Uint8Array;
  readonly identityKey: Uint8Array;
  readonly wasResumed: boolean;
};

/** Files that a home which has been in use has, and a fresh one has not. */
const IN_USE = [HOME.chain, HOME.batches, HOME.node, HOME.ops, HOME.snapshot] as const;

/**
 * Makes a fresh home from a backup: settings, proven state, and new keys with an empty journal. The old box's keys and journal are
 * not in any backup, so nothing that this leaves can sign for it (DR-2, DR-3): it follows the chain until the owner gives the
 * validator its new key (DR-6). Cut short at any point, the same call goes on; the home is complete with its last step.
 *
 * @throws StartRefused in words when the folder is a home in use, or no backup can be used
 * @throws StorageError, or what the store throws, when a disk does not serve
 */
export async function restoreHome(order: RestoreOrder): Promise<RestoredHome> {
  const { home, genesisText } = order;
  const wanted = join(home, HOME.restoring);
  const wasResumed = existsSync(wanted);
  requireFresh(home, wasResumed);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  layText(join(home, HOME.genesis), genesisText);
  const opened = await obtainState(order, wasResumed ? new Uint8Array(readFileSync(wanted)) : undefined);
  if (opened.configuration !== "") layText(join(home, HOME.configuration), opened.configuration);
  const identityKey = await layIdentity(home, order.passphrase);
  const publicKey = await layValidatorKey(home, order.passphrase);
  // DR-3: what a restore leaves has a key that no set knows.
  const { hops } = opened.snapshot;
  const sets = [
    order.trust.genesisSet,
    ...hops.map(({ nextSet }) => nextSet),
    ...(opened.snapshot.nextSet ? [opened.snapshot.nextSet] : []),
  ];
  assert(
    sets.every((set) => findValidatorIndex(set, publicKey) === undefined),
    "a restored home never holds a key that may sign (DR-3)",
  );
  const { takenAtMs } = opened.manifest;
  const detail = `height ${opened.header.height}, from a backup taken at ${new Date(takenAtMs).toISOString()}; its key ${toHex(publicKey)} is new`;
  noteByHand(home, { actor: "operator", action: "restore", target: order.trust.node, outcome: "done", detail });
  replaceFile(nodeFileSystem, join(home, HOME.snapshot), snapshotManifestBytes(opened));
  nodeFileSystem.remove(wanted);
  nodeFileSystem.syncDirectory(home);
  const { height, epoch } = opened.header;
  return { height, epoch, takenAtMs: opened.manifest.takenAtMs, publicKey, identityKey, wasResumed };
}

/** The public half of the validator key in a home; undefined without one that can be read. */
export function validatorKeyOf(home: string): Uint8Array | undefined {
  const path = join(home, HOME.validatorKey);
  const file = existsSync(path) ? parseKeyFile(readFileSync(path, "utf8")) : undefined;
  return file?.ok && file.value.purpose === "validator" ? file.value.publicKey : undefined;
}

function requireFresh(home: string, isResumed: boolean): void {
  const found = IN_USE.filter((name) => existsSync(join(home, name)));
  if (!isResumed && validatorKeyOf(home) !== undefined) found.push(HOME.chain);
  if (found.length === 0) return;
  throw new StartRefused(
    `${home}: a restore makes a fresh home, and this one is or was in use; nothing was changed. Give --home a folder that does not exist. ` +
      "A home whose journal is there goes on best by itself: start it",
  );
}

/** The first backup whose every byte is right, its state in place. */
async function obtainState(order: RestoreOrder, begun: Uint8Array | undefined): Promise<OpenedBackup> {
  const { home, store, entries, onFault } = order;
  const wanted = join(home, HOME.restoring);
  const candidates: (BackupEntry | undefined)[] = begun ? [undefined, ...entries] : [...entries];
  for (const entry of candidates) {
    const name = entry?.name ?? "the backup that was begun with";
    const bytes = entry ? await store.get(entry.name) : begun;
    if (!bytes) {
      onFault(name, { code: "missing", detail: "it is not in the store any more" });
      continue;
    }
    const opened = await openBackup(store, bytes, order.trust, order.opener);
    if (!opened.ok) {
      onFault(name, opened.error);
      continue;
    }
    replaceFile(nodeFileSystem, wanted, bytes);
    const state = await fetchBackup(store, opened.value, nodeFileSystem, join(home, HOME.snapshotState), order.onPart);
    if (state.ok) return opened.value;
    onFault(name, state.error);
    rmSync(wanted, { force: true });
  }
  throw new StartRefused(
    `${home}: none of ${candidates.length} backups of ${order.trust.node} can be used; what is wrong with each stands above. ` +
      "Give another --recovery-key, --objects or --from; or let the new box take a snapshot from its peers, which needs no backup",
  );
}

/** Writes a text, or sees that it is there already: a restore that goes on. */
function layText(path: string, text: string): void {
  if (!existsSync(path)) replaceFile(nodeFileSystem, path, utf8(text));
  else if (!bytesEqual(new Uint8Array(readFileSync(path)), utf8(text)))
    throw new StartRefused(
      `${path}: it is another file than the one to be restored; move it away, or give --home a folder that does not exist`,
    );
}

async function layIdentity(home: string, passphrase: string): Promise<Uint8Array> {
  const path = join(home, HOME.identityKey);
  if (!existsSync(path)) {
    const { text } = await makeKeyFile("identity", passphrase, SCRYPT_COST_DEFAULT, systemEntropy);
    layKey(path, text);
  }
  const file = parseKeyFile(readFileSync(path, "utf8"));
  if (!file.ok) throw new StartRefused(`${path}: ${file.error.detail}; remove it and run the same command again`);
  return file.value.publicKey;
}

/** A new key with its journal, the journal first, so that a key that is there has one (J7). */
async function layValidatorKey(home: string, passphrase: string): Promise<Uint8Array> {
  const known = validatorKeyOf(home);
  if (known) return known;
  const { text, signer } = await makeKeyFile("validator", passphrase, SCRYPT_COST_DEFAULT, systemEntropy);
  rmSync(join(home, HOME.journal), { recursive: true, force: true }); // of a try that ended before its key was there
  createJournal({ fs: nodeFileSystem, directory: join(home, HOME.journal), entropy: systemEntropy }, signer.publicKey);
  bindNewKey(home, signer);
  layKey(join(home, HOME.validatorKey), text);
  return signer.publicKey;
}

function layKey(path: string, text: string): void {
  nodeFileSystem.makeDirectory(join(path, ".."));
  if (!writeNewFile(path, text)) throw new StartRefused(`${path}: it appeared meanwhile; is another restore under way?`);
  nodeFileSystem.syncDirectory(join(path, ".."));
}
