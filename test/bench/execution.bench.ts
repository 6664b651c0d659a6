/** Execution: what the ledger does with a block of 2,000 over 100,000 accounts, against one native verification. */
import { localSigner, sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { Prng, present } from "../../src/kernel/index.ts";
import {
  type AdmissionRules,
  checkAdmission,
  type ExecutionContext,
  executeBlock,
  genesisEntries,
  type PendingView,
} from "../../src/ledger/index.ts";
import {
  decodeTransaction,
  deviceProofBytes,
  genesisParametersOf,
  makeValidatorSet,
  receiptRootOf,
  signTransaction,
  type Transaction,
  type TransactionBody,
  transactionAad,
} from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";
import { BenchReport, quantile, rateOf } from "./harness.ts";

const ACCOUNTS = 100_000;
const BLOCK = 2_000;
const BLOCKS = 60;
const prng = new Prng(1);
const report = new BenchReport("execution");
const chainId = prng.bytes(32);
const aad = transactionAad(chainId);

const signer = localSigner(prng.bytes(32));
const message = prng.bytes(200);
const signature = signer.sign(message);
const verification = { name: "native verification", value: 1e6 / rateOf(() => verifyEd25519(signer.publicKey, message, signature)) };
report.add({ name: "verify, native, calling thread", value: verification.value, unit: "us" });

const keys = Array.from({ length: ACCOUNTS }, () => prng.bytes(32));
const devices = keys.slice(0, 10_000);
const owner = present(keys.at(-1), "there are accounts");
const genesis = () =>
  State.ofGenesis(chainId, genesisEntries({ accounts: keys.map((publicKey) => ({ publicKey, balance: 10n ** 12n })), validators: [] }));
const set = makeValidatorSet([{ publicKey: signer.publicKey, owner: signer.publicKey, weight: 1n, reputation: 10_000 }]);
if (!set.ok) throw new Error("one validator is a set");
const parameters = genesisParametersOf({
  minimumFee: "1",
  maxValidity: "1000000",
  feePolicy: "validators",
  blockBytesMax: 1_048_576,
  blockTransactionsMax: 4_096,
  epochBlocks: 1_000_000,
  epochMs: 86_400_000,
});
const contextAt = (height: number): ExecutionContext => ({
  chainId,
  height,
  epoch: 0,
  timeMs: 1_767_225_600_000 + height,
  leader: 0,
  validatorSet: set.value,
  parameters,
  verifySignature: () => true,
  epochStart: { height: 0, timeMs: 1_767_225_600_000 },
  view: height,
  parentView: height - 1,
  parentBitmap: Uint8Array.of(1),
  evidence: [],
  findEpoch: () => undefined,
});

/** Transactions as batches give them: decoded just before, views into their encodings. */
function decoded(sender: Uint8Array, nonce: bigint, body: TransactionBody): Transaction {
  const blank = { publicKey: sender, sign: () => new Uint8Array(64) };
  const encoded = signTransaction(blank, aad, { sender, nonce, fee: 1_000n, validUntil: 1_000_000n, body });
  const result = decodeTransaction(aad, encoded);
  if (!result.ok) throw new Error("what was encoded decodes");
  return result.value;
}

type Times = { readonly executeUs: number; readonly rootUs: number; readonly receiptsUs: number; readonly foldUs: number };

/** Runs blocks of a kind on a state; medians per transaction over the later half of the blocks. */
function run(state: State, make: (index: number, nonces: Map<Uint8Array, bigint>) => Transaction): Times {
  const nonces = new Map<Uint8Array, bigint>();
  const samples: number[][] = [];
  const first = state.height + 1;
  for (let height = first; height < first + BLOCKS; height++) {
    const transactions = Array.from({ length: BLOCK }, (_, i) => make(i, nonces));
    const t0 = performance.now();
    const execution = executeBlock(state.finalized, contextAt(height), transactions);
    const t1 = performance.now();
    const overlay = state.stack(undefined, execution.changes);
    const t2 = performance.now();
    receiptRootOf(execution.receipts);
    const t3 = performance.now();
    state.fold(overlay, height);
    const t4 = performance.now();
    if (execution.executed.length !== BLOCK) throw new Error(`${execution.skipped[0]?.reason} instead of execution`);
    if (height >= first + BLOCKS / 2) samples.push([t1 - t0, t2 - t1, t3 - t2, t4 - t3]);
  }
  const median = (at: number): number =>
    (quantile(
      samples.map((sample) => sample[at] ?? 0),
      0.5,
    ) *
      1000) /
    BLOCK;
  return { executeUs: median(0), rootUs: median(1), receiptsUs: median(2), foldUs: median(3) };
}

function nextNonce(nonces: Map<Uint8Array, bigint>, key: Uint8Array): bigint {
  const nonce = nonces.get(key) ?? 0n;
  nonces.set(key, nonce + 1n);
  return nonce;
}

const pick = (from: readonly Uint8Array[]): Uint8Array => present(from[prng.below(from.length)], "a key of the list");

const transfers = run(genesis(), (_, nonces) => {
  const sender = pick(keys);
  return decoded(sender, nextNonce(nonces, sender), { type: 1, to: pick(keys), amount: 5n });
});
report.add({ name: "transfer, executed", value: transfers.executeUs, unit: "us", baseline: verification });
report.add({ name: "transfer, its share of the state root", value: transfers.rootUs, unit: "us", baseline: verification });
report.add({ name: "transfer, its share of the receipt root", value: transfers.receiptsUs, unit: "us", baseline: verification });
report.add({ name: "transfer, its share of folding", value: transfers.foldUs, unit: "us", baseline: verification });
const sum = transfers.executeUs + transfers.rootUs + transfers.receiptsUs + transfers.foldUs;
report.add({
  name: "transfer, all of it",
  value: sum,
  unit: "us",
  baseline: verification,
  goal: { of: "ratio", is: "at most", bound: 0.25 },
});

const anchor: TransactionBody = { type: 2, stream: "barn/temperature", content: { digest: sha256(message) } };
const anchors = run(genesis(), (_, nonces) => {
  const sender = pick(keys);
  return decoded(sender, nextNonce(nonces, sender), anchor);
});
report.add({ name: "anchor, executed", value: anchors.executeUs, unit: "us", baseline: verification });

const sponsoring = genesis();
for (let at = 0; at < devices.length; at += BLOCK) {
  const registrations = devices.slice(at, at + BLOCK).map((device, i) => {
    const proof = new Uint8Array(64);
    deviceProofBytes(chainId, device, owner);
    return decoded(owner, BigInt(at + i), { type: 3, device, label: "d", transactionsPerHour: 1n << 40n, bytesPerHour: 1n << 50n, proof });
  });
  const height = sponsoring.height + 1;
  sponsoring.fold(sponsoring.stack(undefined, executeBlock(sponsoring.finalized, contextAt(height), registrations).changes), height);
}
const sponsored = run(sponsoring, (_, nonces) => {
  const sender = pick(devices);
  return decoded(sender, nextNonce(nonces, sender), anchor);
});
report.add({ name: "sponsored anchor, executed", value: sponsored.executeUs, unit: "us", baseline: verification });

const rules: AdmissionRules = { tipHeight: 1, timeMs: 1_767_225_600_000, parameters };
const nothing: PendingView = { nextNonce: () => undefined, spendOf: () => 0n, quotaUseOf: () => ({ transactions: 0n, bytes: 0n }) };
const fresh = genesis();
const candidates = Array.from({ length: 10_000 }, () => decoded(pick(keys), 0n, { type: 1, to: pick(keys), amount: 5n }));
let turn = 0;
const admission = rateOf(() =>
  checkAdmission(fresh.finalized, rules, present(candidates[turn++ % candidates.length], "a candidate"), nothing),
);
report.add({ name: "stateful checks of admission", value: 1e6 / admission, unit: "us", baseline: verification });
report.finish();
