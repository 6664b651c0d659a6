/** Why an update did not happen, or was taken back: stable words for the command line, the console and the fleet. */
export const UPDATE_CODES = [
  /** Another update is under way. */
  "busy",
  /** No file there, or no server, for longer than it is tried. */
  "sourceUnreachable",
  /** The server has no such file. */
  "notFound",
  /** No room for what is fetched. */
  "diskFull",
  /** The file ends before it should, or is no bundle at all. */
  "truncated",
  /** Its bytes are not the ones that were signed or announced. */
  "tampered",
  /** Nobody whom this box trusts signed it. */
  "foreignSignature",
  /** A development key signed it, and this box is no development box. */
  "developmentSigned",
  /** It is meant for another board, processor or kernel. */
  "wrongBoard",
  /** Older than what runs, or than what was once committed here. */
  "downgrade",
  /** It runs already. */
  "sameVersion",
  /** It was taken back here before; only a person orders it again. */
  "failedBefore",
  /** What it says of itself cannot be read. */
  "malformed",
  /** The updater did not write it. */
  "installFailed",
  /** The box came up with the release before instead. */
  "didNotBoot",
  /** The node did not come to validate or to follow the chain in time. */
  "gateFailed",
  /** The node ended again and again. */
  "nodeFailed",
  /** A person asked to go back. */
  "asked",
  /** There is nothing to go back to. */
  "nothingBefore",
  /** The box came up again with what it was to leave. */
  "cannotGoBack",
] as const;

/** One of them. */
export type UpdateCode = (typeof UPDATE_CODES)[number];

/** What went wrong: the code, and a sentence. */
export type UpdateTrouble = { readonly code: UpdateCode; readonly detail: string };

/** Where a bundle comes from. */
export type UpdateSource = { readonly kind: "file"; readonly path: string } | { readonly kind: "url"; readonly url: string };

/** What was asked for. */
export type UpdateOrder = {
  readonly source: UpdateSource;
  /** SHA-256 of the file in hex, where whoever offers it said so. */
  readonly sha256?: string;
  /** No person stands behind it. */
  readonly isUnattended: boolean;
};

/** What a bundle says of itself, under its signature. */
export type BundleWord = { readonly version: string; readonly compatible: string };

/** The rows of the state table of an update. `bootId` names one run of the machine. */
export type UpdateRow =
  | { readonly kind: "idle"; readonly last?: UpdateTrouble }
  | { readonly kind: "downloading"; readonly order: UpdateOrder }
  | { readonly kind: "verifying"; readonly order: UpdateOrder; readonly path: string }
  | {
      readonly kind: "installing";
      readonly path: string;
      readonly bundle: BundleWord;
      readonly attempts: number;
      /** No person stands behind it; absent: one does. */
      readonly isUnattended?: true;
    }
  /**
   * The other slot holds it and comes next. `isAsked`: the node could be left, and the restart was ordered. `hadAggregator`:
   * the fleet was reached then, so the new release must reach it too.
   */
  | {
      readonly kind: "rebooting";
      readonly bundle: BundleWord;
      readonly bootId: string;
      readonly isAsked: boolean;
      readonly hadAggregator: boolean;
      readonly isUnattended?: true;
    }
  | { readonly kind: "probation"; readonly version: string; readonly needsAggregator: boolean }
  /** The way back from a release: the other slot comes next. */
  | {
      readonly kind: "returning";
      readonly version: string;
      readonly trouble: UpdateTrouble;
      readonly bootId: string;
      readonly attempts: number;
    }
  | { readonly kind: "good"; readonly version: string }
  | { readonly kind: "rolledBack"; readonly version: string; readonly trouble: UpdateTrouble };

/** What a box knows of its updates, durably. */
export type UpdateState = {
  readonly row: UpdateRow;
  /** Nothing older than this is installed any more: the newest release that was ever committed here. */
  readonly floor: string;
  /** Releases that were taken back here, the latest last. */
  readonly failed: readonly string[];
};

/** What runs now. */
export type RunningRelease = {
  readonly version: string;
  /** This run of the machine. */
  readonly bootId: string;
  /** Whether the other slot can be started. */
  readonly canGoBack: boolean;
};

/** What happens to an update. */
export type UpdateInput =
  /** The box's main process has started, after a power cut or for another reason. */
  | { readonly kind: "started" }
  | { readonly kind: "ordered"; readonly order: UpdateOrder }
  | { readonly kind: "downloaded"; readonly path: string }
  | { readonly kind: "verified"; readonly bundle: BundleWord }
  | { readonly kind: "installed" }
  /** Fetching, checking or installing ended without success. */
  | { readonly kind: "refused"; readonly trouble: UpdateTrouble }
  /** The node can be left now. */
  | { readonly kind: "mayMove"; readonly hadAggregator: boolean }
  | { readonly kind: "gatePassed" }
  | { readonly kind: "gateFailed"; readonly trouble: UpdateTrouble }
  /** The slot that runs is marked good, durably. */
  | { readonly kind: "committed" }
  | { readonly kind: "backAsked" }
  /** The slot that runs comes next again. */
  | { readonly kind: "stayed" };

/** What an update wants done, in order. */
export type UpdateEffect =
  /** Makes the state durable: before everything that relies on it. */
  | { readonly kind: "keep" }
  | { readonly kind: "fetch"; readonly order: UpdateOrder }
  | { readonly kind: "check"; readonly order: UpdateOrder; readonly path: string }
  | { readonly kind: "install"; readonly path: string }
  /** Removes what was fetched. */
  | { readonly kind: "discard" }
  /** Asks the node from now on whether it can be left. */
  | { readonly kind: "askNode" }
  | { readonly kind: "reboot" }
  /** Looks at the commit gate from now on. */
  | { readonly kind: "watchGate" }
  /** Marks the slot that runs good; after every start, since the boot loader counts starts that were not. */
  | { readonly kind: "commit" }
  /** Marks the slot that runs bad and the other one next. */
  | { readonly kind: "turnBack" }
  /** Marks the slot that runs next again. */
  | { readonly kind: "stay" };

/** A step of the table. */
export type UpdateStep = { readonly state: UpdateState; readonly effects: readonly UpdateEffect[] };
