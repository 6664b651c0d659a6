import type { Signer } from "../../src/crypto/index.ts";
import { present, toHex } from "../../src/kernel/index.ts";
import { formatAddress, GENESIS_FORMAT, type Genesis, type GenesisDocument, genesisOf, LIMITS } from "../../src/protocol/index.ts";

/** Base units that a unit of weight stands for. */
export const WEIGHT_UNIT = 1_000_000n;
/** Base units every account starts with. */
const ACCOUNT_BALANCE = 1_000_000_000n;
const SIGNATURE_NONE = "00".repeat(64);

/** What a simulated genesis is made of. */
export type SimGenesis = {
  readonly timeMs: number;
  readonly validators: readonly Signer[];
  readonly weights: readonly bigint[];
  /** Owner of each validator; accounts like the others. */
  readonly owners: readonly Signer[];
  readonly accounts: readonly Signer[];
  readonly epochBlocks: number;
  readonly epochMs: number;
  readonly feePolicy: "burn" | "validators";
};

/** A genesis by the real types, its bounds as small as they may be; nobody's acceptance is asked for. */
export function simGenesis(wish: SimGenesis): Genesis {
  const document: GenesisDocument = {
    format: GENESIS_FORMAT,
    chainName: "simulated",
    time: new Date(wish.timeMs).toISOString(),
    parameters: {
      minimumFee: "1",
      maxValidity: "1000000",
      feePolicy: wish.feePolicy,
      blockBytesMax: LIMITS.blockBytesMax,
      blockTransactionsMax: LIMITS.blockTransactionsMax,
      epochBlocks: wish.epochBlocks,
      epochMs: wish.epochMs,
    },
    accounts: [...wish.owners, ...wish.accounts].map(({ publicKey }) => ({
      address: formatAddress(publicKey),
      balance: String(ACCOUNT_BALANCE),
    })),
    validators: wish.validators.map(({ publicKey }, i) => ({
      name: `validator-${i}`,
      publicKey: toHex(publicKey),
      owner: formatAddress(present(wish.owners[i], "each has an owner").publicKey),
      stake: String(present(wish.weights[i], "each has a weight") * WEIGHT_UNIT),
      proofOfPossession: SIGNATURE_NONE,
    })),
    signatures: [],
  };
  return genesisOf(document);
}
