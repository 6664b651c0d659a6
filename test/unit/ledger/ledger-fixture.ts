import { type Signer, sha256 } from "../../../src/crypto/index.ts";
import { concatBytes, present, toHex, utf8 } from "../../../src/kernel/index.ts";
import type { EntryChange, ExecutionContext, LedgerView } from "../../../src/ledger/index.ts";
import {
  type AccountEntry,
  accountKey,
  type DeviceEntry,
  decodeTransaction,
  deviceKey,
  type GenesisParameters,
  makeValidatorSet,
  type StateEntry,
  SUPPLY_KEY,
  type SupplyEntry,
  signTransaction,
  type Transaction,
  type TransactionPayload,
  transactionAad,
  type ValidatorSet,
} from "../../../src/protocol/index.ts";

/** Chain of every ledger test. */
export const CHAIN_ID = sha256(utf8("ledger tests"));
/** 2026-01-01T00:00:00Z, the start of an hour. */
export const START_MS = Date.UTC(2026, 0, 1);
/** Milliseconds of an hour. */
export const HOUR_MS = 3_600_000;

const AAD = transactionAad(CHAIN_ID);

/** A 32-byte key by its name. */
export function keyOf(name: string): Uint8Array {
  return sha256(utf8(name));
}

/** The proof that `verifyByRecipe` takes for valid; execution trusts whatever verifier its context has. */
export function proofOf(key: Uint8Array, message: Uint8Array): Uint8Array {
  const half = sha256(concatBytes(key, message));
  return concatBytes(half, half);
}

/** Stands in for Ed25519, which execution is handed and never chooses. */
export function verifyByRecipe(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return toHex(signature) === toHex(proofOf(key, message));
}

/** A decoded transaction; signatures are not execution's business, so it carries a blank one. */
export function transactionOf(payload: TransactionPayload): Transaction {
  const signer: Signer = { publicKey: payload.sender, sign: () => new Uint8Array(64) };
  const decoded = decodeTransaction(AAD, signTransaction(signer, AAD, payload));
  if (!decoded.ok) throw new Error(`a transaction we encoded does not decode: ${decoded.error}`);
  return decoded.value;
}

/** A set of validators owned by the keys of these names. */
export function validatorsOf(owners: Readonly<Record<string, bigint>>): ValidatorSet {
  const members = Object.entries(owners).map(([name, weight]) => ({
    publicKey: keyOf(`validator ${name}`),
    owner: keyOf(name),
    weight,
    reputation: 10_000,
  }));
  const set = makeValidatorSet(members);
  if (!set.ok) throw new Error(`no validator set: ${set.error}`);
  return set.value;
}

/** Parameters of ledger tests with some of them changed. */
export function parametersWith(change: Partial<GenesisParameters>): GenesisParameters {
  return {
    minimumFee: 10n,
    maxValidity: 1_000n,
    feePolicy: "burn",
    blockBytesMax: 1_048_576,
    blockTransactionsMax: 4_096,
    epochBlocks: 100,
    epochMs: 3_600_000,
    minimumStake: 100n,
    slashPerMyriad: 500,
    jailEpochs: 4,
    validatorsMax: 128,
    unbondingMs: 7 * 24 * HOUR_MS,
    reputationEntryMin: 1_000,
    ...change,
  };
}

/** The context of a block, one validator and burned fees unless told otherwise. */
export function contextOf(change: Partial<ExecutionContext> = {}): ExecutionContext {
  return {
    chainId: CHAIN_ID,
    height: 1,
    timeMs: START_MS,
    leader: 0,
    validatorSet: validatorsOf({ validator: 1n }),
    epoch: 3,
    epochStart: { height: 0, timeMs: change.timeMs ?? START_MS },
    view: 1,
    parentView: 0,
    parentBitmap: new Uint8Array(0),
    parameters: parametersWith({}),
    verifySignature: verifyByRecipe,
    evidence: [],
    findEpoch: () => undefined,
    ...change,
  };
}

/** A state of a few entries in a map. */
export class MapState implements LedgerView {
  readonly entries = new Map<string, StateEntry>();

  constructor(balances: Readonly<Record<string, bigint>>) {
    let issued = 0n;
    for (const [name, balance] of Object.entries(balances)) {
      issued += balance;
      this.entries.set(toHex(accountKey(keyOf(name))), { kind: "account", nonce: 0n, balance });
    }
    this.entries.set(toHex(SUPPLY_KEY), { kind: "supply", issued, burned: 0n });
  }

  find(key: Uint8Array): StateEntry | undefined {
    return this.entries.get(toHex(key));
  }

  findAccount(publicKey: Uint8Array): AccountEntry | undefined {
    const entry = this.entries.get(toHex(accountKey(publicKey)));
    return entry?.kind === "account" ? entry : undefined;
  }

  findDevice(publicKey: Uint8Array): DeviceEntry | undefined {
    const entry = this.entries.get(toHex(deviceKey(publicKey)));
    return entry?.kind === "device" ? entry : undefined;
  }

  supply(): SupplyEntry {
    const entry = this.entries.get(toHex(SUPPLY_KEY));
    return present(entry?.kind === "supply" ? entry : undefined, "every state has its supply");
  }

  /** Takes over what a block changed. */
  apply(changes: readonly EntryChange[]): void {
    for (const { key, entry } of changes) {
      if (entry === undefined) this.entries.delete(toHex(key));
      else this.entries.set(toHex(key), entry);
    }
  }
}
