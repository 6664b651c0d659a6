import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Round } from "../consensus/index.ts";
import { sha256, verifyEd25519 } from "../crypto/index.ts";
import { silentLog, toHex } from "../kernel/index.ts";
import { nodeFileSystem, parentOf } from "../storage/index.ts";
import {
  bindKey,
  type ConsensusJournal,
  decodeHistory,
  encodeHistory,
  HISTORY_BYTES_MAX,
  type HistoryFault,
  historyOf,
  layExportMark,
  mergeHistory,
  openJournal,
  readExportMark,
  readHardwareParts,
} from "../validator/index.ts";
import { custodyFilesOf, judgeHome } from "./custody.ts";
import { closeFiles, openFiles, tipRoundOf } from "./files.ts";
import { noteByHand } from "./hand-audit.ts";
import { findRunningNode, HOME, writeNewFile } from "./home.ts";
import { systemPlatform } from "./platform.ts";
import { systemClock, systemEntropy } from "./ports.ts";
import { type NodeSetup, openSetup } from "./setup.ts";
import { signstateOf } from "./signstate.ts";
import { StartRefused } from "./start-refused.ts";

type AskPassphrase = () => Promise<string | undefined>;

/** What binding a key did. */
export type BoundKey = {
  readonly publicKey: Uint8Array;
  /** False when it was bound to this machine already, and nothing was changed. */
  readonly isChanged: boolean;
  /** Whether it signs only after the others have answered (R14), or, alone, after its operator has acted (J7). */
  readonly recovers: boolean;
  readonly isAlone: boolean;
};

/**
 * Binds the validator key of a stopped home to this machine, on the operator's word that no other has it. Where it was bound
 * elsewhere its journal may be an older copy, so it becomes RECOVERING first: the same key comes back only by R14 (DR-7).
 *
 * @throws StartRefused when a node runs on the home, or the key's history was exported from it
 */
export async function bindHomeKey(home: string, ask: AskPassphrase): Promise<BoundKey> {
  const setup = await openStopped(home, ask);
  const { publicKey } = setup.validator;
  const custody = judgeHome(home, publicKey, true);
  const isAlone = setup.validatorSet.validators.length === 1;
  if (!custody) throw new StartRefused(`${home}: its key is in nobody's custody`);
  const { verdict, hardware } = custody;
  if (verdict.kind === "barred" && verdict.fault === "exported") throw new StartRefused(`${home}: ${verdict.detail}; rotate to a new key`);
  if (verdict.kind === "barred" && verdict.fault === "signstateLost") throw new StartRefused(`${home}: ${verdict.detail}; mount it first`);
  if (verdict.kind === "bound" && !verdict.isStale) return { publicKey, isChanged: false, recovers: false, isAlone };
  const from = verdict.kind === "barred" ? verdict.detail : "it was bound to no machine, or parts of it were exchanged";
  noteByHand(home, { actor: "operator", action: "bindKey", target: toHex(publicKey), outcome: "done", detail: from });
  const recovers = verdict.kind === "barred" && distrustJournal(setup);
  bindKey(custodyFilesOf(home, publicKey), setup.validator, hardware, systemClock.nowMs());
  return { publicKey, isChanged: true, recovers, isAlone };
}

/** Makes the journal of a stopped home RECOVERING, durably; one that is lost is begun anew as such, the old one set aside. */
function distrustJournal(setup: NodeSetup): true {
  const journal = openHomeJournal(setup);
  try {
    journal.append({ kind: "recovery", status: { kind: "recovering" } });
    journal.syncNow();
    return true;
  } finally {
    journal.close();
  }
}

/** What an export wrote. */
export type ExportedHistory = { readonly publicKey: Uint8Array; readonly records: number; readonly floor: Round };

/**
 * Writes the signing history of a stopped home's key to a new file. The mark after which the key never signs in this home
 * again comes before the file; cut short in between, the same call writes it (DR-10).
 *
 * @throws StartRefused when a node runs on the home, the key is not in custody here, its journal is lost, or the file exists
 */
export async function exportHomeHistory(home: string, out: string, ask: AskPassphrase): Promise<ExportedHistory> {
  const setup = await openStopped(home, ask);
  const { validator, genesis } = setup;
  const { publicKey } = validator;
  const custody = judgeHome(home, publicKey, true);
  const bar = custody?.verdict.kind === "barred" ? custody.verdict : undefined;
  if (bar && bar.fault !== "exported") throw new StartRefused(`${home}: ${bar.detail}; what lies here need not be all that it signed`);
  if (existsSync(out)) throw new StartRefused(`${out}: expected no file there; choose another place`);
  const files = custodyFilesOf(home, publicKey);
  const journal = openHomeJournal(setup);
  try {
    const exportedAtMs = readExportMark(files)?.exportedAtMs ?? systemClock.nowMs();
    const history = historyOf(journal, { chainId: genesis.hash, publicKey, exportedAtMs });
    if (!history) throw new StartRefused(`${join(home, HOME.journal)}: the journal is lost, and with it the history; rotate to a new key`);
    const encoded = encodeHistory(history, validator);
    const detail = `${history.records.length} records above view ${history.floor.view} of epoch ${history.floor.epoch}, to ${out}; the key never signs here again`;
    noteByHand(home, { actor: "operator", action: "exportHistory", target: toHex(publicKey), outcome: "done", detail });
    layExportMark(files, { exportedAtMs, digest: sha256(encoded) });
    if (!writeNewFile(out, encoded)) throw new StartRefused(`${out}: it appeared meanwhile; run the same command again with another place`);
    nodeFileSystem.syncDirectory(parentOf(out));
    return { publicKey, records: history.records.length, floor: history.floor };
  } finally {
    journal.close();
  }
}

