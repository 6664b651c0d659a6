import { sha256 } from "../crypto/index.ts";
import { toHex } from "../kernel/index.ts";
import { checkEvidence, decodeEvidence, epochOfEvidence, LIMITS } from "../protocol/index.ts";
import { BOUNDS } from "./bounds.ts";
import { type CoreState, note } from "./state.ts";

/**
 * Keeps checked evidence until whom it accuses is convicted; evidence against who is convicted already is not kept. When
 * the pool is full the newest is dropped, for its author will be caught again and the oldest convict first.
 *
 * @see consensus R11
 */
export function keepEvidence(core: CoreState, encoded: Uint8Array): void {
  const key = toHex(sha256(encoded));
  if (core.evidence.has(key) || core.evidence.size >= BOUNDS.evidenceMax || encoded.length > LIMITS.evidenceBytesMax) return;
  if (!core.config.canConvict(encoded)) return;
  core.evidence.set(key, encoded);
  note(core, { kind: "evidence", encoded });
}

/** Evidence for the next block, oldest first. */
export function selectEvidence(core: CoreState): Uint8Array[] {
  return [...core.evidence.values()].slice(0, LIMITS.blockEvidenceMax);
}

/**
 * After a commit: forgets evidence that is of no more use, whether a block included it, other evidence convicted for the
 * same epoch, a transaction carried it, or its time is over.
 */
export function dropSpentEvidence(core: CoreState): void {
  for (const [key, encoded] of core.evidence) if (!core.config.canConvict(encoded)) core.evidence.delete(key);
}

/**
 * Whether evidence convicts someone by the set of its epoch, as far back as sets are kept (the unbonding time).
 *
 * @see consensus R11
 */
export function isConvicting(core: CoreState, encoded: Uint8Array): boolean {
  const evidence = decodeEvidence(encoded);
  if (!evidence.ok) return false;
  const epoch = epochOfEvidence(evidence.value);
  const set = epoch === core.epoch.epoch ? core.epoch.set : core.config.findEpoch(epoch)?.validatorSet;
  return set !== undefined && checkEvidence(evidence.value, set, core.config.chainId, core.config.suite).ok;
}
