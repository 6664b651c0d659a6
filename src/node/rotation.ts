import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Round } from "../consensus/index.ts";
import { parseKeyFile } from "../identity/index.ts";
import { toHex, utf8 } from "../kernel/index.ts";
import { findValidatorIndex, type ValidatorSet } from "../protocol/index.ts";
import { nodeFileSystem, parentOf, replaceFile } from "../storage/index.ts";
import { createJournal, openJournal } from "../validator/index.ts";
import { noteByHand } from "./hand-audit.ts";
import { HOME, writeNewFile } from "./home.ts";
import { systemEntropy } from "./ports.ts";
import { StartRefused } from "./start-refused.ts";

/** What is left of a key that signs no more: kept for ever, so that the key is never started with again. */
export type Tombstone = {
  /** The retired key and the one that signs after it, 64 hex digits each. */
  readonly publicKey: string;
  readonly successor: string;
  /** Nothing at or below this round is signed by the successor. */
  readonly floor: Round;
};

const FORMAT = "bizra-retired-key/1";
const roundSchema = z.strictObject({ epoch: z.int().min(0), view: z.int().min(0) });
const key = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({ format: z.literal(FORMAT), publicKey: key, successor: key, floor: roundSchema });

/**
 * Lays a new validator key beside the one that signs, with its own journal: the journal first, so that a key that is there
 * has one. It signs nothing until the chain has given it the validator's place.
 *
 * @param keyText the sealed key file
 */
export function layNextKey(home: string, keyText: string, publicKey: Uint8Array): void {
  const refused = new StartRefused(`${join(home, HOME.nextKey)}: there is a next key already`);
  if (existsSync(join(home, HOME.nextKey))) throw refused;
  removeNextJournal(home);
  createJournal({ fs: nodeFileSystem, directory: join(home, HOME.nextJournal), entropy: systemEntropy }, publicKey);
  if (!writeNewFile(join(home, HOME.nextKey), keyText)) throw refused;
  nodeFileSystem.syncDirectory(parentOf(join(home, HOME.nextKey)));
}

/** Public half of the key that waits to sign, or undefined when none does. */
export function findNextKey(home: string): Uint8Array | undefined {
  return publicKeyIn(join(home, HOME.nextKey));
}

/** Whether an epoch's set has the key that waits, and not the one that signs: the moment to take it up. */
export function isRotationDue(home: string, set: ValidatorSet, signing: Uint8Array): boolean {
  if (findValidatorIndex(set, signing) !== undefined) return false;
  const next = findNextKey(home);
  return next !== undefined && findValidatorIndex(set, next) !== undefined;
}

/**
 * Retires the signing key of a home whose node is stopped and puts the next one in its place, each with its journal. A
 * process that ends in between goes on with it at its next start (`finishRotation`): from the tombstone on, which is the
 * first step, the old key is never started with, and before its last step the new one is not.
 *
 * @param floor round of the last block committed; the new key signs above it only
 */
export function takeUpNextKey(home: string, floor: Round): void {
  const [publicKey, successor] = [publicKeyIn(join(home, HOME.validatorKey)), findNextKey(home)];
  if (!publicKey || !successor) throw new StartRefused(`${home}: expected a signing key and a next one, each in its file`);
  const tombstone: Tombstone = { publicKey: toHex(publicKey), successor: toHex(successor), floor };
  const detail = `the chain gave its place to ${tombstone.successor}, above view ${floor.view} of epoch ${floor.epoch}`;
  noteByHand(home, { actor: "node", action: "retireKey", target: tombstone.publicKey, outcome: "done", detail });
  nodeFileSystem.makeDirectory(join(home, HOME.retired));
  nodeFileSystem.syncDirectory(home);
  replaceFile(nodeFileSystem, tombstonePath(home, publicKey), utf8(`${JSON.stringify({ format: FORMAT, ...tombstone }, null, 2)}\n`));
  finishRotation(home);
}

/**
 * Completes a rotation that was begun, if one was; to be called before a home's key or journal is opened.
 *
 * @throws StartRefused when the key in place was retired and its successor is not there
 */
export function finishRotation(home: string): void {
  const current = publicKeyIn(join(home, HOME.validatorKey));
  const tombstone = current && readTombstone(home, current);
  if (!current || !tombstone) return;
  const next = findNextKey(home);
  if (!next || toHex(next) !== tombstone.successor) {
    throw new StartRefused(
      `${join(home, HOME.validatorKey)}: the key ${tombstone.publicKey} was retired and signs no more; its successor is ${tombstone.successor}. ` +
        "Put the successor's key and journal in place, or make a new key and rotate to it from another box",
    );
  }
  const [journal, nextJournal] = [join(home, HOME.journal), join(home, HOME.nextJournal)];
  if (existsSync(nextJournal)) {
    raiseFloor(nextJournal, next, tombstone.floor);
    if (existsSync(journal)) nodeFileSystem.rename(journal, join(home, HOME.retired, `${tombstone.publicKey}.journal`));
    nodeFileSystem.syncDirectory(join(home, HOME.retired));
    nodeFileSystem.rename(nextJournal, journal);
    nodeFileSystem.syncDirectory(home);
  }
  nodeFileSystem.rename(join(home, HOME.nextKey), join(home, HOME.validatorKey)); // the old seed is gone with it
  nodeFileSystem.syncDirectory(parentOf(join(home, HOME.validatorKey)));
}

/** What is left of a key, or undefined when it was never retired here. */
export function readTombstone(home: string, publicKey: Uint8Array): Tombstone | undefined {
  const path = tombstonePath(home, publicKey);
  if (!existsSync(path)) return undefined;
  const parsed = schema.safeParse(parsedOrUndefined(readFileSync(path, "utf8")));
  if (!parsed.success || parsed.data.publicKey !== toHex(publicKey))
    throw new StartRefused(`${path}: it is not what was written; the key beside it is not used`);
  return parsed.data;
}

function raiseFloor(directory: string, publicKey: Uint8Array, floor: Round): void {
  const journal = openJournal({ fs: nodeFileSystem, directory, entropy: systemEntropy }, { publicKey, isBlocking: true });
  try {
    if (journal.replay().kind === "lost")
      throw new StartRefused(`${directory}: the next key's journal is damaged; remove it and rotate to another key`);
    journal.append({ kind: "floor", round: floor });
    journal.syncNow();
  } finally {
    journal.close();
  }
}

function tombstonePath(home: string, publicKey: Uint8Array): string {
  return join(home, HOME.retired, `${toHex(publicKey)}.json`);
}

/** The public half in a key file; undefined when there is no such file, or none that can be read. */
function publicKeyIn(path: string): Uint8Array | undefined {
  if (!existsSync(path)) return undefined;
  const file = parseKeyFile(readFileSync(path, "utf8"));
  return file.ok && file.value.purpose === "validator" ? file.value.publicKey : undefined;
}

/** A journal without its key is one of a rotation that was cut short before the key was there: nothing was signed with it. */
function removeNextJournal(home: string): void {
  const directory = join(home, HOME.nextJournal);
  if (!existsSync(directory)) return;
  for (const name of nodeFileSystem.list(directory)) nodeFileSystem.remove(join(directory, name));
  nodeFileSystem.remove(directory);
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // malformed text is what is expected here
    return undefined;
  }
}
