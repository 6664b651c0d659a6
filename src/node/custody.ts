import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalReplay } from "../consensus/index.ts";
import { SCRYPT_COST_DEFAULT, type Signer, verifyEd25519 } from "../crypto/index.ts";
import { type EventLog, event } from "../events/index.ts";
import { makeKeyFile, parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { type Log, toHex } from "../kernel/index.ts";
import type { MetricFamily, MetricSource } from "../monitoring/index.ts";
import { nodeFileSystem } from "../storage/index.ts";
import {
  bindingPath,
  bindKey,
  type CustodyFault,
  type CustodyFiles,
  type CustodyVerdict,
  createJournal,
  type Hardware,
  judgeCustody,
  readHardwareParts,
} from "../validator/index.ts";
import { HOME, writeNewFile } from "./home.ts";
import { systemClock, systemEntropy } from "./ports.ts";
import { signstateOf } from "./signstate.ts";
import { StartRefused } from "./start-refused.ts";

/** What custody said of the validator key in a home. */
export type HomeCustody = {
  readonly verdict: CustodyVerdict;
  /** The key in the home, 32 bytes; where it is barred the node runs with another. */
  readonly publicKey: Uint8Array;
  readonly hardware: Hardware;
};

/** Where the marks of custody of a home's key lie. */
export function custodyFilesOf(home: string, publicKey: Uint8Array): CustodyFiles {
  const place = signstateOf(home);
  return { fs: nodeFileSystem, directory: join(place.kind === "none" ? home : join(home, HOME.signstate), HOME.custody), publicKey };
}

/** Binds a key that was made on this machine just now, so that a copy of its home elsewhere never signs. */
export function bindNewKey(home: string, key: Signer): void {
  bindKey(custodyFilesOf(home, key.publicKey), key, readHardwareParts(), systemClock.nowMs());
}

/**
 * Whether the validator key of a home may sign on this machine (DR-3, DR-10). Changes nothing.
 *
 * @param isBound whether keys are bound to hardware at all; a history that was exported bars a key in any case
 */
export function judgeHome(home: string, publicKey: Uint8Array, isBound: boolean): HomeCustody | undefined {
  const hardware = readHardwareParts();
  const hasJournal = existsSync(join(home, HOME.journal));
  const verdict =
    signstateOf(home).kind === "lost"
      ? signstateLost(home)
      : judgeCustody(custodyFilesOf(home, publicKey), hardware, verifyEd25519, hasJournal);
  const counts = isBound || (verdict.kind === "barred" && (verdict.fault === "exported" || verdict.fault === "signstateLost"));
  return counts ? { verdict, publicKey, hardware } : undefined;
}

function signstateLost(home: string): CustodyVerdict {
  const detail = `${join(home, HOME.signstate)} leads nowhere: what binds the key and how far it has signed cannot be read`;
  return { kind: "barred", fault: "signstateLost", detail };
}

/** Whether a key has signed by what its journal says; one that is lost says nothing. */
export function hasSigned(replay: JournalReplay): boolean {
  if (replay.kind !== "intact") return false;
  return replay.floor.epoch > 0 || replay.floor.view > 0 || replay.records.some(({ kind }) => kind === "vote");
}

/** What the operator of a key that custody bars can do, in one sentence. */
export function remedyOf(fault: CustodyFault, home: string): string {
  const rotate = `rotate to a new key (\`bizra keys rotate --home ${home}\` while this node runs)`;
  if (fault === "exported") return `Import that history on the box that is to sign, or ${rotate}`;
  if (fault === "signstateLost") return `Mount it and start again, or ${rotate}`;
  return (
    `${rotate[0]?.toUpperCase()}${rotate.slice(1)}, or, when the box that had the key is off for good, ` +
    `stop this node and say so with \`bizra keys bind --home ${home} --old-box-is-off\``
  );
}

/** The same for a single validator, which has nobody to follow and no chain that could rotate. */
export function refuseAlone({ detail, fault }: Extract<CustodyVerdict, { kind: "barred" }>, home: string): string {
  const way =
    fault === "exported"
      ? "Import that history on the box that is to sign"
      : fault === "signstateLost"
        ? "Mount it and start again"
        : `When the box that had the key is off for good, say so with \`bizra keys bind --home ${home} --old-box-is-off\``;
  return `${home}: ${detail}, and there is nobody to follow. ${way}`;
}

/** The sentence for people: what is wrong with the key's custody and what to do. */
export function describeBar({ detail, fault }: Extract<CustodyVerdict, { kind: "barred" }>, home: string): string {
  return `${home}: ${detail}; it signs nothing here and this node only follows. ${remedyOf(fault, home)}`;
}

/**
 * The key that a node runs with while custody bars its own: in no set, kept in the home so that what it accepts stays its own
 * over restarts, with a journal of its own.
 */
export async function openObserverKey(home: string, passphrase: string): Promise<Signer> {
  const path = join(home, HOME.observerKey);
  if (!existsSync(path)) {
    const { text, signer } = await makeKeyFile("validator", passphrase, SCRYPT_COST_DEFAULT, systemEntropy);
    removeJournal(join(home, HOME.observerJournal)); // of a try that ended before its key was there
    createJournal({ fs: nodeFileSystem, directory: join(home, HOME.observerJournal), entropy: systemEntropy }, signer.publicKey);
    writeNewFile(path, text);
    return signer;
  }
  const file = parseKeyFile(readFileSync(path, "utf8"));
  const signer = file.ok ? await unlockKeyFile(file.value, passphrase) : file;
  if (signer.ok) return signer.value;
  throw new StartRefused(
    `${path}: ${signer.error.detail}; it never signed for anyone: remove it with ${HOME.observerJournal} and start again`,
  );
}

function removeJournal(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of nodeFileSystem.list(directory)) nodeFileSystem.remove(join(directory, name));
  nodeFileSystem.remove(directory);
}

