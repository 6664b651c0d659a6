import { chooseParent } from "../../src/consensus/ancestry.ts";
import type { Message } from "../../src/consensus/index.ts";
import { bytesEqual, present } from "../../src/kernel/index.ts";
import { type Block, blockHashOf, type Certificate, type Proposal, proposalIdOf, VOTE_KIND } from "../../src/protocol/index.ts";
import { LOST_JOURNAL, type MadeProposal, Rig } from "../rules/rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;
/** The validator that lies. */
export const LIAR = 3;
const HONEST = [1, 2] as const;

/** A box among three others in a certain state, with what its honest peers hold and did. */
export type State = {
  readonly rig: Rig;
  readonly blocks: Block[];
  /** Views, as `epoch:view`, that honest peers gave up, so that they finalize nothing in them. */
  readonly givenUp: Set<string>;
};

function stateOf(rig: Rig, blocks: Block[] = []): State {
  return { rig, blocks, givenUp: new Set() };
}

/** The states in which a box is thrown at, by name. */
export const STATES: Readonly<Record<string, () => State>> = {
  fresh: () => stateOf(new Rig()),
  notGreeted: () => {
    const rig = new Rig({ isGreeted: false });
    rig.greet([]);
    return stateOf(rig);
  },
  voting: () => {
    const state = stateOf(new Rig());
    const { rig } = state;
    rig.work();
    for (let views = 0; views < 5; views++) advance(state);
    const view = rig.viewLedBy(1, rig.status.view);
    for (let v = rig.status.view; v < view; v++) rig.show(giveUp(state, v));
    rig.from(1, proposalFor(rig, view).message);
    return state;
  },
  givingUp: () => {
    const state = stateOf(new Rig());
    for (let view = 1; view <= 30; view++) state.rig.show(giveUp(state, view));
    state.rig.work();
    state.rig.pass(30_000);
    return state;
  },
  recovering: () => stateOf(new Rig({ replay: LOST_JOURNAL })),
  lagging: () => {
    const rig = new Rig();
    const made: MadeProposal[] = [];
    let parent: Parameters<Rig["propose"]>[1];
    for (let view = 1; view <= 30; view++) {
      const next = rig.propose(view, parent);
      rig.chain.check(next.block);
      parent = { proposal: next.proposal, certificate: rig.certificate([1, 2, 3], notarize, view, next.proposal) };
      made.push(next);
    }
    const last = present(made.at(-1), "a last block");
    rig.show(rig.certificate([1, 2, 3], finalize, 30, last.proposal));
    rig.pass(150);
    return stateOf(
      rig,
      made.map(({ block }) => block),
    );
  },
  boundaryNotarized: () => {
    const state = stateOf(new Rig({ epochBlocks: 1 }));
    const { rig } = state;
    const view = rig.viewLedBy(1);
    for (let v = 1; v < view; v++) rig.show(giveUp(state, v));
    const boundary = rig.propose(view);
    rig.from(1, boundary.message);
    rig.show(rig.certificate([1, 2, 3], notarize, view, boundary.proposal));
    state.blocks.push(boundary.block);
    return state;
  },
  epochOpened: () => {
    const state = stateOf(new Rig({ epochBlocks: 2 }));
    for (let views = 0; state.rig.status.epoch === 0 && views < 20; views++) advance(state);
    return state;
  },
};

/** The nullification of a view by the others, who from now on finalize nothing in it. */
function giveUp({ rig, givenUp }: State, view: number): Certificate {
  givenUp.add(`${rig.core.epoch.epoch}:${view}`);
  return rig.nullification(view);
}

