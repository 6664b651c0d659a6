import type { Signer } from "../../src/crypto/index.ts";
import { Prng, present } from "../../src/kernel/index.ts";
import { type TransactionBody, validatorKeyProofBytes } from "../../src/protocol/index.ts";
import { WEIGHT_UNIT } from "./genesis.ts";
import type { Load } from "./load.ts";
import type { Schedule } from "./schedule.ts";

/** What changes of the set are made from. */
export type SetChangeParts = {
  readonly schedule: Schedule;
  readonly seed: number;
  readonly chainId: Uint8Array;
  readonly load: Load;
  readonly boxCount: number;
  /** First keys of the genesis validators, and who owns each. */
  readonly validators: readonly Uint8Array[];
  readonly owners: readonly Signer[];
  /** Keys that stand by in boxes of their own: to join as a validator, or to take over from one. */
  readonly standbys: readonly Signer[];
  /** Somebody with units to bond. */
  readonly staker: Signer;
  /** Latest epoch that was opened anywhere. */
  readonly epoch: () => number;
};

const EVERY_MS = 500;
/** Never more than a twentieth of a unit of weight a time, so that who may be faulty together stays so. */
const AMOUNT_MAX = WEIGHT_UNIT / 50n;
/** Actions after which nobody bonds any more. */
const BONDS_MAX = 3;

/**
 * People who change the validator set through the ledger: they bond and unbond, describe a validator anew, vote on a
 * parameter, rotate a key to a box that stands by, let a newcomer join and one member leave.
 */
export class SetChanges {
  /** Transactions sent, by type. */
  readonly counts = new Map<TransactionBody["type"], number>();
  readonly #parts: SetChangeParts;
  readonly #prng: Prng;
  #isOver = false;
  #bonds = 0;
  #rotated: number | undefined;
  #hasJoined = false;
  #hasLeft = false;
  #proposal: Uint8Array | undefined;

  constructor(parts: SetChangeParts) {
    this.#parts = parts;
    this.#prng = new Prng(parts.seed);
  }

  /** Acts twice a second. */
  start(): void {
    this.#parts.schedule.after(EVERY_MS, () => {
      if (this.#isOver) return;
      this.#act();
      this.start();
    });
  }

  /** Does nothing more. */
  stop(): void {
    this.#isOver = true;
  }

  #act(): void {
    const acts = [
      () => this.#bond(),
      () => this.#unbond(),
      () => this.#describe(),
      () => this.#govern(),
      () => this.#rotate(),
      () => this.#join(),
      () => this.#leave(),
    ];
    present(acts[this.#prng.below(acts.length)], "an index of the acts")();
  }

  #bond(): void {
    if (this.#bonds++ >= BONDS_MAX) return;
    this.#send(this.#parts.staker, { type: 8, validator: this.#someValidator(), amount: BigInt(this.#prng.below(Number(AMOUNT_MAX))) });
  }

  #unbond(): void {
    const isWithdrawal = this.#prng.chance(0.3);
    this.#send(this.#parts.staker, { type: isWithdrawal ? 10 : 9, validator: this.#someValidator(), amount: 2n ** 64n - 1n });
  }

  #describe(): void {
    const at = this.#prng.below(this.#parts.validators.length);
    const validator = present(this.#parts.validators[at], "an index of the validators");
    this.#send(this.#ownerOf(at), { type: 6, validator, commission: this.#prng.below(10_001) });
  }

  #govern(): void {
    const { owners, load, epoch } = this.#parts;
    const owner = present(owners[this.#prng.below(owners.length)], "an index of the owners");
    const proposal = this.#proposal;
    if (proposal && this.#prng.chance(0.8)) this.#send(owner, { type: 14, proposal, isApproval: this.#prng.chance(0.9) });
    else {
      const value = BigInt(1 + this.#prng.below(8));
      this.#proposal = load.submitBody(owner, { type: 13, key: "jailEpochs", value, activationEpoch: epoch() + 2 }, this.#someBoxes());
      this.#count(13);
    }
  }

  /** One key moves to the first box that stands by; the box it was in only follows from then on. */
  #rotate(): void {
    const { validators, standbys, chainId, epoch } = this.#parts;
    const [standby] = standbys;
    if (!standby) return;
    this.#rotated ??= this.#prng.below(validators.length);
    const validator = present(validators[this.#rotated], "an index of the validators");
    const owner = this.#ownerOf(this.#rotated);
    const proof = standby.sign(validatorKeyProofBytes(chainId, owner.publicKey, validator, standby.publicKey, 1));
    const effectiveEpoch = epoch() + 1 + this.#prng.below(3);
    if (!this.counts.has(11)) this.#send(owner, { type: 11, validator, newKey: standby.publicKey, proof, term: 1, effectiveEpoch });
  }

  /** The second box that stands by becomes a validator of its own. */
  #join(): void {
    const { standbys, staker, chainId } = this.#parts;
    const joiner = standbys[1];
    if (!joiner) return;
    const { publicKey } = joiner;
    if (this.#hasJoined) {
      if (this.#bonds++ < BONDS_MAX) this.#send(staker, { type: 8, validator: publicKey, amount: WEIGHT_UNIT });
      return;
    }
    this.#hasJoined = true;
    const proof = joiner.sign(validatorKeyProofBytes(chainId, staker.publicKey, publicKey, publicKey, 0));
    this.#send(staker, { type: 5, publicKey, proof, commission: 100, endpoint: "", metadata: "joiner" });
    this.#send(staker, { type: 8, validator: publicKey, amount: WEIGHT_UNIT });
  }

  /** A set of five or more can do without its last member. */
  #leave(): void {
    const { validators } = this.#parts;
    if (this.#hasLeft || validators.length < 5) return;
    this.#hasLeft = true;
    const at = validators.length - 1;
    this.#send(this.#ownerOf(at), { type: 7, validator: present(validators[at], "the last validator") });
  }

  #send(signer: Signer, body: TransactionBody): void {
    this.#count(body.type);
    this.#parts.load.submitBody(signer, body, this.#someBoxes());
  }

  #count(type: TransactionBody["type"]): void {
    this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
  }

  #someBoxes(): readonly number[] {
    return [this.#prng.below(this.#parts.boxCount)];
  }

  #someValidator(): Uint8Array {
    return present(this.#parts.validators[this.#prng.below(this.#parts.validators.length)], "an index of the validators");
  }

  #ownerOf(at: number): Signer {
    return present(this.#parts.owners[at], "each validator has an owner");
  }
}