/**
 * Takes custody at a start, before anything is signed: a key that is bound to nothing yet is bound to this machine, one whose
 * machine had a part exchanged is bound anew, and a barred one is told to people and counted. Each activation and refusal is
 * in the audit lane (DR-12).
 *
 * @param hasSignedBefore whether the journal says so: then being bound to nothing is worth a warning
 */
export function takeCustody(
  home: string,
  custody: HomeCustody | undefined,
  key: Signer,
  events: Pick<EventLog, "appendCrit">,
  log: Log,
  refusals: CustodyRefusals,
  hasSignedBefore: boolean,
): void {
  if (!custody) return;
  const { verdict, publicKey, hardware } = custody;
  const target = toHex(publicKey);
  const audit = (outcome: string, detail: string): void =>
    void events.appendCrit(
      event("audit.recorded", { actor: "node", action: verdict.kind === "barred" ? "sign" : "bindKey", target, outcome, detail }),
    );
  if (verdict.kind === "barred") {
    refusals.count(verdict.fault);
    log.error("custody.barred", { key: target, fault: verdict.fault, detail: describeBar(verdict, home) });
    audit("refused", verdict.detail);
    return;
  }
  const files = custodyFilesOf(home, publicKey);
  if (verdict.kind === "unbound") {
    bindKey(files, key, hardware, systemClock.nowMs());
    const bound = { key: target, file: bindingPath(files), detail: "it was bound to no machine until this start" };
    if (hasSignedBefore) log.warn("custody.bound", bound);
    else log.info("custody.bound", bound);
    audit("done", "at its first start here: it was bound to no machine");
    return;
  }
  if (!verdict.isStale) return;
  bindKey(files, key, hardware, systemClock.nowMs(), verdict.binding);
  log.info("custody.renewed", { key: target, changed: verdict.changed.join() });
  if (verdict.changed.length > 0) audit("done", `parts of the machine were exchanged: ${verdict.changed.join(", ")}`);
}

/** Rules by which a key did not sign. */
export type RefusalRule = CustodyFault | "journalLost" | "ownVoteShown" | "laterHistory";

const RULES: readonly RefusalRule[] = [
  "otherHardware",
  "markMissing",
  "bindingDamaged",
  "exported",
  "signstateLost",
  "journalLost",
  "ownVoteShown",
  "laterHistory",
];

/** Counts what kept the validator key from signing since the start (DR-12). */
export class CustodyRefusals implements MetricSource {
  readonly #counts = new Map<RefusalRule, number>();
  readonly #isSigning: () => boolean;

  /** @param isSigning whether the key signs now */
  constructor(isSigning: () => boolean) {
    this.#isSigning = isSigning;
  }

  /** One refusal more. */
  count(rule: RefusalRule): void {
    this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + 1);
  }

  collect(): readonly MetricFamily[] {
    return [
      {
        name: "bizra_custody_refusals_total",
        help: "What kept the validator key of this home from signing since the start, by rule.",
        kind: "counter",
        samples: RULES.map((rule) => ({ labels: { rule }, value: this.#counts.get(rule) ?? 0 })),
      },
      {
        name: "bizra_custody_signs",
        help: "Whether the validator key of this home may sign here: 0 where custody or a recovery keeps it from it.",
        kind: "gauge",
        samples: [{ value: this.#isSigning() ? 1 : 0 }],
      },
    ];
  }
}
