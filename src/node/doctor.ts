import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalReplay, RecoveryStatus } from "../consensus/index.ts";
import { LANES } from "../events/index.ts";
import { parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { silentLog, toHex } from "../kernel/index.ts";
import { auditSupply, blockVersionOf, genesisEntries } from "../ledger/index.ts";
import { State } from "../state/index.ts";
import { isStorageError, nodeFileSystem } from "../storage/index.ts";
import { bindingPath, type CustodyVerdict, openJournal, readExportMark, recoverJournal } from "../validator/index.ts";
import { type Contexts, openContexts } from "./contexts.ts";
import { custodyFilesOf, describeBar, hasSigned } from "./custody.ts";
import { closeFiles, type NodeFiles, named, openFiles } from "./files.ts";
import { noteByHand } from "./hand-audit.ts";
import { HOME } from "./home.ts";
import { loadSnapshotState } from "./joining.ts";
import { systemPlatform } from "./platform.ts";
import { systemEntropy } from "./ports.ts";
import { type NodeSetup, openSetup } from "./setup.ts";
import { examineSideFiles } from "./side-files.ts";
import { StartRefused } from "./start-refused.ts";
import { findComingUpdate, findOutdated } from "./upgrade.ts";

/** Something that a person should know of a home. Errors and warnings make the examination not ok; notices do not. */
export type Finding = { readonly severity: "error" | "warning" | "notice"; readonly file?: string; readonly detail: string };

/** What an examination found. The chain's figures are there when it could be read. */
export type Examination = {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** What the validator key is bound to, what its history forbids, and whether it was given away: sentences for people. */
  readonly custody?: readonly string[];
  readonly height?: number;
  readonly stateRoot?: string;
  readonly transactions?: number;
  /** Base units as decimal strings: all of them but `issued` add up to it. */
  readonly supply?: Readonly<Record<"issued" | "balances" | "staked" | "feePot" | "burned", string>>;
  /** Root that executing the whole chain again from genesis gave. */
  readonly reexecutedStateRoot?: string;
};

/** How a home is examined. */
export type ExaminationOptions = {
  readonly reexecutes: boolean;
  readonly askPassphrase: () => Promise<string | undefined>;
  /** Told how far a long step is, for people who wait. */
  readonly onProgress: (step: string, done: number, total: number) => void;
};

/**
 * Examines a home whose node is stopped: configuration, genesis, keys, then every file down to its last byte, the chain
 * with its signatures and batches, the event lanes, and on request the whole execution from genesis.
 */
export async function examineHome(home: string, options: ExaminationOptions): Promise<Examination> {
  const findings: Finding[] = [];
  const setup = await attempt(findings, () => openSetup(home, {}, options.askPassphrase, "examine"));
  if (!setup) return { ok: false, findings };
  await findKeyFaults(setup, findings);
  if (!existsSync(join(home, HOME.chain)) && !existsSync(join(home, HOME.batches))) {
    findings.push({ severity: "notice", detail: `${home} has never been started; there is no chain to examine` });
    const files = { fs: nodeFileSystem, directory: join(home, HOME.journal), entropy: systemEntropy };
    const journal = await attempt(findings, () => openJournal(files, { publicKey: setup.validator.publicKey, isBlocking: true }));
    const custody = journal ? examineCustody(setup, journal.replay(), findings) : [];
    journal?.close();
    return { ok: findings.every((f) => f.severity === "notice"), findings, custody };
  }
  if (!existsSync(join(home, HOME.state))) {
    findings.push({
      severity: "notice",
      file: join(home, HOME.state),
      detail: `${join(home, HOME.state)}: there is none; a start executes the whole chain again`,
    });
  }
  findings.push(...examineSideFiles(home));
  const files = await attempt(findings, () => openFiles(setup, systemPlatform, silentLog));
  if (!files) return { ok: false, findings };
  const facts = await attempt(findings, () => examineFiles(setup, files, options, findings));
  closeQuietly(files, findings);
  return { ok: findings.every((f) => f.severity === "notice"), findings, ...facts };
}

/** Runs a step; a failure that a person can mend becomes a finding. */
async function attempt<T>(findings: Finding[], step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof StartRefused) findings.push({ severity: "error", detail: error.message });
    else if (isStorageError(error)) findings.push({ severity: "error", file: error.path, detail: error.message });
    else throw error;
    return undefined;
  }
}

