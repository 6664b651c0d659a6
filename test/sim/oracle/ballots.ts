import { bytesEqual, toHex } from "../../../src/kernel/index.ts";
import {
  type Certificate,
  proposalIdOf,
  type ValidatorSet,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  type VoteStatement,
  voteSignBytes,
} from "../../../src/protocol/index.ts";
import type { Judge, Rules } from "./judge.ts";

/** Signatures of one round: by proposal id (empty for NULLIFY), then by signer. */
type RoundBallots = {
  readonly epoch: number;
  readonly view: number;
  readonly byKind: Readonly<Record<VoteKind, Map<string, Map<number, Uint8Array>>>>;
};

/**
 * Every valid signature that was ever shown by anyone, alone or in a certificate: what a court would have before it. From
 * it follow S2 to S5 without asking any box what it believes.
 */
export class Ballots {
  readonly #rules: Rules;
  readonly #rounds = new Map<string, RoundBallots>();
  readonly #heard = new WeakSet<object>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Hears a vote, whoever shows it. */
  hearVote(vote: Vote): void {
    if (this.#heard.has(vote)) return;
    this.#heard.add(vote);
    this.#enter(vote, vote.signer, vote.signature);
  }

  /**
   * Hears a certificate and judges it against its own epoch's set, by its own arithmetic (S7): signers distinct and of
   * that set, of weight Q, each signature good.
   *
   * @returns what is wrong with it, or undefined
   */
  hearCertificate(certificate: Certificate): string | undefined {
    if (this.#heard.has(certificate)) return undefined;
    this.#heard.add(certificate);
    const { kind, epoch, view, proposal, bitmap, signatures } = certificate;
    if ((kind === VOTE_KIND.nullify) !== (proposal === undefined)) return "its kind does not fit its proposal";
    if (proposal && (proposal.epoch !== epoch || proposal.view !== view)) return "its proposal is of another round";
    const set = this.#rules.setOf(epoch);
    const signers: number[] = [];
    for (let bit = 0; bit < bitmap.length * 8; bit++) if (((bitmap[Math.floor(bit / 8)] ?? 0) >> (bit % 8)) % 2 === 1) signers.push(bit);
    if (signers.length !== signatures.length) return `${signers.length} signers gave ${signatures.length} signatures`;
    if (signers.some((signer) => signer >= set.validators.length)) return "a signer is outside the set";
    const statement: VoteStatement = proposal ? { kind, epoch, view, proposalId: proposalIdOf(proposal) } : { kind, epoch, view };
    for (const [position, signer] of signers.entries()) {
      if (!this.#enter(statement, signer, signatures[position] ?? new Uint8Array()))
        return `the signature of signer ${signer} is not valid`;
    }
    return isQuorum(set, signers) ? undefined : "its signers are no quorum";
  }

  /** Whether signers of weight Q were shown for a statement. */
  isCertified(kind: VoteKind, epoch: number, view: number, id = ""): boolean {
    const signers = this.#rounds.get(`${epoch}:${view}`)?.byKind[kind].get(id);
    return signers !== undefined && isQuorum(this.#rules.setOf(epoch), [...signers.keys()]);
  }

  /** S2 to S5 over all that was heard. `isFaulty` says of a key that its votes may conflict. */
  conclude(judge: Judge, isFaulty: (publicKey: Uint8Array) => boolean): void {
    for (const round of this.#rounds.values()) {
      this.#checkSigners(judge, round, isFaulty);
      this.#checkCertified(judge, round);
    }
  }

  /** S2: an honest signer says one thing of each kind, and no NULLIFY or other proposal beside a FINALIZE. */
  #checkSigners(judge: Judge, { epoch, view, byKind }: RoundBallots, isFaulty: (publicKey: Uint8Array) => boolean): void {
    for (const [signer, { publicKey }] of this.#rules.setOf(epoch).validators.entries()) {
      const said = (kind: VoteKind): string[] => [...byKind[kind]].filter(([, signers]) => signers.has(signer)).map(([id]) => id);
      const [notarized, finalized, nullified] = [said(VOTE_KIND.notarize), said(VOTE_KIND.finalize), said(VOTE_KIND.nullify)];
      const isTwofold = notarized.length > 1 || finalized.length > 1;
      const isBoth = finalized.length > 0 && (nullified.length > 0 || (notarized.length > 0 && notarized[0] !== finalized[0]));
      if ((isTwofold || isBoth) && !isFaulty(publicKey)) judge.find("S2", `signer ${signer} contradicts itself in ${epoch}:${view}`);
    }
  }

  #checkCertified(judge: Judge, { epoch, view, byKind }: RoundBallots): void {
    const certified = (kind: VoteKind): string[] => [...byKind[kind].keys()].filter((id) => this.isCertified(kind, epoch, view, id));
    const notarized = certified(VOTE_KIND.notarize);
    const finalized = certified(VOTE_KIND.finalize);
    if (notarized.length > 1) judge.find("S3", `two notarized proposals in ${epoch}:${view}`);
    if (finalized.length > 0 && certified(VOTE_KIND.nullify).length > 0)
      judge.find("S4", `${epoch}:${view} is both nullified and finalized`);
    for (const id of finalized) if (!notarized.includes(id)) judge.find("S5", `${epoch}:${view} is finalized without its notarization`);
  }

  /** Enters a signature; false when it is not valid. */
  #enter(statement: VoteStatement, signer: number, signature: Uint8Array): boolean {
    const { kind, epoch, view } = statement;
    const validator = this.#rules.setOf(epoch).validators[signer];
    if (!validator) return false;
    const round = this.#roundOf(epoch, view);
    const id = statement.proposalId ? toHex(statement.proposalId) : "";
    const signers = round.byKind[kind].get(id) ?? new Map<number, Uint8Array>();
    const known = signers.get(signer);
    if (known && bytesEqual(known, signature)) return true;
    if (!this.#rules.suite.verify(validator.publicKey, voteSignBytes(this.#rules.chainId, statement), signature)) return false;
    round.byKind[kind].set(id, signers.set(signer, signature));
    return true;
  }

  #roundOf(epoch: number, view: number): RoundBallots {
    const key = `${epoch}:${view}`;
    const known = this.#rounds.get(key);
    if (known) return known;
    const made: RoundBallots = { epoch, view, byKind: { 1: new Map(), 2: new Map(), 3: new Map() } };
    this.#rounds.set(key, made);
    return made;
  }
}

/** Whether these signers weigh Q = W - floor((W-1)/3), reckoned from the weights alone. */
function isQuorum(set: ValidatorSet, signers: readonly number[]): boolean {
  const total = set.validators.reduce((sum, { weight }) => sum + weight, 0n);
  const weight = signers.reduce((sum, signer) => sum + (set.validators[signer]?.weight ?? 0n), 0n);
  return weight >= total - (total - 1n) / 3n;
}
