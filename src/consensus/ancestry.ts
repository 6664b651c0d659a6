import { assert } from "../kernel/index.ts";
import type { Certificate } from "../protocol/index.ts";
import { findParentFacts, judgeBlock, type ParentFacts } from "./block-pool.ts";
import type { CoreState } from "./state.ts";
import { want } from "./wants.ts";

/** The parent a leader may build on, or that a proposal names, with what proves it. */
export type ProvenParent = {
  readonly view: number;
  readonly hash: Uint8Array;
  /** Notarization or finalization of the parent; absent exactly when it is genesis. */
  readonly certificate?: Certificate;
};

/**
 * The parent for view `v`: the highest p < v whose notarization or finalization is held, with nullification of every
 * view between. A view with neither is asked for; undefined until it comes.
 *
 * @see consensus R2
 */
export function chooseParent(core: CoreState, v: number): ProvenParent | undefined {
  const { epoch } = core;
  for (let p = v - 1; p >= epoch.floor; p--) {
    if (p === 0) return baseParent(core);
    const view = epoch.views.get(p);
    const certificate = view?.notarization ?? view?.finalization;
    if (certificate?.proposal) return { view: p, hash: certificate.proposal.blockHash, certificate };
    if (!view?.nullification) {
      wantViews(core, epoch.floor, p); // answered from p downwards: what is held above would fill the answer
      return undefined;
    }
  }
  return undefined;
}

/**
 * The parent that a proposal in view `v` names, once its notarization (or finalization) and the nullification of every
 * view between are held; nothing else that we hold matters. A parent below the floor is never proven: that would take a
 * nullification of the finalized view.
 *
 * @see consensus R3
 */
export function proveParent(core: CoreState, v: number, parentView: number): ProvenParent | undefined {
  const { epoch } = core;
  assert(parentView < v, "a parent lies in an earlier view");
  if (parentView < epoch.floor) return undefined;
  for (let between = v - 1; between > parentView; between--) {
    if (epoch.views.get(between)?.nullification) continue;
    wantViews(core, parentView, between);
    return undefined;
  }
  if (parentView === 0) return baseParent(core);
  const view = epoch.views.get(parentView);
  const certificate = view?.notarization ?? view?.finalization;
  if (certificate?.proposal) return { view: parentView, hash: certificate.proposal.blockHash, certificate };
  wantViews(core, parentView, parentView);
  return undefined;
}

/** The facts of a proven parent once it and its ancestors are local and valid. */
export function readyParent(core: CoreState, parent: ProvenParent): ParentFacts | undefined {
  return judgeBlock(core, parent.hash) === "valid" ? findParentFacts(core, parent.hash) : undefined;
}

function baseParent(core: CoreState): ProvenParent {
  const { epoch } = core;
  assert(epoch.floor === 0 && core.tip.epoch + (epoch.opening ? 1 : 0) === epoch.epoch, "view 0 is the tip while the epoch's floor is 0");
  return { view: 0, hash: core.tip.hash, ...(epoch.opening ? { certificate: epoch.opening } : {}) };
}

function wantViews(core: CoreState, fromView: number, toView: number): void {
  want(core, { kind: "certificates", epoch: core.epoch.epoch, fromView: Math.max(1, fromView), toView });
}