/** Every key file opens, also those that a start does not need. */
async function findKeyFaults({ home, passphrase }: NodeSetup, findings: Finding[]): Promise<void> {
  for (const name of readdirSync(join(home, "keys")).filter((file) => file.endsWith(".json"))) {
    const file = join(home, "keys", name);
    const parsed = parseKeyFile(readFileSync(file, "utf8"));
    const opened = parsed.ok ? await unlockKeyFile(parsed.value, passphrase()) : parsed;
    if (opened.ok) continue;
    const isOurs = file === join(home, HOME.validatorKey) || file === join(home, HOME.identityKey);
    const doubt = opened.error.code === "wrongPassphrase" && !isOurs ? ", or it has a passphrase of its own" : "";
    findings.push({ severity: "warning", file, detail: `${file}: ${opened.error.detail}${doubt}; put it back from where you keep it` });
  }
}

async function examineFiles(
  setup: NodeSetup,
  files: NodeFiles,
  options: ExaminationOptions,
  findings: Finding[],
): Promise<Omit<Examination, "ok" | "findings">> {
  const { home } = setup;
  findJournalFaults(setup, files, findings);
  const custody = examineCustody(setup, files.journal.replay(), findings);
  findTailNotices(files, findings);
  for (const database of [files.chain, files.node, files.ops]) named(home, () => drain(database.scrub()));
  const batches = runToEnd(files.batches.scrub());
  if (!batches.ok) throw new StartRefused(`${batches.error.file}: damaged at byte ${batches.error.offset}: ${batches.error.detail}`);
  const contexts = named(home, () => openContexts(setup, files, systemPlatform, silentLog, () => {}));
  try {
    for (const { file, detail } of contexts.rebuilt) findings.push({ severity: "warning", file, detail: `${file}: ${detail}` });
    named(home, () => verifyLanes(contexts));
    const supply = auditUnits(contexts.state, findings);
    const outdated = findOutdated(blockVersionOf(contexts.state.finalized), contexts.blocks.tip().epoch + 1);
    if (outdated !== undefined) findings.push({ severity: "error", detail: `${home}: ${outdated}. Nothing is harmed` });
    const coming = findComingUpdate(contexts.state);
    if (coming !== undefined) findings.push({ severity: "warning", detail: `${home}: ${coming}: update the box before` });
    return { custody, ...named(home, () => examineChain(setup, contexts, options, findings)), supply };
  } finally {
    await contexts.mempool.stop();
    await contexts.state.checkpoint();
    contexts.events.close();
    contexts.index.close();
  }
}

function findJournalFaults(setup: NodeSetup, files: NodeFiles, findings: Finding[]): void {
  const replay = files.journal.replay();
  const isAlone = setup.validatorSet.validators.length === 1;
  if (isStuck(replay, isAlone)) {
    const detail = "a peer showed a vote of this validator that the journal lacks. It follows and does not vote any more";
    findings.push({ severity: "error", file: join(setup.home, HOME.journal), detail: `${setup.home}: ${detail}. ${wayOut(setup.home)}` });
  }
  if (replay.kind === "intact") return;
  if (!isAlone) {
    const detail = `the consensus journal is ${replay.loss}: ${replay.detail}. The node asks the other validators and votes again once they have answered`;
    findings.push({ severity: "warning", file: join(setup.home, HOME.journal), detail: `${join(setup.home, HOME.journal)}: ${detail}` });
    return;
  }
  findings.push({
    severity: "error",
    file: join(setup.home, HOME.journal),
    detail:
      `${join(setup.home, HOME.journal)}: the consensus journal is ${replay.loss}: ${replay.detail}. This validator does not vote without it. ` +
      wayOut(setup.home),
  });
}

