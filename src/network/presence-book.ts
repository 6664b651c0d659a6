import { bytesEqual, toHex } from "../kernel/index.ts";
import { decodePresence, isPresenceProven, type Presence } from "./presence.ts";

/** A presence that was proven, and its bytes for who has not heard it. */
export type KnownPresence = { readonly presence: Presence; readonly encoded: Uint8Array; heardAtMs: number };

/** What became of an encoded presence: news, nothing new, of this very node's key, no room for it, or a lie. */
export type Hearing =
  | { readonly kind: "news"; readonly presence: Presence }
  | { readonly kind: "own"; readonly presence: Presence }
  | { readonly kind: "known" | "full" | "malformed" | "unproven" };

/** What hearing takes. */
export type PresenceJudge = {
  readonly chainId: Uint8Array;
  readonly ownNodeKey: Uint8Array;
  readonly isValidator: (key: Uint8Array) => boolean;
};

/** A word that was not renewed for so long is forgotten: three of its renewals did not come. */
const FORGET_MS = 45 * 60_000;
/** Nodes remembered that are no validators; anyone can make keys, so more are not taken in. */
const OTHERS_MAX = 256;

/** The last word of each node of the chain about where it is. Validators always have a place; of others there are so many. */
export class PresenceBook {
  readonly #judge: PresenceJudge;
  readonly #known = new Map<string, KnownPresence>();

  constructor(judge: PresenceJudge) {
    this.#judge = judge;
  }

  /** Every presence that is believed now. */
  get all(): Iterable<KnownPresence> {
    return this.#known.values();
  }

  /** Whether a presence is a validator's of now. */
  isValidator({ binding }: Presence): boolean {
    return binding !== undefined && this.#judge.isValidator(binding.validatorKey);
  }

  /** Takes in an encoded presence. What is known, or has no room, costs no verification; a lie changes nothing. */
  hear(encoded: Uint8Array, nowMs: number): Hearing {
    const signed = decodePresence(encoded);
    if (!signed.ok) return { kind: "malformed" };
    const { presence } = signed.value;
    const isOwn = bytesEqual(presence.nodeKey, this.#judge.ownNodeKey);
    const id = toHex(presence.nodeKey);
    const known = this.#known.get(id);
    if (known && known.presence.sequence >= presence.sequence) return { kind: "known" };
    if (!isOwn && !known && !this.isValidator(presence) && this.#othersCount(nowMs) >= OTHERS_MAX) return { kind: "full" };
    if (!isPresenceProven(signed.value, this.#judge.chainId)) return { kind: "unproven" };
    if (isOwn) return { kind: "own", presence };
    this.#known.set(id, { presence, encoded: Uint8Array.from(encoded), heardAtMs: nowMs });
    return { kind: "news", presence };
  }

  /** Forgets what was not renewed; whether there was any. */
  forgetOld(nowMs: number): boolean {
    const before = this.#known.size;
    for (const [id, { heardAtMs }] of this.#known) if (nowMs - heardAtMs > FORGET_MS) this.#known.delete(id);
    return this.#known.size < before;
  }

  #othersCount(nowMs: number): number {
    this.forgetOld(nowMs);
    let count = 0;
    for (const { presence } of this.#known.values()) if (!this.isValidator(presence)) count++;
    return count;
  }
}
