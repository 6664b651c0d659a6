/** A chain of a few validators on which single transactions are done, each in a block of its own. */
import { localSigner, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { present, toHex, utf8 } from "../../../src/kernel/index.ts";
import { applyBody } from "../../../src/ledger/apply-body.ts";
import {
  auditSupply,
  type Effect,
  findProposal,
  genesisEntries,
  registryOf,
  rewardValidator,
  slashValidator,
  turnParameters,
} from "../../../src/ledger/index.ts";
import { WorkingSet } from "../../../src/ledger/working-set.ts";
import {
  type BondEntry,
  bondKey,
  type GenesisParameters,
  LIMITS,
  makeValidatorSet,
  PARAMETERS_KEY,
  type ParametersEntry,
  type ProposalEntry,
  type ReceiptCode,
  type TransactionBody,
  type ValidatorEntry,
  type ValidatorSet,
  type VerifySignature,
  validatorKey,
  validatorKeyProofBytes,
} from "../../../src/protocol/index.ts";
import {
  CHAIN_ID,
  contextOf,
  keyOf,
  MapState,
  parametersWith,
  proofOf,
  START_MS,
  transactionOf,
  verifyByRecipe,
} from "./ledger-fixture.ts";

/** A box's signing key by its name: a real one, since validators' keys are checked to be points of the right order. */
export function boxOf(name: string): Signer {
  return localSigner(sha256(utf8(`box ${name}`)));
}

/** A state of validators a, b, c ... owned by the accounts of those names, with the set they form. */
export class StakingWorld {
  readonly state = new MapState({});
  parameters: GenesisParameters;
  validatorSet: ValidatorSet;
  epoch = 3;
  timeMs = START_MS;
  #nonce = 0n;

  /** @param stakes by owner; each owner has as many units again on its account, `others` only those */
  constructor(
    stakes: Readonly<Record<string, bigint>>,
    others: Readonly<Record<string, bigint>> = {},
    change: Partial<GenesisParameters> = {},
  ) {
    this.parameters = parametersWith(change);
    const owners = Object.entries(stakes);
    const validators = owners.map(([name, stake]) => ({
      name,
      publicKey: boxOf(name).publicKey,
      owner: keyOf(name),
      stake,
      proofOfPossession: new Uint8Array(64),
    }));
    const accounts = [...owners, ...Object.entries(others)].map(([name, balance]) => ({ publicKey: keyOf(name), balance }));
    this.state.apply(genesisEntries({ accounts, validators }));
    this.validatorSet = setOf(validators.map(({ publicKey, owner, stake }) => ({ publicKey, owner, weight: stake })));
  }

  /** Does what a transaction of this sender asks for, without its fee, and checks that no unit came or went. */
  do(sender: string, body: TransactionBody): { code: ReceiptCode; effects: Effect[]; id: Uint8Array } {
    const { parameters, epoch, timeMs, validatorSet } = this;
    const transaction = transactionOf({ sender: keyOf(sender), nonce: this.#nonce++, fee: 10n, validUntil: 100n, body });
    const working = new WorkingSet(this.state);
    const effects: Effect[] = [];
    const code = applyBody(working, contextOf({ parameters, epoch, timeMs, validatorSet }), transaction, effects);
    const changes = working.changes();
    if (code !== "applied" && changes.length + effects.length > 0) throw new Error(`${code} left something behind`);
    this.state.apply(changes);
    this.requireConserved();
    return { code, effects, id: transaction.id };
  }

  /** Does several in one block; the codes. Told of each key whose proof is verified. */
  block(asked: readonly (readonly [sender: string, body: TransactionBody])[], onVerified: (key: Uint8Array) => void): ReceiptCode[] {
    const { parameters, epoch, timeMs, validatorSet } = this;
    const working = new WorkingSet(this.state);
    const verifySignature: VerifySignature = (key, message, signature) => {
      onVerified(key);
      return verifyByRecipe(key, message, signature);
    };
    const codes = asked.map(([sender, body]) => {
      const transaction = transactionOf({ sender: keyOf(sender), nonce: this.#nonce++, fee: 10n, validUntil: 100n, body });
      return applyBody(working, contextOf({ parameters, epoch, timeMs, validatorSet, verifySignature }), transaction, []);
    });
    this.state.apply(working.changes());
    this.requireConserved();
    return codes;
  }

  /** Fills the list of validators to its bound with ones of this stake by one owner, and one of less named "poorest". */
  fillRegistry(owner: string, stake: bigint, least: bigint): void {
    const room = LIMITS.registryMax - registryOf(this.state).length;
    for (let i = 0; i < room; i++) {
      const [id, amount] = i === 0 ? [boxOf("poorest").publicKey, least] : [keyOf(`filler ${i}`), stake];
      const working = new WorkingSet(this.state);
      const standing = { commission: 0, endpoint: "", metadata: "", isExiting: false, jailedUntilEpoch: 0, reputation: 5_000 };
      const pools = { stake: 0n, shares: 0n, unbondingStake: 0n, unbondingShares: 0n };
      working.setValidator(id, { kind: "validator", owner: keyOf(owner), signingKey: id, term: 0, ...standing, ...pools });
      working.claimSigningKey(id, id);
      this.state.apply(working.changes());
      if (this.code(owner, { type: 8, validator: id, amount }) !== "applied") throw new Error("a filler takes stake");
    }
  }

  /** The result code alone. */
  code(sender: string, body: TransactionBody): ReceiptCode {
    return this.do(sender, body).code;
  }

  /** Begins an epoch as far as parameters are concerned. */
  turnEpoch(epoch: number): void {
    const working = new WorkingSet(this.state);
    turnParameters(working, this.parameters, epoch);
    this.state.apply(working.changes());
    this.epoch = epoch;
  }

  /** Slashes a validator as a conviction does. */
  slash(name: string, perMyriad: number): void {
    const working = new WorkingSet(this.state);
    const { entry, slashed } = slashValidator(this.validator(name), perMyriad);
    working.setValidator(boxOf(name).publicKey, entry);
    working.burn(slashed);
    this.state.apply(working.changes());
  }

  /** Pays a reward into a validator's pool from an account, when that has it and somebody bonded; the units paid. */
  reward(name: string, from: string, amount: bigint): bigint {
    const entry = rewardValidator(this.validator(name), amount);
    const working = new WorkingSet(this.state);
    const account = working.account(keyOf(from));
    if (entry === undefined || account.balance < amount) return 0n;
    working.debit(account, amount);
    working.setValidator(boxOf(name).publicKey, entry);
    this.state.apply(working.changes());
    return amount;
  }

  validator(name: string): ValidatorEntry {
    const entry = this.state.find(validatorKey(boxOf(name).publicKey));
    return present(entry?.kind === "validator" ? entry : undefined, `validator ${name}`);
  }

  bond(validator: string, staker: string): BondEntry | undefined {
    const entry = this.state.find(bondKey(boxOf(validator).publicKey, keyOf(staker)));
    return entry?.kind === "bond" ? entry : undefined;
  }

  balance(name: string): bigint {
    return this.state.findAccount(keyOf(name))?.balance ?? 0n;
  }

  proposal(id: Uint8Array): ProposalEntry | undefined {
    return findProposal(this.state, id);
  }

  votes(): ParametersEntry {
    const entry = this.state.find(PARAMETERS_KEY);
    return present(entry?.kind === "parameters" ? entry : undefined, "every state has its parameters");
  }

  /** Units add up to what was issued, and shares of pools to those of bonds. */
  requireConserved(): void {
    const { balances, staked, feePot, burned, issued } = auditSupply(this.state.entries.values());
    if (balances + staked + feePot + burned !== issued) throw new Error("units came or went");
    const owned = new Map<string, { shares: bigint; unbonding: bigint }>();
    for (const entry of this.state.entries.values()) {
      if (entry.kind !== "bond") continue;
      const name = toHex(entry.validator);
      const sums = owned.get(name) ?? { shares: 0n, unbonding: 0n };
      sums.shares += entry.shares;
      for (const { shares } of entry.tranches) sums.unbonding += shares;
      owned.set(name, sums);
    }
    for (const [key, entry] of this.state.entries) {
      if (entry.kind !== "validator") continue;
      const { shares, unbonding } = owned.get(key.slice(2)) ?? { shares: 0n, unbonding: 0n };
      if (shares !== entry.shares || unbonding !== entry.unbondingShares) throw new Error("bonds do not own their pools exactly");
    }
  }
}

/** A set of members of full reputation. */
export function setOf(members: readonly { publicKey: Uint8Array; owner: Uint8Array; weight: bigint }[]): ValidatorSet {
  const set = makeValidatorSet(members.map((member) => ({ ...member, reputation: 10_000 })));
  if (!set.ok) throw new Error(`no validator set: ${set.error}`);
  return set.value;
}

/** A proof of possession as `verifyByRecipe` takes it for valid. */
export function keyProofOf(owner: string, validator: Uint8Array, key: Uint8Array, term: number): Uint8Array {
  return proofOf(key, validatorKeyProofBytes(CHAIN_ID, keyOf(owner), validator, key, term));
}
