import { DOMAIN_TAGS, sha256 } from "../crypto/index.ts";
import { CborWriter } from "../kernel/index.ts";

/**
 * One thing an executed transaction did. Keys are 32-byte public keys, validators their ids, proposals the ids of the
 * transactions that made them, amounts base units. The list of a transaction begins with what it paid; a failed one did
 * nothing else.
 */
export type Effect =
  /** `payer` is the sender, or the owner of a sponsored device. */
  | { readonly kind: "feePaid"; readonly payer: Uint8Array; readonly amount: bigint }
  | { readonly kind: "moved"; readonly from: Uint8Array; readonly to: Uint8Array; readonly amount: bigint }
  /** `digest` is the anchor's own, or SHA-256 of its inline data; 32 bytes. */
  | { readonly kind: "anchored"; readonly sender: Uint8Array; readonly stream: string; readonly digest: Uint8Array }
  | { readonly kind: "deviceRegistered"; readonly device: Uint8Array; readonly owner: Uint8Array }
  | { readonly kind: "deviceRevoked"; readonly device: Uint8Array; readonly owner: Uint8Array }
  | { readonly kind: "validatorRegistered"; readonly validator: Uint8Array; readonly owner: Uint8Array }
  | { readonly kind: "validatorUpdated"; readonly validator: Uint8Array; readonly owner: Uint8Array }
  | { readonly kind: "validatorExiting"; readonly validator: Uint8Array; readonly owner: Uint8Array }
  /** What the shares that were bought cost: the stated amount, or up to one share's price less. */
  | { readonly kind: "staked"; readonly staker: Uint8Array; readonly validator: Uint8Array; readonly amount: bigint }
  /** What the shares that were given up are worth: the stated amount, or up to one share's price more. */
  | { readonly kind: "unstaked"; readonly staker: Uint8Array; readonly validator: Uint8Array; readonly amount: bigint }
  | { readonly kind: "withdrawn"; readonly staker: Uint8Array; readonly validator: Uint8Array; readonly amount: bigint }
  | {
      readonly kind: "keyRotating";
      readonly validator: Uint8Array;
      readonly newKey: Uint8Array;
      readonly term: number;
      readonly effectiveEpoch: number;
    }
  | {
      readonly kind: "parameterProposed";
      readonly proposal: Uint8Array;
      readonly name: string;
      readonly value: bigint;
      readonly activationEpoch: number;
    }
  | { readonly kind: "parameterVoted"; readonly proposal: Uint8Array; readonly voter: Uint8Array; readonly isApproval: boolean }
  /** Follows the proposal or vote that brought the decision. */
  | { readonly kind: "parameterDecided"; readonly proposal: Uint8Array; readonly isApproved: boolean }
  /** For a fault in `epoch`; `slashed` units were destroyed. Also what evidence attached to a block does. */
  | {
      readonly kind: "convicted";
      readonly validator: Uint8Array;
      readonly epoch: number;
      readonly slashed: bigint;
      readonly jailedUntilEpoch: number;
    };

/** Numbers of effects in their encoding; never reused. */
const EFFECT_NUMBER = {
  feePaid: 1,
  moved: 2,
  anchored: 3,
  deviceRegistered: 4,
  deviceRevoked: 5,
  validatorRegistered: 6,
  validatorUpdated: 7,
  validatorExiting: 8,
  staked: 9,
  unstaked: 10,
  withdrawn: 11,
  keyRotating: 12,
  parameterProposed: 13,
  parameterVoted: 14,
  parameterDecided: 15,
  convicted: 16,
} as const satisfies Record<Effect["kind"], number>;

/** Canonical encoding: array of effects in order, each the array of its number and its fields in the order of the type. */
export function encodeEffects(effects: readonly Effect[]): Uint8Array {
  return writeEffects(new CborWriter(192), effects).finish();
}

/** SHA-256 of tag | encoded effects: what a receipt commits to. */
export function effectsDigestOf(effects: readonly Effect[]): Uint8Array {
  return sha256(writeEffects(new CborWriter(208).raw(DOMAIN_TAGS.effects), effects).finish());
}

function writeEffects(w: CborWriter, effects: readonly Effect[]): CborWriter {
  w.array(effects.length);
  for (const effect of effects) writeEffect(w, effect);
  return w;
}

function writeEffect(w: CborWriter, effect: Effect): void {
  const number = EFFECT_NUMBER[effect.kind];
  switch (effect.kind) {
    case "feePaid":
      w.array(3).uint(number).bytes(effect.payer).uint(effect.amount);
      return;
    case "moved":
      w.array(4).uint(number).bytes(effect.from).bytes(effect.to).uint(effect.amount);
      return;
    case "anchored":
      w.array(4).uint(number).bytes(effect.sender).text(effect.stream).bytes(effect.digest);
      return;
    case "deviceRegistered":
    case "deviceRevoked":
      w.array(3).uint(number).bytes(effect.device).bytes(effect.owner);
      return;
    case "validatorRegistered":
    case "validatorUpdated":
    case "validatorExiting":
      w.array(3).uint(number).bytes(effect.validator).bytes(effect.owner);
      return;
    case "staked":
    case "unstaked":
    case "withdrawn":
      w.array(4).uint(number).bytes(effect.staker).bytes(effect.validator).uint(effect.amount);
      return;
    case "keyRotating":
      w.array(5).uint(number).bytes(effect.validator).bytes(effect.newKey).uint(effect.term).uint(effect.effectiveEpoch);
      return;
    case "parameterProposed":
      w.array(5).uint(number).bytes(effect.proposal).text(effect.name).uint(effect.value).uint(effect.activationEpoch);
      return;
    case "parameterVoted":
      w.array(4).uint(number).bytes(effect.proposal).bytes(effect.voter).bool(effect.isApproval);
      return;
    case "parameterDecided":
      w.array(3).uint(number).bytes(effect.proposal).bool(effect.isApproved);
      return;
    case "convicted":
      w.array(5).uint(number).bytes(effect.validator).uint(effect.epoch).uint(effect.slashed).uint(effect.jailedUntilEpoch);
  }
}
