import type { CryptoSuite } from "../crypto/portable.ts";
import { assert, bytesEqual, err, ok, present, type Result, toHex } from "../kernel/index.ts";
import { type BlockHeader, blockHashOf } from "./block.ts";
import { decodeProofBundle, type EpochHop, type FinalHeaders, type ProofBundle } from "./proof-bundle.ts";
import type { ValidatorSet } from "./validator-set.ts";
import {
  type ProofFault,
  type ProofFaultCode,
  type ProvenFact,
  type TrustedSet,
  verifyEpochHop,
  verifyFinalHeaders,
  verifyProofBundle,
} from "./verify-proof.ts";

/**
 * What a light client is set up with and what it would be set up with again: the hash of an epoch's set, from genesis or
 * from someone trusted, and when that set was known to be in office, Unix milliseconds.
 */
export type LightClientAnchor = {
  readonly chainId: Uint8Array;
  readonly epoch: number;
  /** Hash of the epoch's validator set, 32 bytes. */
  readonly setHash: Uint8Array;
  readonly sinceMs: number;
};

/**
 * Why a light client takes nothing from an answer, beside the reasons of a bundle itself. `staleTrust`: the set it starts
 * from was last known in office longer ago than the unbonding time, so its members may have left and sign anything.
 * `unknownEpoch`: it starts in an epoch that is not trusted yet, or no more. `conflict`: it contradicts what was proven
 * before, which takes more than F faulty weight.
 */
export type LightClientFaultCode = ProofFaultCode | "malformed" | "tooLarge" | "staleTrust" | "unknownEpoch" | "conflict";
/** A refusal with a sentence. */
export type LightClientFault = { readonly code: LightClientFaultCode; readonly detail: string };

/** A set that was proven, with the latest time at which it is known to have been in office. */
type KnownSet = { readonly epoch: number; readonly set: ValidatorSet; readonly inOfficeMs: number };

/**
 * Follows a chain by proofs alone, without a node and without trusting whoever answers: from a trusted set it takes steps
 * into later epochs and proofs of receipts and state entries.
 *
 * Invariants: a fact is given only when a quorum of a set that is trusted finalized its block; a set is trusted only when
 * the one before committed to it, and no longer than its members can lose their stake; nothing taken is given up again.
 * Reads no clock: whoever calls says what time it is.
 *
 * @see consensus S15; ledger: proof bundle
 */
export class LightClient {
  readonly #suite: CryptoSuite;
  readonly #chainId: Uint8Array;
  readonly #unbondingMs: number;
  /** By ascending epoch, without gaps, never empty. */
  #known: readonly KnownSet[];
  #highest: { readonly height: number; readonly hash: Uint8Array } | undefined;

  private constructor(suite: CryptoSuite, chainId: Uint8Array, unbondingMs: number, first: KnownSet) {
    this.#suite = suite;
    this.#chainId = chainId;
    this.#unbondingMs = unbondingMs;
    this.#known = [first];
  }

  /**
   * A client that starts from an anchor and the set that the anchor names, from wherever it came.
   *
   * Errors: `wrongSet` when the set is another.
   *
   * @param unbondingMs how long stake answers for faults, from the genesis document
   */
  static start(suite: CryptoSuite, anchor: LightClientAnchor, set: ValidatorSet, unbondingMs: number): Result<LightClient, "wrongSet"> {
    assert(unbondingMs >= 0, "an unbonding time is not negative");
    if (!bytesEqual(set.hash, anchor.setHash)) return err("wrongSet");
    return ok(new LightClient(suite, anchor.chainId, unbondingMs, { epoch: anchor.epoch, set, inOfficeMs: anchor.sinceMs }));
  }

  /** What it trusts most, to be kept for the next start. */
  get anchor(): LightClientAnchor {
    const { epoch, set, inOfficeMs } = this.#newest;
    return { chainId: this.#chainId, epoch, setHash: set.hash, sinceMs: inOfficeMs };
  }

  /** The set of the newest epoch it trusts. */
  get set(): ValidatorSet {
    return this.#newest.set;
  }

  /**
   * Takes an encoded proof bundle: its hops are followed and its fact is given, or nothing of it is taken. Total on any
   * bytes; the work is bounded by their number.
   */
  accept(encoded: Uint8Array, nowMs: number): Result<ProvenFact, LightClientFault> {
    const bundle = decodeProofBundle(encoded);
    return bundle.ok ? this.acceptBundle(bundle.value, nowMs) : refuse(bundle.error, "the bytes are no proof bundle");
  }

  /** As `accept`, for a bundle that was decoded already. */
  acceptBundle(bundle: ProofBundle, nowMs: number): Result<ProvenFact, LightClientFault> {
    return this.#take(bundle.hops, bundle, nowMs, (trusted) => {
      const fact = verifyProofBundle(this.#suite, trusted, { ...bundle, hops: [] });
      return fact.ok ? ok({ taken: fact.value, header: fact.value.header }) : fact;
    });
  }

