import {
  buildProofBundle,
  buildReceiptProof,
  type BlockQueries as ChainQueries,
  type ChainReader,
  type CommittedBlock,
} from "../blocks/index.ts";
import type {
  AccountQueries,
  Acknowledgement,
  BlockQueries,
  BlockView,
  SubmissionPort,
  TransactionQueries,
  TransactionStatus,
  ValidatorQueries,
} from "../gateway/index.ts";
import { bytesEqual, toHex } from "../kernel/index.ts";
import type { LedgerView } from "../ledger/index.ts";
import type { Mempool } from "../mempool/index.ts";
import { accountKey, type Genesis, type StateProof } from "../protocol/index.ts";

/** What the gateway's ports are made from. */
export type QueryParts = {
  readonly genesis: Genesis;
  readonly mempool: Mempool;
  readonly queries: ChainQueries;
  readonly reader: ChainReader;
  /** The state after the last committed block. */
  readonly view: () => LedgerView;
  /** Proof of an entry of that state. */
  readonly prove: (key: Uint8Array) => StateProof;
  /** Leader of the current view, an index in the set. */
  readonly leader: () => number;
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
export function accountQueries({ genesis, mempool, queries, reader, view, prove }: QueryParts): AccountQueries {
  return {
    find(publicKey) {
      const account = view().findAccount(publicKey);
      const device = view().findDevice(publicKey);
      const staked = genesis.validators.filter((v) => bytesEqual(v.owner, publicKey)).reduce((sum, v) => sum + v.stake, 0n);
      return {
        height: queries.tipHeight,
        doesExist: account !== undefined,
        nonce: account?.nonce ?? 0n,
        pendingNonce: mempool.pendingNonce(publicKey),
        balance: account?.balance ?? 0n,
        stake: staked,
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

/** The validator set of the epoch. */
export function validatorQueries({ genesis, queries, reader, leader }: QueryParts): ValidatorQueries {
  const nameOf = new Map(genesis.validators.map((v) => [toHex(v.publicKey), v.name]));
  return {
    current() {
      const { epoch, validatorSet } = reader.currentEpoch();
      const leading = leader();
      return {
        height: queries.tipHeight,
        epoch,
        hash: validatorSet.hash,
        totalWeight: validatorSet.totalWeight,
        quorumWeight: validatorSet.quorumWeight,
        validators: validatorSet.validators.map(({ publicKey, owner, weight }, index) => {
          const name = nameOf.get(toHex(publicKey));
          return { index, publicKey, owner, weight, stake: weight, isLeader: index === leading, ...(name !== undefined && { name }) };
        }),
      };
    },
  };
}
