import { buildProofBundle, buildReceiptProof, type CommittedBlock } from "../blocks/index.ts";
import type {
  AccountQueries,
  Acknowledgement,
  BlockQueries,
  BlockView,
  SubmissionPort,
  TransactionQueries,
  TransactionStatus,
} from "../gateway/index.ts";
import type { Mempool } from "../mempool/index.ts";
import { accountKey } from "../protocol/index.ts";
import { bondsOf, type StakingParts } from "./staking-queries.ts";

/** What the gateway's ports are made from. */
export type QueryParts = StakingParts & {
  readonly mempool: Mempool;
  /** Tells the ids that reached an end. */
  readonly subscribeSettled: TransactionQueries["subscribeSettled"];
};

/**
 * The one command. With a single validator the set tolerates no faulty weight, so what is durable here is replicated by
 * that word's meaning: held durably by more than F.
 */
export function submissionPort(mempool: Mempool, usual: Acknowledgement): SubmissionPort {
  return {
    async submit(items, { acknowledgement, source }) {
      const outcomes = await mempool.submit(items, source);
      return {
        acknowledgement: acknowledgement ?? usual,
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

/** Where transactions stand: final is what the blocks say, everything else the mempool. */
export function transactionQueries({ mempool, queries, reader, subscribeSettled }: QueryParts): TransactionQueries {
  return {
    find(id): TransactionStatus {
      const receipt = queries.findReceipt(id);
      return receipt ? { status: "final", receipt } : { status: mempool.status(id) };
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
    findProof: (publicKey) => buildProofBundle(reader, queries, queries.tipHeight, { kind: "state", proof: prove(accountKey(publicKey)) }),
  };
}

/** Final blocks. */
export function blockQueries({ queries }: QueryParts): BlockQueries {
  const viewOf = (block: CommittedBlock): BlockView => ({
    hash: block.hash,
    header: block.block.header,
    batches: block.batches,
    transactionCount: block.batches.reduce((sum, batch) => sum + batch.transactionCount, 0) - block.execution.skipped.length,
    finalization: queries.finalizationOf(block),
  });
  return {
    latestHeight: () => queries.tipHeight,
    find(height) {
      const block = queries.findByHeight(height);
      return block && viewOf(block);
    },
    list: (from, limit) => queries.list(from, limit).map(viewOf),
  };
}