/** The state of the key's custody: what it is bound to, what its history forbids, whether it was given away. */
function examineCustody({ home, custody, validator }: NodeSetup, replay: JournalReplay, findings: Finding[]): readonly string[] {
  const votes = replay.kind === "intact" ? replay.records.filter(({ kind }) => kind === "vote").length : 0;
  const name = `the validator key ${toHex(validator.publicKey)}`;
  const history =
    replay.kind === "lost"
      ? "its signing history is lost"
      : `its signing history forbids everything up to view ${replay.floor.view} of epoch ${replay.floor.epoch} and holds ${votes} votes above, ${describeRecovery(replay.recovery)}`;
  const state = `${name}: ${describeBinding(custody?.verdict)}; ${history}`;
  if (custody?.verdict.kind === "barred") findings.push({ severity: "error", detail: describeBar(custody.verdict, home) });
  const files = custodyFilesOf(home, validator.publicKey);
  if (custody?.verdict.kind === "unbound" && hasSigned(replay)) {
    findings.push({
      severity: "notice",
      file: bindingPath(files),
      detail:
        `${bindingPath(files)} is missing, though the key has signed: this home is of an earlier release, or the file was lost or left out of a ` +
        "copy. The next start binds the key to the machine it is on: make sure that no other box has it",
    });
  }
  const mark = readExportMark(files);
  if (!mark) return [state];
  return [state, `Its history was exported at ${new Date(mark.exportedAtMs).toISOString()} as the file with SHA-256 ${toHex(mark.digest)}`];
}

function describeBinding(verdict: CustodyVerdict | undefined): string {
  if (!verdict) return "it is bound to no hardware (keys.bindToHardware is off)";
  if (verdict.kind === "unbound") return "it is bound to no machine yet, the next start binds it to this one";
  if (verdict.kind === "barred") return "it does not sign here";
  const since = `it is bound to this machine since ${new Date(verdict.binding.boundAtMs).toISOString()}`;
  return verdict.changed.length === 0 ? since : `${since}, of which were exchanged: ${verdict.changed.join(", ")}`;
}

function describeRecovery(status: RecoveryStatus): string {
  if (status.kind === "intact") return "nothing of it was ever lost";
  if (status.kind === "recovering") return "and it waits for what the others saw (R14)";
  return `and a recovery forbids what is before view ${status.firstView} of epoch ${status.epoch} (R14)`;
}

/** A single validator that recovers has nobody to ask (J7). */
function isStuck(replay: JournalReplay, isAlone: boolean): boolean {
  return isAlone && replay.kind === "intact" && replay.recovery.kind === "recovering";
}

function wayOut(home: string): string {
  return (
    `If no other box runs this key and this home is the latest, \`bizra doctor --home ${home} --recover-journal\` ` +
    "lets it vote again above the chain's last block"
  );
}

/** Un-synced bytes at the end of a log are dropped at a start; ones that look altered rather than cut are told as damage. */
function findTailNotices({ batches, journal }: NodeFiles, findings: Finding[]): void {
  for (const tail of [batches.report.tornTail, journal.tornTail]) {
    if (!tail || tail.shape === "garbled") continue;
    const detail = `${tail.file}: the last ${tail.sizeBytes} bytes, from ${tail.offset} on, are a write that was cut off; they were dropped`;
    findings.push({ severity: "notice", file: tail.file, detail });
  }
}

/** Adds up every entry of the state. */
function auditUnits(state: State, findings: Finding[]): NonNullable<Examination["supply"]> {
  const { issued, balances, staked, feePot, burned } = auditSupply(state.entries());
  const found = balances + staked + feePot + burned;
  if (found !== issued) findings.push({ severity: "error", detail: `the state holds ${found} units, genesis issued ${issued}` });
  return { issued: `${issued}`, balances: `${balances}`, staked: `${staked}`, feePot: `${feePot}`, burned: `${burned}` };
}

function verifyLanes({ events }: Contexts): void {
  for (const lane of LANES) {
    if (events.tip(lane).sequence === 0) continue; // nothing was written to it yet
    const verdict = events.verify(lane);
    if (!verdict.ok)
      throw new StartRefused(`event lane ${lane}: record ${verdict.error.epoch}/${verdict.error.sequence}: ${verdict.error.detail}`);
  }
}

