import { blockVersionOf, nextBlockVersionOf } from "../ledger/index.ts";
import { BLOCK_VERSIONS, IS_NEXT_RELEASE } from "../protocol/index.ts";
import type { State } from "../state/index.ts";
import { type Database, type Migration, raiseFormat } from "../storage/index.ts";
import { VERSION } from "./version.ts";

/**
 * Steps of chain.db's format that wait for a block version: until it is in force the release before can be put back; from
 * then on the file keeps that release off, before it touches anything else.
 */
const HELD_BACK: readonly { readonly blockVersion: number; readonly migration: Migration }[] = IS_NEXT_RELEASE
  ? [
      {
        blockVersion: 2,
        migration: (database) =>
          database.run("CREATE TABLE activation (block_version INTEGER PRIMARY KEY, height INTEGER NOT NULL) STRICT"),
      },
    ]
  : [];

/** How many such steps this release can take: chain.db may be that much further than it is made. */
export const HELD_BACK_STEPS = HELD_BACK.length;

/**
 * Takes the steps of chain.db that wait for the block version in force. To be called after a commit and before anything
 * is voted for on it, and when the file is opened.
 *
 * @param formatVersion of a chain.db that is made anew
 */
export function raiseChainFormat(chain: Database, formatVersion: number, state: Pick<State, "finalized">): void {
  if (HELD_BACK.length === 0) return;
  const inForce = blockVersionOf(state.finalized);
  for (const [at, { blockVersion, migration }] of HELD_BACK.entries())
    if (blockVersion <= inForce) raiseFormat(chain, formatVersion + at + 1, migration);
}

/** Why this program takes no further part, or undefined when it knows the blocks that follow on the chain here. */
export function findOutdated(version: number, epoch: number): string | undefined {
  if (version <= BLOCK_VERSIONS.max) return undefined;
  return `this version (${VERSION.version}) does not know block version ${version}, activated at epoch ${epoch}: update the box`;
}

/** What is approved that this program will not know, or undefined. */
export function findComingUpdate(state: Pick<State, "finalized">): string | undefined {
  const next = nextBlockVersionOf(state.finalized);
  if (next === undefined || next.version <= BLOCK_VERSIONS.max) return undefined;
  return `block version ${next.version} is approved from epoch ${next.epoch} on, and this version (${VERSION.version}) does not know it`;
}
