import type { SignatureClaim, Signer } from "../crypto/index.ts";
import type { Clock, Log, Timers } from "../kernel/index.ts";
import type { AdmissionRules, LedgerView } from "../ledger/index.ts";
import type { RecordLog } from "../storage/index.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { BatchRelease, ChainIndex, DurableBatch, EpochMembers } from "./types.ts";

/** What the mempool is built from. */
export type MempoolParts = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  /** Signs our batches. */
  readonly signer: Signer;
  /** The open batch log; closing it is its opener's part, after `stop`. */
  readonly log: RecordLog;
  readonly chain: ChainIndex;
  /** The state after the last committed block. */
  readonly finalizedView: () => LedgerView;
  /** Height and header time of the last committed block when the mempool starts. */
  readonly tip: { readonly height: number; readonly timeMs: number };
  readonly parameters: AdmissionRules["parameters"];
  /** Verifies many signatures off this thread, by the one rule. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly journal: Log;
  readonly bounds?: Partial<MempoolBounds>;
  /** Whether the node is too far behind to admit (R13); default never. */
  readonly isSyncing?: () => boolean;
  /** Bytes that can still be written where the log lies; default unknown. */
  readonly freeSpaceBytes?: () => number | undefined;
  /**
   * The sets whose members' batches are taken in, the running epoch's first. With more than one member a batch waits for
   * `offer` before blocks get it. Default: a validator alone.
   */
  readonly epochs?: () => readonly EpochMembers[];
  /** Told of each batch that became durable here, own or other; default nobody. */
  readonly onBatchDurable?: (batch: DurableBatch) => void;
  /** Told of each batch that a block executed, or in which nothing can execute any more; default nobody. */
  readonly onBatchReleased?: (release: BatchRelease) => void;
  /** Told encoded evidence against the author of a faulty batch (R11); default nobody. */
  readonly onEvidence?: (evidence: Uint8Array) => void;
  /** Whether encoded evidence convicts somebody anew, so that the transaction that carries it is free; default never. */
  readonly isConvicting?: (evidence: Uint8Array) => boolean;
  /** Told the ids that ended without executing, once their status says so; default nobody. */
  readonly onEnded?: (ids: readonly Uint8Array[]) => void;
  /** Called when a batch became includable: wakes consensus. */
  readonly onWork: () => void;
  /** Called once when the log failed: the process has to stop. */
  readonly onFatal: (error: unknown) => void;
};
