import { assert, toHex } from "../kernel/index.ts";
import type { Vote } from "../protocol/index.ts";
import { onMessage } from "./admission.ts";
import { breakStandstill, forwardDue, onPeerReach, runFetches, tellFollowers } from "./anti-entropy.ts";
import { tryArm, tryEnter } from "./arming.ts";
import { boundBlocks, onChecked, retryLacking } from "./block-pool.ts";
import { BOUNDS } from "./bounds.ts";
import { wantProofOfClaims } from "./catch-up.ts";
import { formCertificate } from "./certificates.ts";
import { isConvicting, keepEvidence } from "./evidence-pool.ts";
import { onCommitted, tryCommit, tryFinalize } from "./finalizing.ts";
import { isGreetedByQuorum, repeatHello, sendHello } from "./greeting.ts";
import type { PeerId } from "./messages.ts";
import { tryNotarize } from "./notarizing.ts";
import { tryNullify } from "./nullifying.ts";
import { onBuilt, tryPropose } from "./proposing.ts";
import { askForRecovery, runRecovery } from "./recovery.ts";
import { endGate } from "./recovery-gate.ts";
import { type CoreState, emit, viewOf } from "./state.ts";
import type { Effect, Input, StepTime } from "./steps.ts";
import { isOwn, recordVote } from "./votes.ts";

/**
 * One step of agreement: takes an input and the time, gives the effects to run in order. Inputs only change facts; then
 * every rule looks at the facts and acts until none has anything left to do, so no order of messages is special.
 */
export function step(core: CoreState, input: Input, time: StepTime): readonly Effect[] {
  assert(time.monotonicMs >= core.nowMs, "monotonic time never goes back");
  core.nowMs = time.monotonicMs;
  core.wallMs = time.wallMs;
  core.effects = [];
  if (core.isHalted) return core.effects;
  takeInput(core, input);
  settle(core);
  return core.effects;
}

/** Runs every rule until none changes anything, then what goes out on its own time. */
export function settle(core: CoreState): void {
  core.wants.clear();
  core.isGreeted ||= isGreetedByQuorum(core);
  endGate(core);
  for (let rounds = 0; !core.isHalted; rounds++) {
    assert(rounds < 1024, "the rules come to rest");
    if (tryEnter(core)) continue;
    if (tryCommit(core)) continue;
    if (tryArm(core) || tryPropose(core) || tryNotarize(core) || tryFinalize(core) || tryNullify(core)) continue;
    break;
  }
  if (core.isHalted) return;
  boundBlocks(core);
  wantProofOfClaims(core);
  runRecovery(core);
  repeatHello(core);
  forwardDue(core);
  tellFollowers(core);
  breakStandstill(core);
  runFetches(core);
}

function takeInput(core: CoreState, input: Input): void {
  switch (input.kind) {
    case "tick":
      return;
    case "work":
      core.hasWork = input.hasWork;
      return;
    case "message":
      onMessage(core, input.from, input.message);
      return;
    case "peerUp":
      onPeerUp(core, input.peer);
      return;
    case "peerDown":
      onPeerDown(core, input.peer);
      return;
    case "peerReach":
      onPeerReach(core, input.peer, input.lowestHeight);
      return;
    case "batchesHeld":
      retryLacking(core);
      return;
    case "built":
      onBuilt(core, input.request, input.built);
      return;
    case "checked":
      onChecked(core, input.hash, input.verdict);
      return;
    case "ownVote":
      onOwnVote(core, input.vote);
      return;
    case "committed":
      onCommitted(core, input.tip, input.opened);
      return;
    case "evidence":
      if (isConvicting(core, input.encoded)) keepEvidence(core, input.encoded);
      return;
  }
}

function onPeerUp(core: CoreState, peer: PeerId): void {
  const fullBytes = core.config.timers.answerBytesPerSecond * BOUNDS.answerBudgetSeconds;
  const unknown = { budgetBytes: fullBytes, budgetAtMs: core.nowMs, owedBlocks: BOUNDS.owedBlocksStart };
  const before = core.peers.get(peer) ?? core.departed.get(peer) ?? unknown;
  core.departed.delete(peer);
  const nowhere = { epoch: 0, view: 0 };
  core.peers.set(peer, {
    at: nowhere,
    finalized: nowhere,
    budgetBytes: before.budgetBytes,
    budgetAtMs: before.budgetAtMs,
    answeredAtMs: core.nowMs - 60_000,
    hasAnsweredHello: false,
    owedBlocks: before.owedBlocks,
    claim: undefined,
    lowestHeight: undefined,
  });
  if (peer === toHex(core.config.publicKey)) return;
  sendHello(core, peer);
  askForRecovery(core, peer);
}

/** Its account is remembered: a new connection is no new budget (R9), and answers may come over it to old questions. */
function onPeerDown(core: CoreState, peer: PeerId): void {
  const state = core.peers.get(peer);
  if (!state) return;
  core.peers.delete(peer);
  const { budgetBytes, budgetAtMs, owedBlocks } = state;
  core.departed.set(peer, { budgetBytes, budgetAtMs, owedBlocks });
  const [oldest] = core.departed.keys();
  if (oldest !== undefined && core.departed.size > BOUNDS.departedMax) core.departed.delete(oldest);
}

/** J1: our vote is durable, so it counts and leaves. */
function onOwnVote(core: CoreState, vote: Vote): void {
  emit(core, { kind: "broadcast", message: { kind: "vote", vote } });
  const { epoch } = core;
  if (vote.epoch !== epoch.epoch) return;
  const view = viewOf(epoch, vote.view);
  assert(isOwn(view.own, vote) || vote.view <= epoch.floor, "a signed vote was cast");
  view.ownSigned.push(vote);
  recordVote(core, epoch, vote);
  formCertificate(core, vote);
}
