import type { Rejection } from "../../../src/protocol/index.ts";

/** Items that came in one publication, undecoded, and who sent them, for quotas. */
export type SubmissionGroup = { readonly items: readonly Uint8Array[]; readonly source: string };

/** What became of one item. Ids have 32 bytes. */
export type ItemOutcome =
  | { readonly status: "accepted"; readonly id: Uint8Array }
  | (Rejection & { readonly status: "rejected"; readonly id?: Uint8Array; readonly retryAfterMs?: number });

/** How a transaction ended. */
export type Ending =
  | {
      readonly id: Uint8Array;
      readonly status: "final";
      readonly height: number;
      readonly index: number;
      /** What its execution came to, e.g. `applied`. */
      readonly code: string;
      /** The canonical proof bundle; absent when it can no longer be built. */
      readonly proof?: Uint8Array;
    }
  | { readonly id: Uint8Array; readonly status: "expired" | "superseded" };

/** Where transactions are handed in; it may stand in another thread. */
export interface TransactionDesk {
  /**
   * Judges every item of every group, one outcome each in order; `accepted` is durable before the promise resolves. Of each
   * item that is accepted, or was executed before, an ending is told later.
   */
  submit(groups: readonly SubmissionGroup[]): Promise<readonly (readonly ItemOutcome[])[]>;
  /** Tells endings, never before the answer to the submission that asked for them. The function ends it. */
  subscribeEndings(listener: (endings: readonly Ending[]) => void): () => void;
}
