import type { DrillReport } from "./drill.ts";
import type { ObjectsPlace } from "./object-store.ts";

/** What a drill is to do; the keys are those of one backup, which the node itself took. */
export type DrillOrder = {
  readonly home: string;
  readonly node: string;
  readonly place: ObjectsPlace;
  /** The backup's manifest. */
  readonly name: string;
  readonly identityKey: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly anchorHash: Uint8Array;
  /** Where to restore to; removed afterwards. */
  readonly folder: string;
};

/** How a drill ended. */
export type DrillOutcome = { readonly ok: true; readonly report: DrillReport } | { readonly ok: false; readonly detail: string };
