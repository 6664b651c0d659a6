import { assert } from "../kernel/index.ts";
import { bytesOf, notePeerHolds, spend } from "./anti-entropy.ts";
import { BOUNDS } from "./bounds.ts";
import { noteAhead } from "./catch-up.ts";
import { acceptCertificate } from "./certificates.ts";
import { unitDraw } from "./draws.ts";
import type { PeerId, RecoveryAnswerMessage } from "./messages.ts";
import { gateOf, mustAskOthers, setGate } from "./recovery-gate.ts";
import { type CoreState, emit, type Recovery } from "./state.ts";
import type { RefusalCode } from "./steps.ts";

/** V where nobody who answered had entered the epoch: its first view may hold a lost vote, its second cannot. */
const NOT_ENTERED = -1;

/**
 * R14: while recovering, and anew when an epoch opens before the gate has ended, asks everyone where they are, with
 * growing pauses, and sets the gate once others of weight 2F+1 in the current set that are not recovering themselves have
 * answered. Answers are kept until the gate ends: who had not entered a later epoch when it answered has no vote there
 * that is older than the loss, so where enough of the next set have answered already, nobody is asked again.
 */
export function runRecovery(core: CoreState): void {
  const { recoveryStatus, epoch } = core;
  if (recoveryStatus.kind === "intact" || core.isMute) {
    core.recovery = undefined;
    return;
  }
  if (!mustAskOthers(recoveryStatus, epoch.epoch)) return;
  core.recovery ??= { token: Math.floor(unitDraw(core) * 2 ** 32), answers: new Map(), attempts: 0, nextAskAtMs: core.nowMs };
  const { recovery } = core;
  if (answeredWeight(core) >= 2n * epoch.set.faultyWeightMax + 1n) {
    setGate(core, gateOf(epoch.epoch, highestShown(core, recovery)));
    recovery.attempts = 0;
    recovery.nextAskAtMs = core.nowMs;
    return;
  }
  if (core.nowMs < recovery.nextAskAtMs) return;
  recovery.nextAskAtMs = core.nowMs + core.config.timers.fetchTimeoutMs * Math.min(2 ** recovery.attempts++, BOUNDS.backOffMax);
  for (const peer of core.peers.keys()) askForRecovery(core, peer);
}

/** V: the highest certified view of the epoch that was shown, 0 when it was only entered. What we hold ourselves only raises it. */
function highestShown({ epoch }: CoreState, { answers }: Recovery): number {
  let highest = epoch.best?.view ?? (epoch.floor > 0 ? epoch.floor : NOT_ENTERED);
  for (const shown of answers.values()) if (shown.epoch === epoch.epoch) highest = Math.max(highest, shown.view);
  return highest;
}

/** R14: a peer that has connected while we recover is asked at once: most of the wait would be for the next turn to ask. */
export function askForRecovery(core: CoreState, peer: PeerId): void {
  const { recovery, recoveryStatus, epoch } = core;
  if (!recovery || !mustAskOthers(recoveryStatus, epoch.epoch)) return;
  if (!epoch.signerOf.has(peer) || recovery.answers.has(peer)) return;
  emit(core, { kind: "send", to: peer, message: { kind: "recoveryRequest", token: recovery.token } });
}

/** Shows a recovering box the finalization that opened our epoch and our highest certificate in it. */
export function onRecoveryRequest(core: CoreState, from: PeerId, token: number): void {
  const { opening, best } = core.epoch;
  if (!spend(core, from, 64 + bytesOf(opening, best))) return;
  const shown = { ...(opening ? { opening } : {}), ...(best ? { highest: best } : {}) };
  emit(core, {
    kind: "send",
    to: from,
    message: { kind: "recoveryAnswer", token, isRecovering: core.recoveryStatus.kind === "recovering", ...shown },
  });
}

/**
 * Takes an answer: E is the highest epoch opened by a shown finalization, V the highest certified view shown in it. What
 * is shown must verify; an epoch that we have not reached is caught up with first and asked for again.
 */
export function onRecoveryAnswer(core: CoreState, from: PeerId, answer: RecoveryAnswerMessage): RefusalCode | undefined {
  const { recovery, epoch } = core;
  if (!recovery || answer.token !== recovery.token || answer.isRecovering || !epoch.signerOf.has(from)) return undefined;
  const shownEpoch = answer.opening === undefined ? 0 : answer.opening.epoch + 1;
  if (shownEpoch > epoch.epoch) noteAhead(core, from, { epoch: shownEpoch, view: 1 });
  if (shownEpoch > epoch.epoch) return undefined;
  const { highest } = answer;
  if (shownEpoch < epoch.epoch || !highest) {
    recovery.answers.set(from, { epoch: shownEpoch, view: 0 });
    return undefined;
  }
  if (highest.epoch !== epoch.epoch || acceptCertificate(core, highest) === "refused") return "badCertificate";
  assert(highest.view >= 1, "a certificate lies in a view");
  notePeerHolds(core, from, highest);
  recovery.answers.set(from, { epoch: shownEpoch, view: highest.view });
  return undefined;
}

/** Others that answered, each counted once. */
function answeredWeight(core: CoreState): bigint {
  const { set, self, signerOf } = core.epoch;
  let weight = 0n;
  for (const peer of core.recovery?.answers.keys() ?? []) {
    const signer = signerOf.get(peer);
    if (signer !== undefined && signer !== self) weight += set.validators[signer]?.weight ?? 0n;
  }
  return weight;
}