/** What an import changed. */
export type ImportedHistory = {
  readonly publicKey: Uint8Array;
  /** Records that were not known here; 0 with `isGated` false: an older history, or the same. */
  readonly added: number;
  /** Whether it waits for the chain to pass the history before it signs. */
  readonly isGated: boolean;
  /** Whether the history itself was one of a key that was recovering. */
  readonly recovers: boolean;
};

/**
 * Takes the history of the key that lies in a stopped home from a file, merged by maximum, and binds the key to this machine.
 * A journal is made where there is none: the history stands for it.
 *
 * @throws StartRefused naming what does not fit; the home is then as it was
 */
export async function importHomeHistory(home: string, path: string, ask: AskPassphrase): Promise<ImportedHistory> {
  const setup = await openStopped(home, ask);
  const { validator, genesis, validatorSet } = setup;
  const { publicKey } = validator;
  const files = custodyFilesOf(home, publicKey);
  const custody = judgeHome(home, publicKey, true);
  if (custody?.verdict.kind === "barred" && custody.verdict.fault === "exported")
    throw new StartRefused(`${home}: ${custody.verdict.detail}; rotate to a new key`);
  if (signstateOf(home).kind === "lost") throw new StartRefused(`${join(home, HOME.signstate)}: it leads nowhere; mount it first`);
  const history = decodeHistory(readHistory(path), { chainId: genesis.hash, publicKey }, verifyEd25519);
  if (!history.ok) throw new StartRefused(`${path}: ${describeFault(history.error, publicKey)}; nothing was changed`);
  const { floor } = history.value;
  const detail = `from ${path}: ${history.value.records.length} records above view ${floor.view} of epoch ${floor.epoch}`;
  const merged = withJournal(setup, (journal, tip, isBegun) => {
    if (validatorSet.validators.length === 1 && (tip.epoch < floor.epoch || (tip.epoch === floor.epoch && tip.view < floor.view)))
      throw new StartRefused(`${home}: a single validator goes on with its chain: bring the other files of its home along first`);
    noteByHand(home, { actor: "operator", action: "importHistory", target: toHex(publicKey), outcome: "done", detail });
    return mergeHistory(journal, history.value, tip, isBegun);
  });
  if (!merged.ok) {
    const why = `${merged.error.detail}: the key has signed in two places`;
    noteByHand(home, { actor: "operator", action: "importHistory", target: toHex(publicKey), outcome: "refused", detail: why });
    throw new StartRefused(`${path}: ${why}; the journal is as it was. Rotate to a new key`);
  }
  bindKey(files, validator, readHardwareParts(), systemClock.nowMs());
  const { added, recovery } = merged.value;
  return { publicKey, added, isGated: recovery.kind === "gated", recovers: recovery.kind === "recovering" };
}

/** The setup of a home on which no node runs; its own key, whatever custody says. */
async function openStopped(home: string, ask: AskPassphrase): Promise<NodeSetup> {
  const running = findRunningNode(home);
  if (running) throw new StartRefused(`${home}: a node runs on it at ${running.http}; stop it first. Nothing was changed`);
  return await openSetup(home, {}, ask, "examine");
}

/** The journal in its place, sound or lost. */
function openHomeJournal({ home, validator }: NodeSetup): ConsensusJournal {
  const files = { fs: nodeFileSystem, directory: join(home, HOME.journal), entropy: systemEntropy };
  return openJournal(files, { publicKey: validator.publicKey, isBlocking: true });
}

/**
 * Runs on the intact journal of a home with the round of its chain's tip; where the home was started before, all its files
 * are held. Where there is no journal one is begun as RECOVERING, so that a process which ends before the history is in it
 * leaves nothing to sign by.
 */
function withJournal<T>(setup: NodeSetup, action: (journal: ConsensusJournal, tip: Round, isBegun: boolean) => T): T {
  const { home } = setup;
  const directory = join(home, HOME.journal);
  const isBegun = !existsSync(directory);
  if (isBegun) distrustJournal(setup);
  const held = existsSync(join(home, HOME.chain)) ? openFiles(setup, systemPlatform, silentLog) : undefined;
  const journal = held?.journal ?? openHomeJournal(setup);
  try {
    const replay = journal.replay();
    if (replay.kind === "lost")
      throw new StartRefused(
        `${directory}: the journal here is ${replay.loss}: ${replay.detail}; move it away, and the history stands for it`,
      );
    return action(journal, held ? tipRoundOf(held.chain, setup, systemPlatform) : { epoch: 0, view: 0 }, isBegun);
  } finally {
    if (held) closeFiles(held);
    else journal.close();
  }
}

function readHistory(path: string): Uint8Array {
  if (!existsSync(path)) throw new StartRefused(`${path}: expected a signing history there, which does not exist`);
  if (statSync(path).size > HISTORY_BYTES_MAX) throw new StartRefused(`${path}: it is larger than any signing history`);
  return new Uint8Array(readFileSync(path));
}

function describeFault(fault: HistoryFault, publicKey: Uint8Array): string {
  switch (fault) {
    case "malformed":
      return "it is no signing history of this format, or it was cut off or damaged";
    case "badSignature":
      return "it is not what the key signed: it was altered";
    case "otherKey":
      return `it is the history of another key than ${toHex(publicKey)}, which lies in this home`;
    case "otherChain":
      return "it is a history on another chain";
  }
}
