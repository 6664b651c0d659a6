import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { compareRounds, laterRound, type Round } from "../consensus/index.ts";
import type { Signer } from "../crypto/index.ts";
import { type Log, toHex } from "../kernel/index.ts";
import { nodeFileSystem, replaceFile } from "../storage/index.ts";
import { type ConsensusJournal, openJournal, SignedMark } from "../validator/index.ts";
import { noteByHand } from "./hand-audit.ts";
import { HOME } from "./home.ts";
import { systemEntropy } from "./ports.ts";
import { StartRefused } from "./start-refused.ts";

/** A place apart from the home's disk, for what binds its keys and how far they have signed; most homes have none. */
export type Signstate = { readonly kind: "none" } | { readonly kind: "lost" } | { readonly kind: "there"; readonly directory: string };

/** Where a home keeps what its keys have signed: by a link in it. A link that leads nowhere means that it is lost, never that there is none. */
export function signstateOf(home: string): Signstate {
  const path = join(home, HOME.signstate);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { kind: "none" };
  return existsSync(path) ? { kind: "there", directory: path } : { kind: "lost" };
}

/**
 * Gives a home its place apart, once and for ever; durable when it returns. What binds its keys already goes there, too. A
 * place that is not there now, as when its disk fails, is linked to all the same: the key then does not sign.
 *
 * @param target folder, absolute
 */
export function laySignstate(home: string, target: string): void {
  const [link, own] = [join(home, HOME.signstate), join(home, HOME.custody)];
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) {
    try {
      symlinkSync(target, link);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error; // another process was quicker
    }
    nodeFileSystem.syncDirectory(home);
  }
  if (!existsSync(own) || !existsSync(link) || readlinkSync(link) !== target) return;
  const there = join(target, HOME.custody);
  if (!existsSync(there)) {
    mkdirSync(there, { mode: 0o700 });
    nodeFileSystem.syncDirectory(dirname(there));
  }
  for (const name of readdirSync(own)) {
    if (!existsSync(join(there, name))) replaceFile(nodeFileSystem, join(there, name), new Uint8Array(readFileSync(join(own, name))));
  }
  rmSync(own, { recursive: true });
  nodeFileSystem.syncDirectory(home);
}

/**
 * How far a home's key has signed, where it has a place for that.
 *
 * @throws StartRefused when what is there is not what was written
 */
export function openSignedMark(home: string, publicKey: Uint8Array): SignedMark | undefined {
  const place = signstateOf(home);
  if (place.kind !== "there") return undefined;
  const opened = SignedMark.open({ fs: nodeFileSystem, directory: join(place.directory, "signed"), publicKey });
  if (opened.ok) return opened.value;
  throw new StartRefused(
    `${opened.error}: how far the key has signed is not known. Rotate to a new key; or, when no other box runs it, remove the file, and the others are asked`,
  );
}

/** How far a journal knows what its key signed: its votes, its floor and the gate of a recovery. */
function reachOf(journal: ConsensusJournal): Round {
  const { recovery } = journal;
  return recovery.kind === "gated" ? laterRound(journal.reach, { epoch: recovery.epoch, view: recovery.firstView }) : journal.reach;
}

/**
 * Makes the journal of a home RECOVERING when its key has certainly signed beyond it: the journal is an older copy, as of a
 * disk image that was put back, and the others are asked (R14). To be called before the journal is opened to vote.
 *
 * @returns whether it did
 */
export function distrustOlderJournal(
  { home, validator, journal: other }: { readonly home: string; readonly validator: Pick<Signer, "publicKey">; readonly journal?: string },
  log: Log,
): boolean {
  const mark = other === undefined ? openSignedMark(home, validator.publicKey) : undefined;
  const directory = join(home, HOME.journal);
  if (!mark || !existsSync(directory)) return false;
  const journal = openJournal(
    { fs: nodeFileSystem, directory, entropy: systemEntropy },
    { publicKey: validator.publicKey, isBlocking: true },
  );
  try {
    const isSound = journal.replay().kind === "intact" && journal.recovery.kind !== "recovering";
    if (!isSound || compareRounds(reachOf(journal), mark.noted) >= 0) return false;
    const [reach, signed] = [reachOf(journal), mark.noted];
    const detail =
      `${directory} ends at view ${reach.view} of epoch ${reach.epoch}, and the key has signed up to view ${signed.view} of epoch ` +
      `${signed.epoch}: it is an older copy. It signs nothing until the others have said what they saw`;
    log.error("custody.olderJournal", { home, detail });
    noteByHand(home, { actor: "node", action: "sign", target: toHex(validator.publicKey), outcome: "refused", detail });
    journal.append({ kind: "recovery", status: { kind: "recovering" } });
    journal.syncNow();
    return true;
  } finally {
    journal.close();
  }
}
