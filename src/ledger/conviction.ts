import { sha256 } from "../crypto/index.ts";
import { assert, err, ok, present, type Result } from "../kernel/index.ts";
import { batchOffenceOf, checkEvidence, decodeEvidence, type Evidence, type EvidenceFault, epochOfEvidence } from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import type { Effect } from "./effects.ts";
import { epochOf, findConviction, findOffence, findSigningKey, findValidator } from "./entries.ts";
import { isMember } from "./registry.ts";
import { slashValidator, UNBONDING_EPOCHS } from "./staking.ts";
import type { EntryReader } from "./view.ts";
import type { WorkingSet } from "./working-set.ts";

/**
 * Why evidence convicts nobody now. `wrongEpoch`: an epoch that has not come, or one that an accuser chose among older ones
 * for a batch. `tooOld`: the unbonding time since its epoch is over. `unknownValidator`: the accused key belongs to no
 * validator. `alreadyConvicted`: for this epoch, by other evidence or the same, or for this batch.
 */
export type EvidenceRefusal = EvidenceFault | "wrongEpoch" | "tooOld" | "unknownValidator" | "alreadyConvicted";

/** What judging evidence depends on besides the state. */
export type EvidenceTerms = Pick<ExecutionContext, "chainId" | "epoch" | "timeMs" | "findEpoch" | "verifySignature"> & {
  readonly parameters: Pick<ExecutionContext["parameters"], "unbondingMs">;
};

/** A validator, by its id, the epoch in which its fault is judged, and the fault itself where it names no epoch (a batch). */
export type Accusation = { readonly validator: Uint8Array; readonly epoch: number; readonly offence?: Uint8Array };

/** What a conviction did. */
export type ConvictedEffect = Extract<Effect, { readonly kind: "convicted" }>;

/**
 * Whom evidence accuses, when it could still convict: a validator that was a member in an epoch not longer ago than the
 * unbonding time, and is not convicted for it. Whether the evidence proves anything is not looked at, so this is cheap.
 *
 * @see consensus R11
 */
export function accusationOf(entries: EntryReader, terms: EvidenceTerms, encoded: Uint8Array): Result<Accusation, EvidenceRefusal> {
  const decoded = decodeEvidence(encoded);
  return decoded.ok ? accusedBy(entries, terms, decoded.value) : err("malformed");
}

/**
 * Judges evidence on a state, by the set of its epoch: whom it convicts anew, or why nobody.
 *
 * @see consensus R11
 */
export function judgeEvidence(entries: EntryReader, terms: EvidenceTerms, encoded: Uint8Array): Result<Accusation, EvidenceRefusal> {
  const decoded = decodeEvidence(encoded);
  if (!decoded.ok) return err("malformed");
  const evidence = decoded.value;
  const accused = accusedBy(entries, terms, evidence);
  if (!accused.ok) return accused;
  const { validatorSet } = present(terms.findEpoch(accused.value.epoch), "an epoch that somebody is accused in has begun");
  const verdict = checkEvidence(evidence, validatorSet, terms.chainId, { sha256, verify: terms.verifySignature });
  return verdict.ok ? accused : verdict;
}

/**
 * Convicts a validator that evidence was found to convict: its stake and what unbonds from it lose the parameter's part,
 * which is destroyed; it is jailed, and its standing is gone. A member's conviction asks for the end of the epoch.
 *
 * @see consensus R12
 */
export function convict(working: WorkingSet, context: ExecutionContext, { validator, epoch, offence }: Accusation): ConvictedEffect {
  assert(findConviction(working, validator, epoch) === undefined, "a validator is convicted once for an epoch");
  const before = present(findValidator(working, validator), "who is convicted is a validator");
  const { entry, slashed } = slashValidator(before, context.parameters.slashPerMyriad);
  const jailedUntilEpoch = Math.max(before.jailedUntilEpoch, context.epoch + 1 + context.parameters.jailEpochs);
  working.burn(slashed);
  working.setValidator(validator, { ...entry, reputation: 0, jailedUntilEpoch });
  const conviction = { kind: "conviction", validator, epoch, height: context.height } as const;
  working.setConviction(conviction);
  if (offence) working.setOffence(offence, conviction);
  if (isMember(context.validatorSet, before.signingKey)) working.setEpoch({ ...epochOf(working), isEndForced: true });
  return { kind: "convicted", validator, epoch, slashed, jailedUntilEpoch };
}

function accusedBy(entries: EntryReader, terms: EvidenceTerms, evidence: Evidence): Result<Accusation, EvidenceRefusal> {
  const epoch = epochOfEvidence(evidence);
  if (epoch > terms.epoch) return err("wrongEpoch");
  if (isTooOld(terms, epoch)) return err("tooOld");
  const set = terms.findEpoch(epoch)?.validatorSet;
  if (set === undefined) return err("tooOld");
  const key = evidence.kind === "votes" ? set.validators[evidence.first.signer]?.publicKey : evidence.header.author;
  if (key === undefined || !isMember(set, key)) return err("unknownSigner");
  const validator = findSigningKey(entries, key)?.validator;
  if (validator === undefined) return err("unknownValidator");
  if (findConviction(entries, validator, epoch)) return err("alreadyConvicted");
  if (evidence.kind === "votes") return ok({ validator, epoch });
  const offence = batchOffenceOf(evidence.header);
  if (findOffence(entries, offence)) return err("alreadyConvicted");
  return isJudgedIn(terms, key, epoch) ? ok({ validator, epoch, offence }) : err("wrongEpoch");
}

/**
 * Whether the author of a batch may be judged in an epoch that the accuser chose: the last one of its membership, or one so
 * recent that a proof made in it may still be on its way. Otherwise several faulty batches could be spread over all the
 * epochs of the unbonding time, each convicting once.
 */
function isJudgedIn({ epoch: running, findEpoch }: EvidenceTerms, author: Uint8Array, epoch: number): boolean {
  if (running - epoch <= UNBONDING_EPOCHS) return true;
  const after = findEpoch(epoch + 1)?.validatorSet;
  return after !== undefined && !isMember(after, author);
}

/** Stake that was bonded in an epoch is at hand for two epochs and the unbonding time after it, whichever is longer. */
function isTooOld({ epoch, timeMs, parameters, findEpoch }: EvidenceTerms, judged: number): boolean {
  if (epoch - judged <= UNBONDING_EPOCHS) return false;
  const end = findEpoch(judged + 1);
  return end === undefined || timeMs - end.timeMs > parameters.unbondingMs;
}