/** Walks the chain with signatures and batches, and executes it again when asked to. */
function examineChain(
  setup: NodeSetup,
  { blocks, state }: Contexts,
  options: ExaminationOptions,
  findings: Finding[],
): Omit<Examination, "ok" | "findings"> {
  const height = blocks.queries.tipHeight;
  for (const progress of blocks.scrub(1, height, { hasSignatures: true, hasContents: true }))
    options.onProgress("checking blocks", progress.height, height);
  let transactions = 0;
  for (let at = 1; at <= height; at++) transactions += blocks.queries.findContent(at)?.receipts.length ?? 0;
  const facts = { height, stateRoot: toHex(state.root), transactions };
  const { isPruned } = blocks.reader;
  if (isPruned) {
    const detail = `the blocks below ${blocks.queries.lowestHeight} were pruned; what is above them was checked`;
    findings.push({
      severity: "notice",
      detail: options.reexecutes ? `${detail}, and cannot be executed again from the beginning` : detail,
    });
  }
  if (!options.reexecutes || isPruned) return facts;
  const again =
    blocks.reader.baseHeight > 0
      ? loadSnapshotState(setup, systemPlatform)
      : State.ofGenesis(setup.genesis.hash, genesisEntries(setup.genesis));
  for (const done of blocks.replay(again)) options.onProgress("executing blocks", done, height);
  return { ...facts, reexecutedStateRoot: toHex(again.root) };
}

/**
 * Begins a new consensus journal above the chain's last block, in place of a lost one, or ends the recovery of one that
 * nobody else can end. For the operator of a single validator who knows that no other box runs its key. A validator
 * among others asks them (R14): a new journal without their answers could contradict what it voted before.
 *
 * @returns where the lost one was moved, or undefined when nothing was
 * @throws StartRefused when the journal is sound, there are other validators, or the home cannot be opened
 */
export async function recoverHomeJournal(home: string, askPassphrase: () => Promise<string | undefined>): Promise<string | undefined> {
  const setup = await openSetup(home, {}, askPassphrase, "examine");
  const directory = join(home, HOME.journal);
  const { custody } = setup;
  if (custody?.verdict.kind === "barred") throw new StartRefused(`${describeBar(custody.verdict, home)}. Nothing was changed`);
  const target = toHex(setup.validator.publicKey);
  const note = (detail: string): void => noteByHand(home, { actor: "operator", action: "recoverJournal", target, outcome: "done", detail });
  const files = openFiles(setup, systemPlatform, silentLog);
  try {
    const replay = files.journal.replay();
    const isAlone = setup.validatorSet.validators.length === 1;
    if (replay.kind === "intact" && !isStuck(replay, isAlone))
      throw new StartRefused(`${directory}: the journal is sound; nothing was changed`);
    if (!isAlone)
      throw new StartRefused(`${directory}: there are other validators; start the node, which asks them and recovers. Nothing was changed`);
    if (replay.kind === "intact") {
      note("the operator ended a recovery that nobody else can end");
      files.journal.append({ kind: "recovery", status: { kind: "intact" } });
      files.journal.syncNow();
      files.signed?.lowerTo(files.journal.reach);
      return undefined;
    }
    const contexts = named(home, () => openContexts(setup, files, systemPlatform, silentLog, () => {}));
    const { epoch, view } = contexts.blocks.tip();
    await contexts.mempool.stop();
    contexts.events.close();
    contexts.index.close();
    note(`a journal that was ${replay.loss} was begun anew above view ${view} of epoch ${epoch}`);
    files.signed?.lowerTo({ epoch, view });
    return recoverJournal({ fs: nodeFileSystem, directory, entropy: systemEntropy }, setup.validator.publicKey, { epoch, view });
  } finally {
    closeFiles(files);
  }
}

function closeQuietly(files: NodeFiles, findings: Finding[]): void {
  try {
    closeFiles(files);
  } catch (error) {
    if (!isStorageError(error)) throw error;
    findings.push({ severity: "error", file: error.path, detail: error.message });
  }
}

function drain(steps: Generator<void, void>): void {
  while (!steps.next().done);
}

function runToEnd<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
