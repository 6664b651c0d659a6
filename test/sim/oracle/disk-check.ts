import { compareRounds, type FinalizedBlock, type Message } from "../../../src/consensus/index.ts";
import { bytesEqual, toHex } from "../../../src/kernel/index.ts";
import { type Certificate, proposalIdOf, VOTE_KIND, type Vote, type VoteStatement } from "../../../src/protocol/index.ts";
import type { SimNode } from "../sim-node.ts";
import { DurableJournal, voteKey } from "./durable-journal.ts";
import type { Judge, Rules } from "./judge.ts";

type Memory = {
  readonly journal: DurableJournal;
  /** Votes that left, with the number of journal losses before. */
  readonly left: Map<string, number>;
  /** Life in which each vote was last compared with the disk. */
  readonly comparedIn: Map<string, number>;
};

/**
 * S10 and S11: what leaves a box, and what its chain holds, lay in the synced prefix of its journal before. Looks at the
 * platters at the very moment of sending and of committing.
 */
export class DiskCheck {
  readonly #rules: Rules;
  readonly #judge: Judge;
  readonly #memories = new Map<SimNode, Memory>();

  readonly #onCertificate: (node: SimNode, certificate: Certificate) => void;

  constructor(rules: Rules, judge: Judge, onCertificate: (node: SimNode, certificate: Certificate) => void) {
    this.#rules = rules;
    this.#judge = judge;
    this.#onCertificate = onCertificate;
  }

  /** Reads what became durable on a box's disk. */
  refresh(node: SimNode): void {
    this.#memoryOf(node).journal.refresh();
  }

  /** S11: own votes in a message about to leave are durable; J2 and J4 with them. */
  onSent(node: SimNode, message: Message): void {
    for (const vote of votesIn(message)) if (this.#isOwn(node, vote)) this.#checkVote(node, vote);
  }

  /** S10: own votes in the certificates of blocks about to be committed are durable, and no pruned floor runs ahead of the chain. */
  onCommit(node: SimNode, blocks: readonly FinalizedBlock[]): void {
    const memory = this.#memoryOf(node);
    memory.journal.refresh();
    const tip = node.chain.tip();
    if (compareRounds(memory.journal.floor, tip) > 0)
      this.#judge.find(
        "S10",
        `${node.name}: the journal's floor ${memory.journal.floor.epoch}:${memory.journal.floor.view} is ahead of its chain`,
      );
    for (const { finalization } of blocks.slice(-1)) {
      const { epoch, view, proposal } = finalization;
      if (!proposal) continue;
      const own = { kind: VOTE_KIND.finalize, epoch, view, proposalId: proposalIdOf(proposal) } as const;
      const key = voteKey(own);
      const wasLost = memory.left.has(key) && (memory.left.get(key) !== node.journalLosses || memory.journal.recovery !== "intact");
      if (this.#hasSigned(node, finalization) && !wasLost && !memory.journal.votes.has(key))
        this.#judge.find("S10", `${node.name}: commits ${epoch}:${view} while its own FINALIZE for it is not durable`);
    }
  }

  #checkVote(node: SimNode, vote: Vote): void {
    const memory = this.#memoryOf(node);
    const key = voteKey(vote);
    if (memory.comparedIn.get(key) === node.startCount) return;
    const isFirst = !memory.left.has(key);
    memory.comparedIn.set(key, node.startCount);
    if (isFirst) memory.left.set(key, node.journalLosses);
    memory.journal.refresh();
    const isFinal = compareRounds(vote, node.chain.tip()) <= 0;
    if (!memory.journal.votes.has(key) && (isFirst || !isFinal))
      this.#judge.find("S11", `${node.name}: a vote leaves that is not durable, ${key.slice(0, 24)}`);
    if (isFirst && !isFinal) this.#checkGround(node, memory.journal, vote);
  }

  /** J2: with a first vote the certificate that opened its view is durable; J4: with a NOTARIZE its block. */
  #checkGround(node: SimNode, journal: DurableJournal, vote: Vote): void {
    const { epoch, view, kind } = vote;
    const tip = node.chain.tip();
    const isOpenedByChain = view === 1 || (tip.epoch === epoch && tip.view >= view - 1);
    if (kind !== VOTE_KIND.finalize && !isOpenedByChain && !journal.certified.has(`${epoch}:${view - 1}`))
      this.#judge.find("S11", `${node.name}: votes in ${epoch}:${view} without a durable certificate of the view before`);
    if (kind === VOTE_KIND.finalize && !journal.certified.has(`${epoch}:${view}`))
      this.#judge.find("S11", `${node.name}: finalizes in ${epoch}:${view} without a durable notarization`);
  }

  #isOwn(node: SimNode, vote: VoteStatement & { readonly signer: number }): boolean {
    const key = this.#rules.setOf(vote.epoch).validators[vote.signer]?.publicKey;
    return key !== undefined && bytesEqual(key, node.key.publicKey);
  }

  #hasSigned(node: SimNode, { epoch, bitmap }: FinalizedBlock["finalization"]): boolean {
    const index = this.#rules.setOf(epoch).validators.findIndex(({ publicKey }) => toHex(publicKey) === node.id);
    return index >= 0 && ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  #memoryOf(node: SimNode): Memory {
    const known = this.#memories.get(node);
    if (known) return known;
    const made = {
      journal: new DurableJournal(node, (certificate) => this.#onCertificate(node, certificate)),
      left: new Map(),
      comparedIn: new Map(),
    };
    this.#memories.set(node, made);
    return made;
  }
}

function votesIn(message: Message): readonly Vote[] {
  switch (message.kind) {
    case "vote":
      return [message.vote];
    case "hello":
      return message.votes;
    case "proposal":
      return message.leaderVote ? [message.leaderVote] : [];
    default:
      return [];
  }
}
