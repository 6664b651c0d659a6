/** Random worlds for property tests: a genesis, and blocks of transactions that are mostly, but by no means always, valid. */
import fc from "fast-check";
import type { ExecutionContext } from "../../../src/ledger/index.ts";
import { deviceProofBytes, type Transaction, type TransactionBody, U64_MAX, type ValidatorSet } from "../../../src/protocol/index.ts";
import {
  CHAIN_ID,
  contextOf,
  HOUR_MS,
  keyOf,
  parametersWith,
  proofOf,
  START_MS,
  transactionOf,
  validatorsOf,
  verifyByRecipe,
} from "./ledger-fixture.ts";
import type { ModelContext, ModelState } from "./slow-model.ts";

const NAMES = ["a", "b", "c", "d", "e", "owner 1", "owner 2"] as const;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** One intended transaction; numbers pick among keys, nonces near the right one, and amounts of every size. */
type Intent = {
  sender: number;
  other: number;
  nonceOff: number;
  fee: bigint;
  validOff: number;
  type: number;
  amount: bigint;
  quota: bigint;
  isConsent: boolean;
};

const intent: fc.Arbitrary<Intent> = fc.record({
  sender: fc.nat(NAMES.length - 1),
  other: fc.nat(NAMES.length - 1),
  nonceOff: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 })),
  fee: fc.oneof({ weight: 8, arbitrary: fc.bigInt(10n, 40n) }, fc.bigInt(0n, 12n), fc.constant(U64_MAX)),
  validOff: fc.oneof({ weight: 12, arbitrary: fc.nat(20) }, fc.integer({ min: -2, max: 40 })),
  type: fc.oneof(
    { weight: 4, arbitrary: fc.constant(1) },
    { weight: 5, arbitrary: fc.constant(2) },
    { weight: 4, arbitrary: fc.constant(3) },
    fc.nat(13),
  ),
  amount: fc.oneof({ weight: 4, arbitrary: fc.bigInt(0n, 600n) }, fc.bigInt(0n, U64_MAX)),
  quota: fc.bigInt(0n, 4n),
  isConsent: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.boolean()),
});

/** A genesis, a fee policy with its validators, and blocks: how much later each is than the one before, who leads, what it holds. */
export type World = {
  balances: bigint[];
  isBurning: boolean;
  weights: bigint[];
  blocks: { laterMs: number; leader: number; intents: Intent[] }[];
};

/** Worlds of up to this many blocks. */
export function worlds(blocksMax: number): fc.Arbitrary<World> {
  return fc.record({
    balances: fc.array(fc.oneof({ weight: 5, arbitrary: fc.bigInt(0n, 2_000n) }, fc.bigInt(0n, U64_MAX / 8n)), { maxLength: NAMES.length }),
    isBurning: fc.boolean(),
    weights: fc.constantFrom<bigint[]>([1n], [3n, 3n, 3n, 2n], [10n, 20n, 25n, 12n, 9n]),
    blocks: fc.array(
      fc.record({
        laterMs: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 2 * HOUR_MS })),
        leader: fc.nat(4),
        intents: fc.array(intent, { maxLength: 24 }),
      }),
      { minLength: 1, maxLength: blocksMax },
    ),
  });
}

/** The state that a world begins with, in the words of the model. */
export function modelGenesis({ balances }: World): ModelState {
  const accounts = balances.map((balance, i) => [hex(keyOf(NAMES[i] ?? "")), { nonce: 0n, balance }] as const);
  const issued = balances.reduce((sum, balance) => sum + balance, 0n);
  return { accounts: new Map(accounts), devices: new Map(), issued, burned: 0n, pot: 0n, proposed: [] };
}

/** The balances that a world begins with, by name. */
export function balancesOf({ balances }: World): Record<string, bigint> {
  return Object.fromEntries(balances.map((balance, i) => [NAMES[i] ?? "", balance]));
}

/** The contexts and transactions of a world's blocks; the model's state before each block tells which nonces are right. */
export function blockOf(world: World, index: number, state: ModelState, timeMs: number): [ExecutionContext, ModelContext, Transaction[]] {
  const set: ValidatorSet = validatorsOf(Object.fromEntries(world.weights.map((weight, i) => [`owner ${i + 1}`, weight])));
  const block = world.blocks[index] ?? { leader: 0, intents: [], laterMs: 1 };
  const leader = block.leader % set.validators.length;
  const feePolicy = world.isBurning ? "burn" : "validators";
  const height = index + 1;
  const context = contextOf({ height, timeMs, leader, validatorSet: set, parameters: parametersWith({ maxValidity: 30n, feePolicy }) });
  const model: ModelContext = {
    height,
    timeMs,
    minimumFee: 10n,
    maxValidity: 30n,
    feePolicy,
    leader,
    members: set.validators.length,
    isConsent: (device, owner, proof) => verifyByRecipe(device, deviceProofBytes(CHAIN_ID, device, owner), proof),
  };
  const nonces = new Map([...state.accounts].map(([key, { nonce }]) => [key, nonce]));
  const transactions = block.intents.map((it) => {
    const sender = keyOf(NAMES[it.sender] ?? "");
    const expected = nonces.get(hex(sender)) ?? 0n;
    const wanted = expected + BigInt(it.nonceOff);
    if (it.nonceOff === 0) nonces.set(hex(sender), expected + 1n);
    const validUntil = BigInt(Math.max(0, height + it.validOff));
    return transactionOf({ sender, nonce: wanted < 0n ? 0n : wanted, fee: it.fee, validUntil, body: bodyOf(it, sender) });
  });
  return [context, model, transactions];
}

/** Time of a world's block. */
export function timeOf(world: World, index: number): number {
  return world.blocks.slice(0, index + 1).reduce((sum, { laterMs }) => sum + laterMs, START_MS);
}

function bodyOf(it: Intent, sender: Uint8Array): TransactionBody {
  const other = keyOf(NAMES[it.other] ?? "");
  if (it.type === 1) return { type: 1, to: it.amount % 5n === 0n ? keyOf(`new ${it.amount % 9n}`) : other, amount: it.amount };
  if (it.type === 2) {
    const content = it.isConsent ? { digest: other } : { data: new Uint8Array(Number(it.quota) + 1) };
    return { type: 2, stream: `s${it.quota}`, content };
  }
  if (it.type === 3) {
    const proof = it.isConsent ? proofOf(other, deviceProofBytes(CHAIN_ID, other, sender)) : new Uint8Array(64);
    return { type: 3, device: other, label: `l${it.quota}`, transactionsPerHour: it.quota, bytesPerHour: it.quota * 170n, proof };
  }
  if (it.type === 4) return { type: 4, device: other };
  return it.type % 2 === 0 ? { type: 7, validator: other } : { type: 8, validator: other, amount: it.amount };
}
