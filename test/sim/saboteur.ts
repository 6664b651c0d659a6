import type { Message, PeerId } from "../../src/consensus/index.ts";
import { Prng } from "../../src/kernel/index.ts";
import {
  type Block,
  batchRootOf,
  blockHashOf,
  type Certificate,
  type Proposal,
  proposalIdOf,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  type VoteStatement,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import type { Cluster } from "./cluster.ts";
import { rawParcel } from "./network.ts";
import type { SimNode } from "./sim-node.ts";

/** What a traitor may do; it does those it is given, each now and then. */
export const TREASONS = [
  "equivocate",
  "withholdProposal",
  "lateProposal",
  "withholdBatch",
  "badRoot",
  "badVersion",
  "staleParent",
  "doubleVotes",
  "badCertificates",
  "selectiveSending",
  "lieAboutHeight",
  "lieInRecovery",
  "garbage",
] as const;
/** One kind of treason. */
export type Treason = (typeof TREASONS)[number];

type Variant = { readonly proposal: Proposal; readonly message: Message };
type ProposalMessage = Extract<Message, { kind: "proposal" }>;

/**
 * Turns a box into a traitor: the real loop goes on inside, and on the way out its proposals are doubled (one half of the
 * network sees one block, the other half a rival), spoilt, late or missing, its votes contradicted, its certificates
 * forged, its answers untrue.
 */
export class Saboteur {
  readonly #cluster: Cluster;
  readonly #node: SimNode;
  readonly #prng: Prng;
  readonly #treasons: ReadonlySet<Treason>;
  /** Rival of our proposal, by view of its epoch. */
  readonly #variants = new Map<string, Variant | undefined>();
  /** What is done with the proposal of a view. */
  readonly #modes = new Map<string, Treason | "none">();

  constructor(cluster: Cluster, node: SimNode, seed: number, treasons: readonly Treason[] = TREASONS) {
    this.#cluster = cluster;
    this.#node = node;
    this.#prng = new Prng(seed);
    this.#treasons = new Set(treasons);
    node.tamper = (to, message) => this.#tamper(to, message);
  }

  #tamper(to: PeerId, message: Message): Message[] {
    if (this.#does("selectiveSending", 0.08)) return [];
    if (this.#does("garbage", 0.03)) this.#sendGarbage(to, message);
    switch (message.kind) {
      case "proposal":
        return this.#isOurs(message.proposal) ? this.#spoil(to, message) : [message];
      case "vote":
        return this.#contradict(to, message.vote);
      case "certificates":
        return this.#forge(to, message);
      case "hello":
        if (!this.#does("lieAboutHeight", 0.5)) return [message];
        return [
          { ...message, height: message.height + 1_000, epoch: message.epoch + this.#prng.below(3), floorView: message.floorView + 500 },
        ];
      case "recoveryAnswer": {
        if (!this.#does("lieInRecovery", 0.7)) return [message];
        const { opening: _opening, highest: _highest, ...bare } = message;
        return [bare];
      }
      default:
        return [message];
    }
  }

  #does(treason: Treason, probability: number): boolean {
    return this.#treasons.has(treason) && this.#prng.chance(probability);
  }

  #spoil(to: PeerId, message: ProposalMessage): Message[] {
    const key = `${message.proposal.epoch}:${message.proposal.view}`;
    const mode = this.#modes.get(key) ?? this.#chooseMode();
    this.#modes.set(key, mode);
    switch (mode) {
      case "withholdProposal":
        return [];
      case "lateProposal":
        this.#cluster.schedule.after(200 + this.#prng.below(1_200), () => {
          if (this.#node.isUp) this.#cluster.sendRaw(this.#node, to, this.#cluster.network.parcelOf(message));
        });
        return [];
      case "equivocate":
        return this.#seesRival(to) ? [this.#variantOf(message, mode)?.message ?? message] : [message];
      case "withholdBatch":
      case "badRoot":
      case "badVersion":
      case "staleParent":
        return [this.#variantOf(message, mode)?.message ?? message];
      default:
        return [message];
    }
  }

  #chooseMode(): Treason | "none" {
    const modes = ["equivocate", "withholdProposal", "lateProposal", "withholdBatch", "badRoot", "badVersion", "staleParent"] as const;
    const possible = modes.filter((mode) => this.#treasons.has(mode));
    if (possible.length === 0 || this.#prng.chance(0.25)) return "none";
    return possible[this.#prng.below(possible.length)] ?? "none";
  }

  #contradict(to: PeerId, vote: Vote): Message[] {
    const variant = this.#variants.get(`${vote.epoch}:${vote.view}`);
    const isForRival = variant && vote.kind === VOTE_KIND.notarize && this.#seesVariant(vote, to);
    const own = isForRival ? this.#sign(vote, vote.kind, proposalIdOf(variant.proposal)) : vote;
    const votes: Vote[] = [own];
    if (this.#treasons.has("doubleVotes")) {
      if (this.#prng.chance(0.3)) votes.push(this.#sign(vote, VOTE_KIND.nullify));
      if (vote.proposalId && this.#prng.chance(0.3)) votes.push(this.#sign(vote, VOTE_KIND.finalize, vote.proposalId));
      if (variant && this.#prng.chance(0.5)) votes.push(this.#sign(vote, VOTE_KIND.finalize, proposalIdOf(variant.proposal)));
      if (variant && this.#prng.chance(0.3)) votes.push(this.#sign(vote, VOTE_KIND.notarize, proposalIdOf(variant.proposal)));
      if (this.#prng.chance(0.05)) votes.push({ ...vote, view: vote.view + this.#prng.below(40) });
    }
    return votes.map((each) => ({ kind: "vote", vote: each }));
  }

  /** Adds certificates that prove nothing, or whose bytes do not end where they should. */
  #forge(to: PeerId, message: Extract<Message, { kind: "certificates" }>): Message[] {
    const [first] = message.certificates;
    if (!first || !this.#does("badCertificates", 0.6)) return [message];
    const signature = first.signatures[0] ?? new Uint8Array(64);
    const twice = first.signatures.map(() => signature);
    const next: Certificate = first.proposal
      ? { ...first, epoch: first.epoch + 1, proposal: { ...first.proposal, epoch: first.epoch + 1 } }
      : { ...first, epoch: first.epoch + 1 };
    const forgeries: Certificate[] = [
      { ...first, signatures: twice },
      next,
      { ...first, bitmap: withoutLowestBit(first.bitmap), signatures: first.signatures.slice(1) },
      { ...first, bitmap: first.bitmap.map(() => 0xff) },
      first.proposal
        ? { ...first, view: first.view + 1, proposal: { ...first.proposal, view: first.view + 1 } }
        : { ...first, view: first.view + 1 },
    ];
    const forged: Message = { kind: "certificates", certificates: [forgeries[this.#prng.below(forgeries.length)] ?? first] };
    if (this.#prng.chance(0.2)) this.#cluster.sendRaw(this.#node, to, trailing(this.#cluster.network.parcelOf(message).bytes));
    return [forged, message];
  }

  #sendGarbage(to: PeerId, message: Message): void {
    const bytes = this.#cluster.network.parcelOf(message).bytes.slice();
    bytes[this.#prng.below(bytes.length)] = this.#prng.below(256);
    this.#cluster.sendRaw(this.#node, to, rawParcel(bytes));
  }

  /** Half of the others, the same half for the whole run, are shown the rival. */
  #seesRival(to: PeerId): boolean {
    return Number.parseInt(to.slice(0, 2), 16) % 2 === 0;
  }

  #seesVariant(vote: Vote, to: PeerId): boolean {
    return this.#modes.get(`${vote.epoch}:${vote.view}`) !== "equivocate" || this.#seesRival(to);
  }

  #isOurs(proposal: Proposal): boolean {
    const status = this.#node.status();
    if (status?.self === undefined || status.epoch !== proposal.epoch) return false;
    return status.leader === status.self && status.view === proposal.view;
  }

  #variantOf(message: ProposalMessage, mode: Treason): Variant | undefined {
    const { proposal } = message;
    const key = `${proposal.epoch}:${proposal.view}`;
    if (this.#variants.has(key)) return this.#variants.get(key);
    const changed = this.#changedBlock(message, mode);
    const { leaderVote: _leaderVote, ...payload } = message;
    const rival: Proposal | undefined = changed && {
      ...proposal,
      blockHash: blockHashOf(changed.block.header),
      parentView: changed.parentView,
    };
    const variant = changed && rival && { proposal: rival, message: { ...payload, proposal: rival, block: changed.block } };
    this.#variants.set(key, variant);
    return variant;
  }

  #changedBlock({ proposal, block }: ProposalMessage, mode: Treason): { block: Block; parentView: number } | undefined {
    const { header, parentCertificate, evidence } = block;
    if (header.view !== proposal.view) return undefined; // a boundary block proposed again
    const { parentView } = proposal;
    if (mode === "badRoot") return { block: { ...block, header: { ...header, stateRoot: flipped(header.stateRoot) } }, parentView };
    if (mode === "withholdBatch") {
      const batchDigests = [...block.batchDigests, this.#prng.bytes(32)];
      return { block: { ...block, header: { ...header, batchRoot: batchRootOf(batchDigests) }, batchDigests }, parentView };
    }
    if (mode === "badVersion") return { block: { ...block, header: { ...header, version: header.version + 1 } }, parentView };
    if (mode === "staleParent") {
      const parent = this.#node.chain.committed.at(-1);
      const certificate = parent?.block.parentCertificate;
      if (!parent || !certificate || certificate.epoch !== proposal.epoch || parent.block.header.epoch !== proposal.epoch) return undefined;
      const stale = {
        ...header,
        height: parent.block.header.height,
        parentHash: parent.block.header.parentHash,
        parentBitmap: certificate.bitmap,
      };
      return { block: { ...block, header: stale, parentCertificate: certificate }, parentView: certificate.view };
    }
    const { epoch, view, leader, parentHash, timeMs } = header;
    const validatorSet = this.#node.chain.rules.setOf(epoch);
    const request = { epoch, view, leader, parentHash, timeMs: timeMs + 1, isEmpty: true, validatorSet, evidence };
    return { block: this.#node.chain.build(parentCertificate ? { ...request, parentCertificate } : request).block, parentView };
  }

  #sign(place: Vote, kind: VoteKind, proposalId?: Uint8Array): Vote {
    const base = { kind, epoch: place.epoch, view: place.view };
    const statement: VoteStatement = proposalId ? { ...base, proposalId } : base;
    const signature = this.#node.key.sign(voteSignBytes(this.#node.chain.rules.chainId, statement));
    if (signature instanceof Promise) throw new Error("simulated keys sign at once");
    return { ...statement, signer: place.signer, signature };
  }
}

function flipped(root: Uint8Array): Uint8Array {
  return root.map((byte, position) => (position === 0 ? byte ^ 1 : byte));
}

function withoutLowestBit(bitmap: Uint8Array): Uint8Array {
  const at = bitmap.findIndex((byte) => byte !== 0);
  return bitmap.map((byte, position) => (position === at ? byte & (byte - 1) : byte));
}

function trailing(bytes: Uint8Array): ReturnType<typeof rawParcel> {
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  return rawParcel(longer);
}