  /** Takes a block's headers alone, after some hops: its header is given when the block is final. */
  acceptHeaders(hops: readonly EpochHop[], final: FinalHeaders, nowMs: number): Result<BlockHeader, LightClientFault> {
    return this.#take(hops, final, nowMs, (trusted) => {
      const header = verifyFinalHeaders(this.#suite, trusted, final);
      return header.ok ? ok({ taken: header.value, header: header.value }) : header;
    });
  }

  /** Follows steps into later epochs; all of them are taken or none. */
  follow(steps: readonly EpochHop[], nowMs: number): Result<true, LightClientFault> {
    const hops = this.#fromTrust(steps, undefined, nowMs);
    const path = this.#walk(hops[0]?.headers[0], hops, nowMs);
    if (!path.ok) return path;
    this.#learn(path.value, nowMs);
    return ok(true);
  }

  #take<T>(
    steps: readonly EpochHop[],
    { headers }: FinalHeaders,
    nowMs: number,
    verify: (trusted: TrustedSet) => Result<{ readonly taken: T; readonly header: BlockHeader }, ProofFault>,
  ): Result<T, LightClientFault> {
    const hops = this.#fromTrust(steps, headers[0], nowMs);
    const path = this.#walk((hops[0]?.headers ?? headers)[0], hops, nowMs);
    if (!path.ok) return path;
    const last = present(path.value.at(-1), "a walk has a beginning");
    const verified = verify(this.#trusted(last));
    if (!verified.ok) return verified;
    const { taken, header } = verified.value;
    const hash = blockHashOf(header);
    if (this.#highest?.height === header.height && !bytesEqual(this.#highest.hash, hash))
      return refuse("conflict", `two final blocks at height ${header.height}`);
    if (!this.#highest || header.height > this.#highest.height) this.#highest = { height: header.height, hash };
    this.#learn([...path.value, { ...last, inOfficeMs: Math.min(header.timeMs, nowMs) }], nowMs);
    return ok(taken);
  }

  /**
   * The steps from the first that starts in a set trusted now: a node's answer leads from genesis, through epochs that whoever
   * started later knows nothing of and need not.
   */
  #fromTrust(steps: readonly EpochHop[], last: BlockHeader | undefined, nowMs: number): readonly EpochHop[] {
    const isTrusted = (header: BlockHeader | undefined): boolean =>
      this.#known.some(({ epoch, inOfficeMs }) => epoch === header?.epoch && nowMs - inOfficeMs <= this.#unbondingMs);
    const begin = steps.findIndex(({ headers: [first] }) => isTrusted(first));
    if (begin >= 0) return steps.slice(begin);
    return isTrusted(last) ? [] : steps;
  }

  /** The sets along some hops, the one they start from first, each with when it was in office by them. */
  #walk(first: BlockHeader | undefined, hops: readonly EpochHop[], nowMs: number): Result<readonly KnownSet[], LightClientFault> {
    const start = first && this.#known.find((each) => each.epoch === first.epoch);
    if (!start) return refuse("unknownEpoch", `nothing is trusted of epoch ${first?.epoch ?? "none"}`);
    if (nowMs - start.inOfficeMs > this.#unbondingMs)
      return refuse("staleTrust", `the set of epoch ${start.epoch} was last known in office ${nowMs - start.inOfficeMs} ms ago`);
    const path: KnownSet[] = [start];
    for (const hop of hops) {
      const from = present(path.at(-1), "a walk has a beginning");
      const next = verifyEpochHop(this.#suite, this.#trusted(from), hop);
      if (!next.ok) return next;
      const { epoch, set, openedAtMs } = next.value;
      const held = this.#known.find((each) => each.epoch === epoch);
      if (held && !bytesEqual(held.set.hash, set.hash))
        return refuse("conflict", `two sets of epoch ${epoch}: ${toHex(held.set.hash)} and ${toHex(set.hash)}`);
      // The boundary block shows both sets in office: the one that finalized it and the one that takes over.
      const inOfficeMs = Math.min(openedAtMs, nowMs);
      path.push({ ...from, inOfficeMs }, { epoch, set, inOfficeMs });
    }
    return ok(path);
  }

  /** Keeps what was proven, the later time of each epoch, and of past epochs those that can still lose their stake. */
  #learn(path: readonly KnownSet[], nowMs: number): void {
    const byEpoch = new Map(this.#known.map((each) => [each.epoch, each]));
    for (const each of path) {
      const held = byEpoch.get(each.epoch);
      if (!held || each.inOfficeMs > held.inOfficeMs) byEpoch.set(each.epoch, each);
    }
    const all = [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
    const newest = present(all.at(-1), "some set is trusted");
    assert(newest.epoch >= this.#newest.epoch, "trust never moves back");
    this.#known = all.filter((each) => each === newest || nowMs - each.inOfficeMs <= this.#unbondingMs);
  }

  #trusted({ epoch, set }: KnownSet): TrustedSet {
    return { chainId: this.#chainId, epoch, set };
  }

  get #newest(): KnownSet {
    return present(this.#known.at(-1), "some set is trusted");
  }
}

function refuse(code: LightClientFaultCode, detail: string): { readonly ok: false; readonly error: LightClientFault } {
  return err({ code, detail } satisfies LightClientFault | ProofFault);
}
