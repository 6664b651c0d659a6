import { DOMAIN_TAGS, sha256 } from "../crypto/index.ts";
import { CborWriter } from "../kernel/index.ts";

/**
 * One thing an executed transaction did. Keys are 32-byte public keys, amounts base units. The list of a transaction
 * begins with what it paid; a failed one did nothing else.
 */
export type Effect =
  /** `payer` is the sender, or the owner of a sponsored device. */
  | { readonly kind: "feePaid"; readonly payer: Uint8Array; readonly amount: bigint }
  | { readonly kind: "moved"; readonly from: Uint8Array; readonly to: Uint8Array; readonly amount: bigint }
  /** `digest` is the anchor's own, or SHA-256 of its inline data; 32 bytes. */
  | { readonly kind: "anchored"; readonly sender: Uint8Array; readonly stream: string; readonly digest: Uint8Array }
  | { readonly kind: "deviceRegistered"; readonly device: Uint8Array; readonly owner: Uint8Array }
  | { readonly kind: "deviceRevoked"; readonly device: Uint8Array; readonly owner: Uint8Array };

/** Numbers of effects in their encoding; never reused. */
const EFFECT_NUMBER = { feePaid: 1, moved: 2, anchored: 3, deviceRegistered: 4, deviceRevoked: 5 } as const satisfies Record<
  Effect["kind"],
  number
>;

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
  }
}
