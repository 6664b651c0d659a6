import { compareBytes, present } from "../kernel/index.ts";
import type { ValidatorSet } from "../protocol/index.ts";
import { type Event, event } from "./event-schemas.ts";
import { sealRecord, tipOf } from "./record-chain.ts";
import { EMPTY_LANE, type LaneRecord, type LaneTip } from "./types.ts";

/** What the chain lane says of a committed block. */
export type CommittedBlockFacts = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  /** Header time: the chain lane reads no clock, so executing a chain again gives the same records. */
  readonly timeMs: number;
  /** Transactions with a receipt, those of them that paid and changed nothing else, and those that left no trace. */
  readonly executed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Base units charged in the block. */
  readonly fees: bigint;
  /** Validators convicted in the block, by their ids. */
  readonly convictions: readonly {
    readonly validator: Uint8Array;
    readonly epoch: number;
    readonly slashed: bigint;
    readonly jailedUntilEpoch: number;
  }[];
  /** The set of the block's epoch, and the one that follows it when the block is the last. */
  readonly validatorSet: ValidatorSet;
  readonly nextValidatorSet: ValidatorSet | undefined;
};

/** The records of genesis: one `validator.registered` for each member of the first set, in the set's order. */
export function sealGenesisRecords(timeMs: number, validatorSet: ValidatorSet): readonly LaneRecord[] {
  const records: LaneRecord[] = [];
  let tip = EMPTY_LANE;
  for (const { publicKey, owner, weight } of validatorSet.validators) {
    const record = sealRecord("chain", tip, timeMs, event("validator.registered", { publicKey, owner, weight, epoch: 0 }));
    records.push(record);
    tip = tipOf(record);
  }
  return records;
}

/**
 * The records of a block, following the lane's tip: one `block.finalized`; for each conviction `validator.slashed` and
 * `validator.jailed`; and after an epoch's last block `set.changed` for each key that counts otherwise, in the order of
 * keys, and `epoch.opened`.
 */
export function sealBlockRecords(tip: LaneTip, facts: CommittedBlockFacts): readonly LaneRecord[] {
  const records: LaneRecord[] = [];
  let at = tip;
  for (const item of eventsOf(facts)) {
    const record = sealRecord("chain", at, facts.timeMs, item);
    records.push(record);
    at = tipOf(record);
  }
  return records;
}

/**
 * The record of a chain that goes on from a snapshot, following those of genesis: `epoch.opened` of the epoch it goes on
 * in, with the height at which that began; what happened before is told by nodes that have it.
 */
export function sealBaseRecords(
  tip: LaneTip,
  timeMs: number,
  epoch: number,
  height: number,
  validatorSet: ValidatorSet,
): readonly LaneRecord[] {
  const { hash: setHash, validators, totalWeight } = validatorSet;
  return [sealRecord("chain", tip, timeMs, event("epoch.opened", { epoch, height, setHash, validators: validators.length, totalWeight }))];
}

function eventsOf(facts: CommittedBlockFacts): Event[] {
  const { timeMs: _timeMs, convictions, validatorSet, nextValidatorSet, ...block } = facts;
  const { height } = block;
  const events: Event[] = [event("block.finalized", block)];
  for (const { validator, epoch, slashed, jailedUntilEpoch } of convictions) {
    events.push(event("validator.slashed", { validator, epoch, slashed, height }));
    events.push(event("validator.jailed", { validator, untilEpoch: jailedUntilEpoch, height }));
  }
  if (nextValidatorSet === undefined) return events;
  const epoch = block.epoch + 1;
  events.push(...changesOf(validatorSet, nextValidatorSet, epoch));
  const { hash: setHash, validators, totalWeight } = nextValidatorSet;
  events.push(event("epoch.opened", { epoch, height, setHash, validators: validators.length, totalWeight }));
  return events;
}

/** Both sets ascend by key, so one walk through both finds who came, left or weighs otherwise. */
function changesOf({ validators: before }: ValidatorSet, { validators: after }: ValidatorSet, epoch: number): Event[] {
  const changes: Event[] = [];
  for (let left = 0, right = 0; left < before.length || right < after.length; ) {
    const [old, next] = [before[left], after[right]];
    const order = old === undefined ? 1 : next === undefined ? -1 : compareBytes(old.publicKey, next.publicKey);
    const one = order <= 0 ? old : next;
    const weightBefore = order <= 0 ? (old?.weight ?? 0n) : 0n;
    const weight = order >= 0 ? (next?.weight ?? 0n) : 0n;
    const { publicKey, owner } = present(one, "one of both sets has a member left");
    if (weightBefore !== weight) changes.push(event("set.changed", { publicKey, owner, weightBefore, weight, epoch }));
    if (order <= 0) left++;
    if (order >= 0) right++;
  }
  return changes;
}