/** Messages that a liar has at hand: its own, and what it heard from others, about now, before, later and elsewhere. */
export function overheard(state: State): Message[] {
  const { rig, blocks } = state;
  const { view, epoch } = rig.status;
  const at = Math.max(1, view);
  const made = proposalFor(rig, rig.leaderOf(at) === rig.self ? at + 1 : at); // nobody else signs what this box would
  const id = made.id;
  blocks.push(made.block);
  const certificates = [giveUp(state, at), giveUp(state, at + 5)];
  // Honest peers notarize only what proves its parent.
  if (chooseParent(rig.core, made.proposal.view)?.view === made.proposal.parentView) {
    certificates.push(rig.certificate([1, 2, 3], notarize, made.proposal.view, made.proposal));
  }
  const far = { ...rig.certificate([1, 2, 3], nullify, 3, undefined, epoch + 1) };
  const votes = [notarize, nullify, finalize].flatMap((kind) =>
    [LIAR, 1].flatMap((signer) => [at - 1, at, at + 1, at + 16, at + 17].map((v) => [kind, signer, Math.max(1, v)] as const)),
  );
  const finalBlocks = blocks.slice(rig.status.height, rig.status.height + 10);
  const last = finalBlocks.at(-1);
  const finalization = last && {
    ...rig.certificate([1, 2, 3], finalize, last.header.view, {
      epoch,
      view: last.header.view,
      parentView: last.header.view - 1,
      blockHash: blockHashOf(last.header),
    }),
  };
  const token = rig.sentOf("recoveryRequest").at(-1)?.token ?? 1;
  const bare = made.message.kind === "proposal" ? made.message.nullifications : [];
  return [
    ...votes.map(
      ([kind, signer, v]): Message => ({
        kind: "vote",
        vote: rig.makeVote(signer, kind, v, kind === nullify ? undefined : id),
      }),
    ),
    made.message,
    { kind: "proposal", proposal: made.proposal, block: made.block, nullifications: bare },
    { kind: "certificates", certificates },
    { kind: "certificates", certificates: [far] },
    { kind: "fetch", target: { kind: "certificates", epoch, fromView: 1, toView: at + 100 } },
    { kind: "fetch", target: { kind: "proposal", epoch, view: at, proposalId: id } },
    { kind: "fetch", target: { kind: "block", hash: made.proposal.blockHash } },
    { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 1 } },
    { kind: "block", block: made.block },
    ...blocks.slice(-3).map((block): Message => ({ kind: "block", block })),
    ...(finalization ? [{ kind: "finalBlocks", blocks: finalBlocks, finalization } as const] : []),
    {
      kind: "hello",
      token: 7,
      height: 3,
      epoch,
      floorView: at,
      votes: [rig.makeVote(LIAR, nullify, at), rig.makeVote(LIAR, nullify, at + 1)],
    },
    { kind: "helloAnswer", token: rig.core.helloToken, votesOfYours: [rig.makeVote(1, nullify, at)] },
    { kind: "recoveryRequest", token: 9 },
    { kind: "recoveryAnswer", token, isRecovering: false, highest: rig.certificate([1, 2, 3], nullify, at) },
    {
      kind: "recoveryAnswer",
      token,
      isRecovering: false,
      ...(rig.core.epoch.opening ? { opening: rig.core.epoch.opening } : {}),
      highest: far,
    },
  ];
}

/** One view of honest doing: its leader proposes and all honest vote, or all give up on a leader that does not. */
export function advance(state: State): void {
  catchUp(state);
  const { rig, givenUp } = state;
  const { view } = rig.status;
  for (const number of rig.core.epoch.notarized) {
    const proposal = rig.core.epoch.views.get(number)?.notarization?.proposal;
    if (proposal && !givenUp.has(`${proposal.epoch}:${number}`)) rig.vote(HONEST, finalize, number, proposalIdOf(proposal));
  }
  if (rig.status.view !== view) return;
  const leader = rig.leaderOf(view);
  const isFree = rig.core.epoch.views.get(view)?.own.nullify === undefined;
  if (isFree && (HONEST as readonly number[]).includes(leader)) rig.from(leader, proposalFor(rig, view).message);
  else rig.pass(400);
  const own = rig.core.epoch.views.get(view)?.own.notarize;
  if (own !== undefined && rig.status.view === view) rig.vote(HONEST, notarize, view, Uint8Array.fromHex(own));
  if (rig.status.view === view) {
    givenUp.add(`${rig.core.epoch.epoch}:${view}`);
    rig.vote(HONEST, nullify, view);
    rig.pass(11_000);
  }
  if (rig.status.view === view && rig.status.recovery.kind === "gated") rig.show(giveUp(state, view));
}

/** Peers send what this box lacks: blocks that it asks for, and how they came past views it knows nothing of. */
function catchUp(state: State): void {
  const { rig, blocks } = state;
  rig.pass(200);
  for (const { target } of [...rig.core.fetches.values()]) {
    const block = target.kind === "block" && blocks.find(({ header }) => bytesEqual(blockHashOf(header), target.hash));
    if (block) rig.from(1, { kind: "block", block });
  }
  const { views, floor } = rig.core.epoch;
  for (let view = floor + 1; view < rig.status.view; view++) {
    if (!views.get(view)?.notarization && !views.get(view)?.nullification) rig.show(giveUp(state, view));
  }
}

/** Blocks made so far; it tells each from those before, which the box under test may have executed. */
let madeCount = 0;

/** What an honest leader of a view proposes, on what this box would build on. */
function proposalFor(rig: Rig, view: number): MadeProposal {
  const parent = chooseParent(rig.core, view);
  const certificate = parent && parent.view > 0 ? parent.certificate : undefined;
  const header = certificate?.proposal && rig.chain.find(certificate.proposal.blockHash)?.header;
  const timeMs = Math.max(Math.floor(rig.wallMs), (header ?? rig.core.tip).timeMs + 1) + (madeCount++ % 400);
  if (!certificate?.proposal || !header) return rig.propose(view, undefined, { timeMs });
  const block = header.nextValidatorSetHash && header.epoch === rig.core.epoch.epoch && rig.chain.find(certificate.proposal.blockHash);
  if (block) return repeated(rig, certificate.proposal, block, view);
  return rig.propose(view, { proposal: certificate.proposal, certificate }, { timeMs });
}

/** A boundary block as a later leader repeats it (R12). */
function repeated(rig: Rig, before: Proposal, block: Block, view: number): MadeProposal {
  const proposal = { ...before, view, parentView: before.view };
  return { proposal, id: proposalIdOf(proposal), block, message: rig.message(proposal, block) };
}
