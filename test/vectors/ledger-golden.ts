/** Two blocks with every kind of effect and result, and what ledger and state make of them, in hexadecimal. */
import { localSigner, sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { toHex, utf8 } from "../../src/kernel/index.ts";
import { type BlockExecution, encodeEffects, executeBlock, genesisEntries } from "../../src/ledger/index.ts";
import {
  accountKey,
  decodeTransaction,
  deviceKey,
  deviceProofBytes,
  encodeReceipt,
  encodeStateProof,
  genesisParametersOf,
  makeValidatorSet,
  receiptRootOf,
  signTransaction,
  type Transaction,
  type TransactionBody,
  transactionAad,
} from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";

const CHAIN_ID = sha256(utf8("golden chain"));
const AAD = transactionAad(CHAIN_ID);
const signerOf = (name: string) => localSigner(sha256(utf8(`golden ${name}`)));
const [alice, bob, device, validator] = [signerOf("alice"), signerOf("bob"), signerOf("device"), signerOf("validator")];

const PARAMETERS = genesisParametersOf({
  minimumFee: "1000",
  maxValidity: "1000",
  feePolicy: "validators",
  blockBytesMax: 1_048_576,
  blockTransactionsMax: 4_096,
  epochBlocks: 1_000,
  epochMs: 3_600_000,
});

function transaction(signer: typeof alice, nonce: bigint, body: TransactionBody): Transaction {
  const payload = { sender: signer.publicKey, nonce, fee: 1_000n, validUntil: 500n, body };
  const decoded = decodeTransaction(AAD, signTransaction(signer, AAD, payload));
  if (!decoded.ok) throw new Error("a golden transaction decodes");
  return decoded.value;
}

function blocks(): Transaction[][] {
  const proof = device.sign(deviceProofBytes(CHAIN_ID, device.publicKey, alice.publicKey));
  const register = { type: 3, device: device.publicKey, label: "barn", transactionsPerHour: 1n, bytesPerHour: 1_000n, proof } as const;
  const anchor = { type: 2, stream: "barn/temperature", content: { data: utf8("21.5") }, count: 1n } as const;
  return [
    [
      transaction(alice, 0n, { type: 1, to: bob.publicKey, amount: 250_000n, memo: utf8("rent") }),
      transaction(alice, 1n, register),
      transaction(device, 0n, anchor),
      transaction(device, 1n, anchor),
      transaction(bob, 0n, { type: 1, to: alice.publicKey, amount: 1n << 63n }),
    ],
    [
      transaction(alice, 2n, register),
      transaction(alice, 3n, { type: 4, device: device.publicKey }),
      transaction(alice, 4n, { type: 4, device: device.publicKey }),
      transaction(bob, 1n, { type: 2, stream: "s", content: { digest: sha256(utf8("readings")) } }),
      transaction(bob, 2n, { type: 7, validator: validator.publicKey }),
      transaction(bob, 9n, { type: 7, validator: validator.publicKey }),
    ],
  ];
}

/** Everything that the formats of ledger and state decide about the two blocks. */
export function goldenLedger(): Record<string, unknown> {
  const accounts = [
    { publicKey: alice.publicKey, balance: 10n ** 12n },
    { publicKey: validator.publicKey, balance: 0n },
  ];
  const set = makeValidatorSet([{ publicKey: validator.publicKey, owner: validator.publicKey, weight: 5n, reputation: 10_000 }]);
  if (!set.ok) throw new Error("a golden validator set");
  const state = State.ofGenesis(CHAIN_ID, genesisEntries({ accounts, validators: [] }));
  const golden: Record<string, unknown> = { chainId: toHex(CHAIN_ID), genesisRoot: toHex(state.root) };
  for (const [index, transactions] of blocks().entries()) {
    const height = index + 1;
    const timeMs = Date.UTC(2026, 0, 1, 12, 59, 59) + 2_000 * index;
    const place = { chainId: CHAIN_ID, height, epoch: 0, timeMs, leader: 0, validatorSet: set.value };
    const round = { epochStart: { height: 0, timeMs: 0 }, view: height, parentView: index, parentBitmap: Uint8Array.of(1) };
    const rest = { evidence: [], findEpoch: () => undefined, verifySignature: verifyEd25519 };
    const context = { ...place, ...round, ...rest, parameters: PARAMETERS };
    const execution = executeBlock(state.finalized, context, transactions);
    state.fold(state.stack(undefined, execution.changes), height);
    golden[`block ${height}`] = describe(execution, toHex(state.root));
  }
  golden["proof of alice"] = toHex(encodeStateProof(state.prove(accountKey(alice.publicKey))));
  golden["proof of the revoked device"] = toHex(encodeStateProof(state.prove(deviceKey(device.publicKey))));
  return golden;
}

function describe(execution: BlockExecution, stateRoot: string): unknown {
  return {
    receipts: execution.receipts.map((receipt) => toHex(encodeReceipt(receipt))),
    receiptRoot: toHex(receiptRootOf(execution.receipts)),
    codes: execution.receipts.map(({ code }) => code),
    effects: execution.effects.map((effects) => toHex(encodeEffects(effects))),
    skipped: execution.skipped.map(({ reason }) => reason),
    stateRoot,
  };
}
