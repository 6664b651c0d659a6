/** A chain of validators whose blocks run through epochs: each block executes on the state that the one before left. */
import { localSigner, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { present, toHex, utf8 } from "../../../src/kernel/index.ts";
import {
  auditSupply,
  type BlockExecution,
  epochOf,
  executeBlock,
  findSigningKey,
  findValidator,
  genesisEntries,
} from "../../../src/ledger/index.ts";
import {
  type BatchEvidence,
  batchSignBytes,
  type EpochEntry,
  encodeEvidence,
  type GenesisParameters,
  leaderBySlots,
  makeBatch,
  makeBitmap,
  makeValidatorSet,
  makeVoteEvidence,
  type Transaction,
  type TransactionBody,
  type ValidatorEntry,
  type ValidatorSet,
  VOTE_KIND,
  type Vote,
  validatorKeyProofBytes,
  voteSignBytes,
} from "../../../src/protocol/index.ts";
import { CHAIN_ID, keyOf, MapState, parametersWith, proofOf, START_MS, transactionOf, verifyByRecipe } from "./ledger-fixture.ts";

/** A box's signing key by its name: a real point, which registration asks for. */
export function boxOf(name: string): Signer {
  return localSigner(sha256(utf8(`box ${name}`)));
}

/** How a block comes about. */
export type BlockChange = {
  /** Header time above the parent's, default a second. */
  readonly afterMs?: number;
  /** Views between the parent's and the block's. */
  readonly missedViews?: number;
  readonly evidence?: readonly Uint8Array[];
  /** Names of the validators whose votes the parent's certificate holds, default all. */
  readonly voters?: readonly string[];
};

/** Validators owned by the accounts of their names, each with its stake and as much on its account. */
export class EpochWorld {
  readonly state = new MapState({});
  readonly parameters: GenesisParameters;
  readonly epochs: { readonly validatorSet: ValidatorSet; readonly timeMs: number; readonly height: number }[] = [];
  height = 0;
  timeMs = START_MS;
  view = 0;
  readonly #nonces = new Map<string, bigint>();

  constructor(
    stakes: Readonly<Record<string, bigint>>,
    change: Partial<GenesisParameters> = {},
    others: Readonly<Record<string, bigint>> = {},
  ) {
    this.parameters = parametersWith({ epochBlocks: 20, feePolicy: "validators", ...change });
    const validators = Object.entries(stakes).map(([name, stake]) => {
      return { name, publicKey: boxOf(name).publicKey, owner: keyOf(name), stake, proofOfPossession: new Uint8Array(64) };
    });
    const accounts = [...Object.entries(stakes), ...Object.entries(others)].map(([name, balance]) => ({ publicKey: keyOf(name), balance }));
    this.state.apply(genesisEntries({ accounts, validators }));
    const members = validators.map(({ publicKey, owner, stake }) => ({ publicKey, owner, weight: stake, reputation: 10_000 }));
    const set = makeValidatorSet(members);
    if (!set.ok) throw new RangeError(set.error);
    this.epochs.push({ validatorSet: set.value, timeMs: this.timeMs, height: 0 });
  }

  get epoch(): number {
    return this.epochs.length - 1;
  }

  get set(): ValidatorSet {
    return present(this.epochs.at(-1), "an epoch runs").validatorSet;
  }

  get counted(): EpochEntry {
    return epochOf(this.state);
  }

  /** Executes the next block and moves on to it, checking that no unit came or went. */
  block(transactions: readonly Transaction[] = [], change: BlockChange = {}): BlockExecution {
    const execution = this.execute(transactions, change);
    this.state.apply(execution.changes);
    this.height++;
    this.timeMs += change.afterMs ?? 1_000;
    this.view += 1 + (change.missedViews ?? 0);
    if (execution.nextValidatorSet) {
      this.epochs.push({ validatorSet: execution.nextValidatorSet, timeMs: this.timeMs, height: this.height });
      this.view = 0;
    }
    const { balances, staked, feePot, burned, issued } = auditSupply(this.state.entries.values());
    if (balances + staked + feePot + burned !== issued) throw new Error("units came or went");
    return execution;
  }

  /** What executing the next block would give. */
  execute(transactions: readonly Transaction[], change: BlockChange): BlockExecution {
    const { validatorSet, timeMs, height } = present(this.epochs.at(-1), "an epoch runs");
    const members = validatorSet.validators.length;
    const voters = change.voters?.map((name) => this.indexOf(name)) ?? Array.from({ length: members }, (_, at) => at);
    const view = this.view + 1 + (change.missedViews ?? 0);
    const context = {
      chainId: CHAIN_ID,
      height: this.height + 1,
      timeMs: this.timeMs + (change.afterMs ?? 1_000),
      epoch: this.epoch,
      epochStart: { height, timeMs },
      view,
      parentView: this.view,
      parentBitmap: makeBitmap(voters, members),
      leader: leaderBySlots(validatorSet, this.epoch, view),
      validatorSet,
      parameters: this.parameters,
      verifySignature: verifyByRecipe,
      evidence: change.evidence ?? [],
      findEpoch: (epoch: number) => this.epochs[epoch],
    };
    return executeBlock(this.state, context, transactions);
  }

  /** Blocks until the epoch is over; the last of them. */
  finishEpoch(change: BlockChange = {}): BlockExecution {
    for (let count = 0; count < 1_000; count++) {
      const execution = this.block([], change);
      if (execution.nextValidatorSet) return execution;
    }
    throw new Error("the epoch does not end");
  }

  /** A transaction with its sender's next nonce. */
  transaction(sender: string, body: TransactionBody, fee = 10n): Transaction {
    const nonce = this.#nonces.get(sender) ?? 0n;
    this.#nonces.set(sender, nonce + 1n);
    return transactionOf({ sender: keyOf(sender), nonce, fee, validUntil: BigInt(this.height) + 100n, body });
  }

  /** Asks for another signing key of a validator, effective from the next epoch unless told otherwise. */
  rotation(name: string, box: string, term: number, effectiveEpoch = this.epoch + 1): Transaction {
    const validator = boxOf(name).publicKey;
    const newKey = boxOf(box).publicKey;
    const proof = proofOf(newKey, validatorKeyProofBytes(CHAIN_ID, keyOf(name), validator, newKey, term));
    return this.transaction(name, { type: 11, validator, newKey, proof, term, effectiveEpoch });
  }

  validator(name: string): ValidatorEntry {
    return present(findValidator(this.state, boxOf(name).publicKey), `validator ${name}`);
  }

  balance(name: string): bigint {
    return this.state.findAccount(keyOf(name))?.balance ?? 0n;
  }

  /** Index in the running set of the validator of this name, whatever key it signs with. */
  indexOf(name: string, set = this.set): number {
    const id = toHex(boxOf(name).publicKey);
    const owner = ({ publicKey }: { readonly publicKey: Uint8Array }) => findSigningKey(this.state, publicKey)?.validator ?? publicKey;
    const index = set.validators.findIndex((member) => toHex(owner(member)) === id);
    if (index < 0) throw new RangeError(`${name} is no member`);
    return index;
  }

  /** Names of these validators that are members, in the order given. */
  membersAmong(names: readonly string[]): string[] {
    return names.filter((name) => {
      try {
        return this.indexOf(name) >= 0;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error; // not a member
        return false;
      }
    });
  }

  /** Evidence that a validator voted twice in a view of an epoch. */
  doubleVote(name: string, epoch = this.epoch, view = 1): Uint8Array {
    const set = present(this.epochs[epoch], "that epoch began").validatorSet;
    const signer = this.indexOf(name, set);
    const { publicKey } = present(set.validators[signer], "a member");
    const [first, second] = ["one block", "another block"].map((text): Vote => {
      const statement = { kind: VOTE_KIND.notarize, epoch, view, proposalId: sha256(utf8(text)) };
      return { ...statement, signer, signature: proofOf(publicKey, voteSignBytes(CHAIN_ID, statement)) };
    });
    return encodeEvidence(makeVoteEvidence(present(first, "a vote"), present(second, "a vote")));
  }

  /** Evidence that a validator signed a batch of one transaction of this many bytes that is none. */
  faultyBatch(name: string, sizeBytes: number, epoch = this.epoch): Uint8Array {
    const author = boxOf(name);
    const transaction = new Uint8Array(sizeBytes).fill(1);
    const { header, digest } = makeBatch(author, CHAIN_ID, 1, [transaction]);
    const signature = proofOf(author.publicKey, batchSignBytes(CHAIN_ID, digest));
    const evidence: BatchEvidence = { kind: "batch", epoch, header, signature, index: 0, transaction, path: [] };
    return encodeEvidence(evidence);
  }
}
