import { buildProofBundle, buildReceiptProof, type CommittedBlock } from "../blocks/index.ts";
import type {
  AccountQueries,
  Acknowledgement,
  ArchiveView,
  BlockQueries,
  BlockView,
  SubmissionPort,
  TransactionQueries,
  TransactionStatus,
} from "../gateway/index.ts";
import { toHex } from "../kernel/index.ts";
import { epochOf } from "../ledger/index.ts";
import type { Dissemination, Mempool } from "../mempool/index.ts";
import { accountKey } from "../protocol/index.ts";
import { bondsOf, type StakingParts } from "./staking-queries.ts";

/** What the gateway's ports are made from. */
export type QueryParts = StakingParts & {
  readonly mempool: Mempool;
  /** Tells the ids that reached an end. */
  readonly subscribeSettled: TransactionQueries["subscribeSettled"];
  /** Nodes that say that they keep every block. */
  readonly archives: () => readonly ArchiveView[];
};

/** How long a submission waits for others to hold what it brought; then it is answered with what it has. */
const REPLICATED_WITHIN_MS = 3_000;

/**
 * The one command. A submission that asks for `replicated` waits until more than F is known to hold its transactions
 * durably; when that cannot be had in time, or one of them waits here for lower nonces and is in no batch, the answer
 * says `local`. A single validator tolerates no faulty weight, so what is durable there is replicated.
 */
export function submissionPort(mempool: Mempool, dissemination: Dissemination, usual: Acknowledgement): SubmissionPort {
  return {
    async submit(items, { acknowledgement = usual, source }) {
      const outcomes = await mempool.submit(items, source);
      const accepted = outcomes.flatMap((outcome) => (outcome.status === "accepted" ? [outcome.id] : []));
      const isReached = acknowledgement === "local" || (await areReplicated(mempool, dissemination, accepted));
      return {
        acknowledgement: isReached ? acknowledgement : "local",
        outcomes: outcomes.map((outcome) => {
          if (outcome.status === "accepted") return outcome;
          const { executedAt, ...refusal } = outcome;
          if (!executedAt) return refusal;
          return { ...refusal, detail: `final at height ${executedAt.height}, index ${executedAt.index}` };
        }),
      };
    },
  };
}

async function areReplicated(mempool: Mempool, dissemination: Dissemination, ids: readonly Uint8Array[]): Promise<boolean> {
  const digests = new Map<string, Uint8Array>();
  for (const id of ids) {
    const digest = mempool.findBatchOf(id);
    if (digest !== undefined) digests.set(toHex(digest), digest);
    else if (mempool.status(id) === "accepted") return false;
    // One that ended meanwhile was executed, or can never be.
  }
  const waits = Array.from(digests.values(), (digest) => dissemination.whenReplicated(digest, REPLICATED_WITHIN_MS));
  return (await Promise.all(waits)).every((isReplicated) => isReplicated);
}

/** Where transactions stand: final is what the blocks say, everything else the mempool. */
export function transactionQueries({ mempool, queries, reader, subscribeSettled }: QueryParts): TransactionQueries {
  return {
    find(id): TransactionStatus {
      const receipt = queries.findReceipt(id);
      if (receipt) return { status: "final", receipt };
      const prunedAt = queries.findExecuted(id);
      return { status: mempool.status(id), ...(prunedAt && { prunedAt }) };
    },
    findProof: (id) => buildReceiptProof(reader, queries, id),
    subscribeSettled,
  };
}

/** Accounts at the tip. */
export function accountQueries(parts: QueryParts): AccountQueries {
  const { mempool, queries, reader, view, prove } = parts;
  return {
    find(publicKey) {
      const account = view().findAccount(publicKey);
      const device = view().findDevice(publicKey);
      return {
        height: queries.tipHeight,
        doesExist: account !== undefined,
        nonce: account?.nonce ?? 0n,
        pendingNonce: mempool.pendingNonce(publicKey),
        balance: account?.balance ?? 0n,
        bonds: bondsOf(parts, publicKey),
        ...(device && { device }),
      };
    },
    supply() {
      const { issued, burned } = view().supply();
      return { height: queries.tipHeight, issued, burned, feePot: epochOf(view()).feePot };
    },
    findProof: (publicKey) => buildProofBundle(reader, queries, queries.tipHeight, { kind: "state", proof: prove(accountKey(publicKey)) }),
  };
}

/** Final blocks. */
export function blockQueries({ queries, archives }: QueryParts): BlockQueries {
  const viewOf = (block: CommittedBlock): BlockView => ({
    hash: block.hash,
    header: block.block.header,
    batches: block.batches,
    transactionCount: block.batches.reduce((sum, batch) => sum + batch.transactionCount, 0) - block.execution.skipped.length,
    finalization: queries.finalizationOf(block),
  });
  return {
    latestHeight: () => queries.tipHeight,
    lowestHeight: () => queries.lowestHeight,
    archives,
    find(height) {
      const block = queries.findByHeight(height);
      return block && viewOf(block);
    },
    list: (from, limit) => queries.list(from, limit).map(viewOf),
  };
}
