import type { Signer } from "../crypto/portable.ts";
import { type Clock, err, ok, type Result } from "../kernel/index.ts";
import type { Genesis } from "../protocol/index.ts";
import type { ChainTerms } from "./carrier.ts";
import type { Proven } from "./journal.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Route } from "./route.ts";
import { type SignedTransaction, signBody } from "./transactions.ts";

/** How a client fills in what its orders leave open. */
export type SigningPolicy = {
  readonly isSponsored: boolean;
  /** Blocks from now in which a transaction may execute. */
  readonly validForBlocks: bigint;
  /** Base units that it pays at most, whatever a node says that it has to. */
  readonly feeMax: bigint;
  /** Nonce of the first transaction where no carrier can tell. */
  readonly firstNonce: bigint;
};

/** For how long a node's word on height and fee is good enough. */
const TERMS_AGE_MS = 10_000;

/**
 * Chooses nonce, fee and validity, and signs. Nodes are asked, and what they say is bounded: a false nonce, height or fee
 * costs a refusal and another try, never more than the highest fee allowed.
 */
export class Signing {
  readonly #signer: Signer;
  readonly #genesis: Pick<Genesis, "hash" | "parameters">;
  readonly #policy: SigningPolicy;
  readonly #route: Route;
  readonly #clock: Clock;
  #proven: Proven;
  #terms: { readonly terms: ChainTerms; readonly atMs: number } | undefined;
  #nonceFloor: bigint;
  #feeFloor = 0n;
  #heightFloor = 0n;
  /** Whether the nonces in flight may not be an unbroken run after the chain's. */
  #isNonceDoubtful = true;

  constructor(
    signer: Signer,
    genesis: Pick<Genesis, "hash" | "parameters">,
    policy: SigningPolicy,
    route: Route,
    clock: Clock,
    proven: Proven | undefined,
  ) {
    this.#signer = signer;
    this.#genesis = genesis;
    this.#policy = policy;
    this.#route = route;
    this.#clock = clock;
    this.#proven = proven ?? { nextNonce: 0n, height: 0n };
    this.#nonceFloor = policy.firstNonce;
  }

  /** What verified receipts have shown. */
  get proven(): Proven {
    return this.#proven;
  }

  /** Signs an order. The error is a sentence: what must be known first and cannot be had now. @param held nonces of the others on their way */
  async sign(outgoing: Outgoing, held: readonly bigint[]): Promise<Result<SignedTransaction, string>> {
    const terms = await this.#termsNow();
    if (!terms.ok) return terms;
    const { minimumFee: least, maxValidity } = this.#genesis.parameters;
    const wanted = highestOf(terms.value.minimumFee ?? least, this.#feeFloor);
    const { feeMax, validForBlocks } = this.#policy;
    if (wanted > feeMax) return err(`a fee of ${wanted} is asked for, at most ${feeMax} is allowed`);
    const nonce = outgoing.nonce === undefined ? await this.#nextNonce(held) : ok(outgoing.nonce);
    if (!nonce.ok) return nonce;
    const height = highestOf(terms.value.height, this.#proven.height, this.#heightFloor);
    const validUntil = height + lowestOf(validForBlocks, maxValidity);
    return ok(signBody(this.#signer, this.#genesis.hash, { nonce: nonce.value, fee: wanted, validUntil }, outgoing.body));
  }

  /** A node refused the terms of what was signed last: they are asked for anew, and where nobody can be asked, moved. */
  onTermsRefused(code: string): void {
    const { minimumFee, maxValidity } = this.#genesis.parameters;
    this.#terms = undefined;
    if (code === "feeTooLow") {
      this.#feeFloor = lowestOf(2n * highestOf(this.#feeFloor, minimumFee), this.#policy.feeMax);
    } else if (code === "expired") {
      this.#heightFloor = highestOf(this.#heightFloor, this.#proven.height) + lowestOf(this.#policy.validForBlocks, maxValidity);
    } else this.#heightFloor = 0n;
  }

  /** A node says that this nonce is taken, or one ended without a proof: the next one is asked for. */
  onNonceDoubt(taken?: bigint): void {
    this.#isNonceDoubtful = true;
    if (taken !== undefined && taken >= this.#nonceFloor) this.#nonceFloor = taken + 1n;
  }

  /** A receipt was verified. @param nonce of its transaction where it is known */
  onProven(height: bigint, nonce: bigint | undefined): void {
    const next = nonce === undefined ? 0n : nonce + 1n;
    this.#proven = {
      nextNonce: highestOf(next, this.#proven.nextNonce),
      height: highestOf(height, this.#proven.height),
    };
    this.#heightFloor = 0n;
  }

  async #termsNow(): Promise<Result<ChainTerms, string>> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#terms && nowMs - this.#terms.atMs < TERMS_AGE_MS) return ok(this.#terms.terms);
    const asked = await this.#route.terms();
    if (asked === undefined) return ok({ height: 0n });
    if (!asked.ok) return asked;
    this.#terms = { terms: asked.value, atMs: nowMs };
    if (asked.value.minimumFee !== undefined) this.#feeFloor = 0n;
    this.#heightFloor = 0n;
    return asked;
  }

  /** The first free nonce: after the run in flight, or what a node says when there is none to follow on. */
  async #nextNonce(held: readonly bigint[]): Promise<Result<bigint, string>> {
    const highest = highestOf(-1n, ...held);
    if (highest >= 0n && !this.#isNonceDoubtful) return ok(highest + 1n);
    const asked = await this.#route.account(this.#signer.publicKey);
    if (asked && !asked.ok) return asked;
    if (asked && this.#policy.isSponsored && !asked.value.isSponsored) return err("no owner sponsors this device yet");
    const told = asked ? asked.value.pendingNonce : this.#nonceFloor;
    let next = highestOf(told, this.#proven.nextNonce);
    while (held.includes(next)) next += 1n;
    this.#isNonceDoubtful = false;
    return ok(next);
  }
}

function highestOf(first: bigint, ...others: readonly bigint[]): bigint {
  let highest = first;
  for (const other of others) if (other > highest) highest = other;
  return highest;
}

function lowestOf(a: bigint, b: bigint): bigint {
  return -highestOf(-a, -b);
}
