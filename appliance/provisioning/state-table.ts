import { assert } from "../../src/kernel/index.ts";
import type { ProvisionDocument } from "./document.ts";
import type { Progress } from "./progress.ts";

/** The file on the medium, judged. `hash` is the SHA-256 of its bytes, hex. */
export type SeenFile =
  | { readonly kind: "absent" }
  | { readonly kind: "faulty"; readonly hash: string; readonly faults: readonly string[] }
  | { readonly kind: "good"; readonly hash: string; readonly document: ProvisionDocument };

/** What a look at the box finds. */
export type Seen = {
  readonly file: SeenFile;
  /** Whether something of a file that was taken still has to be wiped. */
  readonly hasLeftover: boolean;
  /** Whether somebody asks for a new code by a file on the medium. */
  readonly wantsCode: boolean;
  /** Whether an administrator has a password. */
  readonly hasPassword: boolean;
  /** Whether only an administrator's way in is cared for: what would be made now would be lost. */
  readonly isStandingStill: boolean;
};

/** Something to do. Doing it twice, or a part of it and then all of it, comes to the same as once. */
export type Effect =
  | { readonly kind: "makeKeys" }
  | { readonly kind: "makeCode"; readonly isAsked: boolean }
  | { readonly kind: "removeCodeRequest" }
  | { readonly kind: "endCodeRequest" }
  | { readonly kind: "accept"; readonly hash: string; readonly document: ProvisionDocument }
  | { readonly kind: "apply"; readonly plan: ProvisionDocument }
  | { readonly kind: "enrol"; readonly plan: ProvisionDocument; readonly hash: string }
  | { readonly kind: "skipEnrolment" }
  | { readonly kind: "retireFile"; readonly plan: ProvisionDocument }
  | { readonly kind: "wipeLeftover" }
  | { readonly kind: "finish" };

/** What an effect came to, where more than one thing can come of it. */
export type Outcome =
  | { readonly kind: "done" }
  /** A new code. */
  | { readonly kind: "code"; readonly code: string }
  /** The aggregator's word, as a sentence. */
  | { readonly kind: "refused"; readonly sentence: string };

/** The next thing to do; undefined when there is nothing before something changes. */
export function nextEffect(progress: Progress, seen: Seen): Effect | undefined {
  if (seen.isStandingStill) return codeEffect(progress, seen);
  if (progress.state === "factory") return { kind: "makeKeys" };
  return codeEffect(progress, seen) ?? planEffect(progress, seen);
}

/** There is always a way in for an administrator: a password, or a code that has not been used. */
function codeEffect({ adminCode, isCodeAnswered }: Progress, { wantsCode, hasPassword }: Seen): Effect | undefined {
  if (wantsCode) return isCodeAnswered ? { kind: "removeCodeRequest" } : { kind: "makeCode", isAsked: true };
  if (isCodeAnswered) return { kind: "endCodeRequest" };
  return adminCode === "" && !hasPassword ? { kind: "makeCode", isAsked: false } : undefined;
}

function planEffect({ state, plan, hash, isApplied, refusal }: Progress, { file, hasLeftover }: Seen): Effect | undefined {
  const isNew = file.kind === "good" && file.hash !== (state === "claimed" ? hash : refusal?.hash);
  switch (state) {
    case "factory":
      return undefined;
    case "keyed":
    case "ready":
      return isNew ? { kind: "accept", hash: file.hash, document: file.document } : undefined;
    case "claimed":
      assert(plan !== undefined && hash !== undefined, "a claimed box has its plan");
      if (isNew) return { kind: "accept", hash: file.hash, document: file.document };
      if (!isApplied) return { kind: "apply", plan };
      return plan.aggregator ? { kind: "enrol", plan, hash } : { kind: "skipEnrolment" };
    case "enrolled": {
      assert(plan !== undefined, "an enrolled box has its plan");
      if (file.kind !== "absent" && file.hash === hash) return { kind: "retireFile", plan };
      return { kind: hasLeftover ? "wipeLeftover" : "finish" };
    }
  }
}

/** The progress after an effect was done. Nothing but this changes it. */
export function progressAfter(progress: Progress, effect: Effect, outcome: Outcome): Progress {
  switch (effect.kind) {
    case "makeKeys":
      return { ...progress, state: "keyed" };
    case "makeCode":
      assert(outcome.kind === "code", "making a code gives one");
      return { ...progress, adminCode: outcome.code, isCodeAnswered: effect.isAsked };
    case "removeCodeRequest":
    case "retireFile":
    case "wipeLeftover":
      return progress; // what is seen has changed, and leads on
    case "endCodeRequest":
      return { ...progress, isCodeAnswered: false };
    case "accept": {
      const { refusal: _refused, ...rest } = progress;
      const origin = progress.state === "ready" ? "ready" : progress.state === "claimed" ? progress.origin : "keyed";
      return { ...rest, state: "claimed", origin, plan: effect.document, hash: effect.hash, isApplied: false };
    }
    case "apply":
      return { ...progress, isApplied: true };
    case "enrol":
      if (outcome.kind === "refused")
        return { ...forgetToken(progress), state: progress.origin, refusal: { hash: effect.hash, sentence: outcome.sentence } };
      return { ...forgetToken(progress), state: "enrolled" };
    case "skipEnrolment":
      return { ...forgetToken(progress), state: "enrolled" };
    case "finish":
      return { ...progress, state: "ready", origin: "ready" };
  }
}

/** The code was used, and so it is none any more. */
export function progressAfterCode(progress: Progress): Progress {
  assert(progress.adminCode !== "", "a code that is used was there");
  return { ...progress, adminCode: "" };
}

/** The plan without what must not be kept once it is used. */
function withoutToken(plan: ProvisionDocument): ProvisionDocument {
  const { token: _token, ...rest } = plan;
  return rest;
}

function forgetToken(progress: Progress): Progress {
  assert(progress.plan !== undefined, "a box that is enrolled has its plan");
  return { ...progress, plan: withoutToken(progress.plan) };
}
