import type { Message, PeerId } from "../../src/consensus/index.ts";
import { Prng } from "../../src/kernel/index.ts";
import {
  type Proposal,
  proposalIdOf,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  type VoteStatement,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import type { SimNode } from "./sim-node.ts";

type Variant = { readonly proposal: Proposal; readonly message: Message };

/**
 * Turns a box into a traitor: the real loop goes on inside, and on the way out its proposals are doubled (one half of
 * the network sees one block, the other half a rival), its votes are contradicted, withheld or sent to some only.
 */
export class Saboteur {
  readonly #node: SimNode;
  readonly #prng: Prng;
  /** Rival of our proposal, by view of its epoch. */
  readonly #variants = new Map<string, Variant>();
  /** Conflicting votes sent, for tests that expect a conviction. */
  conflictCount = 0;

  constructor(node: SimNode, seed: number) {
    this.#node = node;
    this.#prng = new Prng(seed);
    node.tamper = (to, message) => this.#tamper(to, message);
  }

  #tamper(to: PeerId, message: Message): Message[] {
    if (this.#prng.chance(0.05)) return [];
    if (message.kind === "proposal" && this.#isOurs(message.proposal))
      return this.#seesRival(to) ? [this.#variantOf(message).message] : [message];
    if (message.kind === "vote") return this.#contradict(to, message.vote);
    return [message];
  }

  #contradict(to: PeerId, vote: Vote): Message[] {
    const variant = this.#variants.get(`${vote.epoch}:${vote.view}`);
    const own =
      variant && vote.kind === VOTE_KIND.notarize && this.#seesRival(to)
        ? this.#sign(vote, vote.kind, proposalIdOf(variant.proposal))
        : vote;
    const votes: Vote[] = [own];
    if (this.#prng.chance(0.3)) votes.push(this.#sign(vote, VOTE_KIND.nullify));
    if (vote.proposalId && this.#prng.chance(0.3)) votes.push(this.#sign(vote, VOTE_KIND.finalize, vote.proposalId));
    if (variant && this.#prng.chance(0.5)) votes.push(this.#sign(vote, VOTE_KIND.finalize, proposalIdOf(variant.proposal)));
    this.conflictCount += votes.length - 1;
    return votes.map((each) => ({ kind: "vote", vote: each }));
  }

  /** Half of the others, the same half for the whole run, are shown the rival. */
  #seesRival(to: PeerId): boolean {
    return Number.parseInt(to.slice(0, 2), 16) % 2 === 0;
  }

  #isOurs(proposal: Proposal): boolean {
    const status = this.#node.status();
    if (status?.self === undefined || status.epoch !== proposal.epoch) return false;
    return (
      this.#node.chain.rules.setOf(proposal.epoch).validators.length > 0 && status.leader === status.self && status.view === proposal.view
    );
  }

  #variantOf(message: Extract<Message, { kind: "proposal" }>): Variant {
    const { proposal, block } = message;
    const key = `${proposal.epoch}:${proposal.view}`;
    const known = this.#variants.get(key);
    if (known) return known;
    const { header, parentCertificate, evidence } = block;
    const { epoch, view, leader, parentHash, timeMs } = header;
    const validatorSet = this.#node.chain.rules.setOf(epoch);
    const request = { epoch, view, leader, parentHash, timeMs: timeMs + 1, isEmpty: true, validatorSet, evidence };
    const built = this.#node.chain.build(parentCertificate ? { ...request, parentCertificate } : request);
    const rival: Proposal = { ...proposal, blockHash: built.hash };
    const { leaderVote: _leaderVote, ...payload } = message;
    const variant: Variant = { proposal: rival, message: { ...payload, proposal: rival, block: built.block } };
    this.#variants.set(key, variant);
    return variant;
  }

  #sign(place: Vote, kind: VoteKind, proposalId?: Uint8Array): Vote {
    const base = { kind, epoch: place.epoch, view: place.view };
    const statement: VoteStatement = proposalId ? { ...base, proposalId } : base;
    const signature = this.#node.key.sign(voteSignBytes(this.#node.chain.rules.chainId, statement));
    if (signature instanceof Promise) throw new Error("stand-in keys sign at once");
    return { ...statement, signer: place.signer, signature };
  }
}
