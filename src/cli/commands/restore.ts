import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type BackupEntry, listBackups, newestUntil, openRecoveryKey, type RestoreTrust } from "../../../sync/restore/index.ts";
import { formatFault, loadConfiguration } from "../../config/index.ts";
import { nativeSuite } from "../../crypto/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { drillBackup, HOME, type RestoredHome, restoreHome, StartRefused, writeNewFile } from "../../node/index.ts";
import { genesisValidatorSet } from "../../protocol/index.ts";
import { isStorageError, type ObjectStore } from "../../storage/index.ts";
import { type Command, CommandFailure, type CommandInput, parseCount, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { progressOf } from "../progress.ts";
import { replaceValidator } from "../replace-validator.ts";
import { obtainPassphrase, withPassphraseOf } from "../signer.ts";
import { SIGN_FLAGS } from "../submit.ts";
import type { Terminal } from "../terminal.ts";
import { BACKUP_FLAGS, genesisOf, objectsFailure, openGivenObjects } from "./backup.ts";
import { node } from "./node.ts";

/** `bizra restore`: a fresh home from a backup, and with `--replace` the validator's place for it. */
export const restore: Command = {
  name: "restore",
  summary:
    "Makes a fresh home from a backup, proven from genesis. It has a key of its own and follows the chain; with --replace its owner gives the validator that key, and it validates.",
  flags: {
    ...SIGN_FLAGS,
    ...BACKUP_FLAGS,
    home: { kind: "text", value: "DIR", doc: "The home to make; it must not be one in use. An interrupted restore goes on." },
    "recovery-key": {
      kind: "text",
      value: "FILE",
      doc: "A recovery key to which the backups are encrypted (`bizra backup new-key`), or an age identity.",
    },
    "recovery-passphrase-file": {
      kind: "text",
      value: "FILE",
      doc: "File holding the recovery key's passphrase (default: as the home's).",
    },
    identity: { kind: "text", value: "HEX", doc: "The old box's identity key: backups that another signed are refused." },
    at: { kind: "text", value: "TIME", doc: "The newest backup not after this time, e.g. 2026-11-22T12:00:00Z." },
    height: { kind: "text", value: "N", doc: "The newest backup not above this height." },
    drill: { kind: "presence", doc: "Restores for trial: everything is fetched and checked, nothing is kept." },
    replace: { kind: "presence", doc: "Then has the validator's owner (--key) give it the new box's key, through the node at --url." },
    key: { kind: "text", value: "FILE", doc: "With --replace: the owner's key." },
    "owner-passphrase-file": {
      kind: "text",
      value: "FILE",
      doc: "File holding the passphrase of the owner's key (default: as the home's).",
    },
    url: { kind: "text", value: "URL", doc: "With --replace: any node of the network that answers." },
    validator: { kind: "text", value: "HEX", doc: "With --replace: the validator's id (default: the only one of this owner)." },
    start: { kind: "presence", doc: "Then runs the node, as `bizra node` does." },
  },
  async run(input, terminal) {
    try {
      return input.has("drill") ? await drill(input, terminal) : await restoreAndGoOn(input, terminal);
    } catch (error) {
      if (error instanceof StartRefused) throw new CommandFailure(error.message);
      if (isStorageError(error)) throw new CommandFailure(`${error.message}; nothing is lost: run the same command again, and it goes on`);
      throw objectsFailure(error);
    }
  },
};

async function restoreAndGoOn(input: CommandInput, terminal: Terminal): Promise<number> {
  if (input.has("replace") && (input.flag("key") === undefined || input.flag("url") === undefined))
    throw new UsageError("expected --key and --url with --replace: the owner's key, and a node that the rotation is handed to");
  const home = required(input, "home");
  const goesOn = input.has("replace") || input.has("start") || !existsSync(join(home, HOME.chain));
  const restored = goesOn && isRestored(home) ? undefined : await restoreInto(home, input, terminal);
  if (!restored) terminal.note(`${home} is restored already; going on with it.`);
  if (restored && !input.has("replace")) {
    const { height, publicKey, takenAtMs } = restored;
    const shown = { home, height, takenAt: new Date(takenAtMs).toISOString(), publicKey: toHex(publicKey), signs: false };
    terminal.result(shown, () =>
      [
        `${home} is restored to height ${height}, as it was at ${shown.takenAt}, and catches up from there when it is started.`,
        `Its key ${shown.publicKey} is new and signs nothing. The owner gives the validator this key with the same command and --replace,`,
        "or, where the owner's key is elsewhere, with `bizra keys prove` here and `bizra tx rotate-key` there.",
      ].join("\n"),
    );
  }
  if (input.has("replace")) await replaceValidator(home, input, terminal);
  if (!input.has("start")) return 0;
  return await node.run({ ...input, flag: (name) => (name === "home" ? home : undefined), has: () => false, flags: () => [] }, terminal);
}

/** A home whose restore is complete; a node may have run on it since. */
function isRestored(home: string): boolean {
  const has = (name: string): boolean => existsSync(join(home, name));
  return has(HOME.snapshot) && has(HOME.validatorKey) && !has(HOME.restoring);
}

async function restoreInto(home: string, input: CommandInput, terminal: Terminal): Promise<RestoredHome> {
  const { store, entries, trust, identity, genesisText } = await chosen(input, terminal);
  const passphrase = await obtainPassphrase(input, terminal, "Passphrase for the new keys: ");
  const progress = progressOf(terminal);
  try {
    const restored = await restoreHome({
      home,
      genesisText,
      store,
      entries,
      trust,
      opener: { identity },
      passphrase,
      onFault: (name, { detail }) => terminal.note(`${name}: ${detail}; trying the next`),
      onPart: (done, total) => progress("parts", done, total),
    });
    layPassphrase(home, passphrase, terminal);
    return restored;
  } finally {
    await store.close();
  }
}

/** Settings that name a file of the home for the passphrase get it there, as the old box had it. */
function layPassphrase(home: string, passphrase: string, terminal: Terminal): void {
  const loaded = loadConfiguration({ home, flags: {} });
  if (!loaded.ok) {
    terminal.note(`The restored settings do not fit this release; correct node.toml: ${loaded.error.map(formatFault).join("; ")}`);
    return;
  }
  const { passphraseFile } = loaded.value.values.keys;
  if (passphraseFile === "") return;
  if (isAbsolute(passphraseFile)) terminal.note(`node.toml reads the passphrase of the keys from ${passphraseFile}; put it there.`);
  else if (!writeNewFile(join(home, passphraseFile), `${passphrase}\n`)) terminal.note(`${join(home, passphraseFile)} is left as it is.`);
}

async function drill(input: CommandInput, terminal: Terminal): Promise<number> {
  const { store, entries, trust, identity } = await chosen(input, terminal);
  const progress = progressOf(terminal);
  const folder = join(required(input, "home"), HOME.drill);
  for (const entry of entries.slice(0, 1)) {
    const report = await drillBackup(store, entry, trust, { identity }, folder, (done, total) => progress("parts", done, total));
    if (!report.ok)
      throw new CommandFailure(`${entry.name}: ${report.error.detail} (${report.error.code}); this backup cannot be restored`);
    const { height, parts, sizeBytes } = report.value;
    terminal.result(
      { name: entry.name, height, parts, sizeBytes, restored: true },
      () =>
        `${entry.name}: restored to height ${height}; ${parts} parts, ${sizeBytes} bytes, and the state root is the one of a final block. Removed again.`,
    );
  }
  return 0;
}

type Chosen = {
  readonly store: ObjectStore;
  readonly entries: readonly BackupEntry[];
  readonly trust: RestoreTrust;
  readonly identity: string;
  readonly genesisText: string;
};

/** What the flags name: backups to try, the newest first, and what they are judged by. */
async function chosen(input: CommandInput, terminal: Terminal): Promise<Chosen> {
  const { genesis, text } = genesisOf(input);
  const set = genesisValidatorSet(genesis);
  if (!set.ok) throw new CommandFailure(`the validators of the genesis form no set (${set.error})`);
  const from = required(input, "from");
  const identityKey = input.flag("identity") === undefined ? undefined : parseHex(input.flag("identity") ?? "");
  if (input.flag("identity") !== undefined && identityKey?.length !== 32) throw new UsageError("expected --identity as 64 hex digits");
  const keyPath = required(input, "recovery-key");
  const secret = await openRecoveryKey(readText(keyPath), () =>
    obtainPassphrase(withPassphraseOf(input, "recovery-passphrase-file"), terminal, `Passphrase of ${keyPath}: `),
  );
  if (!secret.ok)
    throw new CommandFailure(
      `${keyPath}: ${secret.error === "malformed" ? "expected a recovery key, it is another file or damaged" : "the passphrase is wrong, or the file is damaged"}`,
    );
  const place = required(input, "objects");
  const store = openGivenObjects(input);
  const all = await listBackups(store, genesis.hash, from);
  const entries = newestUntil(all, untilOf(input));
  if (entries.length === 0) {
    const there = [...new Set((await listBackups(store, genesis.hash)).map((entry) => entry.node))];
    throw new CommandFailure(
      `expected a backup of ${from}${all.length > 0 ? " so early" : ""} in ${place}, found ${all.length > 0 ? `${all.length} later ones` : `those of ${there.join(", ") || "nobody"}`}; ` +
        "correct --from, --objects, --at or --height",
    );
  }
  const trust = { suite: nativeSuite, chainId: genesis.hash, genesisSet: set.value, node: from, ...(identityKey && { identityKey }) };
  return { store, entries, trust, identity: secret.value, genesisText: text };
}

function untilOf(input: CommandInput): { readonly atMs?: number; readonly height?: number } {
  const [at, height] = [input.flag("at"), input.flag("height")];
  const atMs = at === undefined ? undefined : Date.parse(at);
  if (Number.isNaN(atMs)) throw new UsageError(`expected --at as a time like 2026-11-22T12:00:00Z, got ${JSON.stringify(at)}`);
  return {
    ...(atMs !== undefined && { atMs }),
    ...(height !== undefined && { height: parseCount(height, "--height", 1, Number.MAX_SAFE_INTEGER) }),
  };
}
