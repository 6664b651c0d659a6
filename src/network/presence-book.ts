import { bytesEqual, toHex } from "../kernel/index.ts";
import { Budget } from "./budget.ts";
import { decodePresence, isPresenceProven, type Presence } from "./presence.ts";

/** A presence that was proven, and its bytes for who has not heard it. */
export type KnownPresence = { readonly presence: Presence; readonly encoded: Uint8Array; readonly heardAtMs: number };

/** What became of an encoded presence: news, nothing new, of this very node's key, too much of it, or a lie. */
export type Hearing =
  | { readonly kind: "news"; readonly presence: Presence }
  | { readonly kind: "own"; readonly presence: Presence }
  | { readonly kind: "known" | "tooMuch" | "malformed" | "unproven" };

/** What hearing takes. */
export type PresenceJudge = {
  readonly chainId: Uint8Array;
  readonly ownNodeKey: Uint8Array;
  readonly isValidator: (key: Uint8Array) => boolean;
  /** Whether a node of this key is connected: it is there, which its word alone does not show. */
  readonly isUp: (nodeKey: Uint8Array) => boolean;
};

/** A word that was not renewed for so long is forgotten: three of its renewals did not come. */
const FORGET_MS = 45 * 60_000;
/** Nodes remembered that are no validators; anyone can make keys, so the oldest word goes for a new one. */
const OTHERS_MAX = 256;
/** New words of one node: a validator looks each two seconds whether its addresses changed, others move seldom. */
const NEWS = { validator: { perSecond: 0.5, burst: 8 }, other: { perSecond: 0.1, burst: 4 } } as const;
/** New words of all others than validators that come from elsewhere than from themselves: each goes on to every peer. */
const NEWS_OF_OTHERS = { perSecond: 1, burst: 256 } as const;

/** A presence that is believed, and what its node may still say. */
type Entry = KnownPresence & { readonly budget: Budget };

/**
 * The last word of each node of the chain about where it is. Validators always have a place, one for each validator key
 * however many node keys it signs for; of others there are so many. How often one node has news is bounded, since
 * anyone can sign as much as they like and all of it would go to everyone.
 */
export class PresenceBook {
  readonly #judge: PresenceJudge;
  readonly #known = new Map<string, Entry>();
  #others: Budget | undefined;

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

  /**
   * Takes in an encoded presence. What is known or too much costs no verification; a lie changes nothing.
   *
   * @param isOfTeller whether the peer that tells it has this node key: what it says of itself
   * @param mayCost whether who tells it may cost a verification now, of a word that calls itself a validator's or not
   */
  hear(
    encoded: Uint8Array,
    nowMs: number,
    isOfTeller: (nodeKey: Uint8Array) => boolean = () => false,
    mayCost: (isValidator: boolean) => boolean = () => true,
  ): Hearing {
    const signed = decodePresence(encoded);
    if (!signed.ok) return { kind: "malformed" };
    const { presence } = signed.value;
    const { nodeKey, binding } = presence;
    const isOwn = bytesEqual(nodeKey, this.#judge.ownNodeKey);
    const isValidator = this.isValidator(presence);
    const id = toHex(isValidator && binding ? binding.validatorKey : nodeKey);
    const known = this.#known.get(id);
    if (known && known.presence.sequence >= presence.sequence) return { kind: "known" };
    // Paid once it is proven, so that nobody uses up what another may say.
    const budget = known?.budget ?? new Budget(isValidator ? NEWS.validator : NEWS.other, nowMs);
    this.#others ??= new Budget(NEWS_OF_OTHERS, nowMs);
    const shared = isValidator || isOwn || isOfTeller(nodeKey) ? undefined : this.#others;
    if (!budget.isSolvent(nowMs) || shared?.isSolvent(nowMs) === false || !mayCost(isValidator)) return { kind: "tooMuch" };
    if (!isPresenceProven(signed.value, this.#judge.chainId)) return { kind: "unproven" };
    if (isOwn) return { kind: "own", presence };
    budget.spend(1, nowMs);
    shared?.spend(1, nowMs);
    if (!known && !isValidator) this.#makeRoom(nowMs);
    this.#known.delete(id); // the last heard stands last
    this.#known.set(id, { presence, encoded: Uint8Array.from(encoded), heardAtMs: nowMs, budget });
    return { kind: "news", presence };
  }

  /** Forgets what was not renewed; whether there was any. */
  forgetOld(nowMs: number): boolean {
    const before = this.#known.size;
    for (const [id, { heardAtMs }] of this.#known) if (nowMs - heardAtMs > FORGET_MS) this.#known.delete(id);
    return this.#known.size < before;
  }

  /** The word heard longest ago goes, of nodes that are not connected while there are any: who is here does not give way to who may be. */
  #makeRoom(nowMs: number): void {
    this.forgetOld(nowMs);
    const others = [...this.#known].filter(([, { presence }]) => !this.isValidator(presence));
    if (others.length < OTHERS_MAX) return;
    const gone = others.find(([, { presence }]) => !this.#judge.isUp(presence.nodeKey)) ?? others[0];
    if (gone) this.#known.delete(gone[0]);
  }
}
