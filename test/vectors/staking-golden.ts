/** Three blocks over an epoch's end with every type of validators, stake and votes, and what ledger and state make of them. */
import { localSigner, sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { toHex, utf8 } from "../../src/kernel/index.ts";
import { encodeEffects, executeBlock, genesisEntries } from "../../src/ledger/index.ts";
import {
  bondKey,
  decodeTransaction,
  encodeReceipt,
  encodeStateProof,
  encodeValidatorSet,
  genesisParametersOf,
  makeValidatorSet,
  PARAMETERS_KEY,
  receiptRootOf,
  signTransaction,
  type Transaction,
  type TransactionBody,
  transactionAad,
  U64_MAX,
  validatorKey,
  validatorKeyProofBytes,
} from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";

const CHAIN_ID = sha256(utf8("golden staking chain"));
const AAD = transactionAad(CHAIN_ID);
const signerOf = (name: string) => localSigner(sha256(utf8(`golden ${name}`)));
const [alice, bob, first, box, spare] = [signerOf("alice"), signerOf("bob"), signerOf("first box"), signerOf("box"), signerOf("spare box")];
const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const PARAMETERS = genesisParametersOf({
  minimumFee: "1000",
  maxValidity: "1000",
  feePolicy: "validators",
  blockBytesMax: 1_048_576,
  blockTransactionsMax: 4_096,
  epochBlocks: 2,
  epochMs: DAY_MS,
});

const nonces = new Map<string, bigint>();

function send(signer: typeof alice, body: TransactionBody): Transaction {
  const nonce = nonces.get(toHex(signer.publicKey)) ?? 0n;
  nonces.set(toHex(signer.publicKey), nonce + 1n);
  const payload = { sender: signer.publicKey, nonce, fee: 1_000n, validUntil: 500n, body };
  const decoded = decodeTransaction(AAD, signTransaction(signer, AAD, payload));
  if (!decoded.ok) throw new Error("a golden transaction decodes");
  return decoded.value;
}

/** Blocks with the epoch that they belong to and their time after the start. */
function blocks(): { epoch: number; afterMs: number; transactions: Transaction[] }[] {
  nonces.clear();
  const id = box.publicKey;
  const proofOf = (key: typeof box, term: number) => key.sign(validatorKeyProofBytes(CHAIN_ID, alice.publicKey, id, key.publicKey, term));
  const described = { commission: 500, endpoint: "box.example:4600", metadata: "{}" };
  const propose = send(alice, { type: 13, key: "minimumFee", value: 900n, activationEpoch: 1 });
  return [
    {
      epoch: 0,
      afterMs: 1_000,
      transactions: [
        propose,
        send(alice, { type: 5, publicKey: id, proof: proofOf(box, 0), ...described }),
        send(alice, { type: 8, validator: id, amount: 1_000_000n }),
        send(bob, { type: 8, validator: first.publicKey, amount: 250_000n }),
        send(bob, { type: 9, validator: first.publicKey, amount: 100_000n }),
        send(alice, { type: 6, validator: id, commission: 100 }),
        send(alice, { type: 11, validator: id, newKey: spare.publicKey, proof: proofOf(spare, 1), term: 1, effectiveEpoch: 1 }),
        send(bob, { type: 14, proposal: propose.id, isApproval: true }),
        send(bob, { type: 5, publicKey: id, proof: proofOf(box, 0), ...described }),
      ],
    },
    {
      epoch: 0,
      afterMs: 2_000,
      transactions: [
        send(bob, { type: 10, validator: first.publicKey, amount: 1n }),
        send(alice, { type: 11, validator: id, newKey: spare.publicKey, proof: proofOf(spare, 1), term: 1, effectiveEpoch: 2 }),
        send(alice, { type: 13, key: "feature.golden", value: 1n, activationEpoch: 3 }),
        send(alice, { type: 13, key: "no-parameter", value: 1n, activationEpoch: 3 }),
      ],
    },
    {
      epoch: 3,
      afterMs: 8 * DAY_MS,
      transactions: [
        send(bob, { type: 10, validator: first.publicKey, amount: U64_MAX }),
        send(bob, { type: 7, validator: id }),
        send(alice, { type: 7, validator: id }),
        send(alice, { type: 8, validator: id, amount: 1n }),
      ],
    },
  ];
}

/** Everything that the formats of ledger and state decide about the blocks. */
export function goldenStaking(): Record<string, unknown> {
  const accounts = [alice, bob].map(({ publicKey }) => ({ publicKey, balance: 10n ** 9n }));
  const validator = { name: "first", publicKey: first.publicKey, owner: alice.publicKey, stake: 5_000_000n };
  const state = State.ofGenesis(
    CHAIN_ID,
    genesisEntries({ accounts, validators: [{ ...validator, proofOfPossession: new Uint8Array(64) }] }),
  );
  const set = makeValidatorSet([{ publicKey: first.publicKey, owner: alice.publicKey, weight: 5_000_000n, reputation: 10_000 }]);
  if (!set.ok) throw new Error("a golden validator set");
  const golden: Record<string, unknown> = { chainId: toHex(CHAIN_ID), genesisRoot: toHex(state.root) };
  let validatorSet = set.value;
  for (const [index, { epoch, afterMs, transactions }] of blocks().entries()) {
    const height = index + 1;
    const place = { chainId: CHAIN_ID, height, epoch, timeMs: START_MS + afterMs, leader: 0, validatorSet };
    const epochStart = epoch === 0 ? { height: 0, timeMs: START_MS } : { height: index, timeMs: START_MS + afterMs - 1 };
    const round = { epochStart, view: height, parentView: index, parentBitmap: Uint8Array.of(1) };
    const rest = { evidence: [], findEpoch: () => undefined, verifySignature: verifyEd25519, parameters: PARAMETERS };
    const { receipts, effects, nextValidatorSet, changes } = executeBlock(state.finalized, { ...place, ...round, ...rest }, transactions);
    state.fold(state.stack(undefined, changes), height);
    golden[`block ${height}`] = {
      codes: receipts.map(({ code }) => code),
      receipts: receipts.map((receipt) => toHex(encodeReceipt(receipt))),
      receiptRoot: toHex(receiptRootOf(receipts)),
      effects: effects.map((done) => toHex(encodeEffects(done))),
      stateRoot: toHex(state.root),
      ...(nextValidatorSet && { nextValidatorSet: toHex(encodeValidatorSet(nextValidatorSet)) }),
    };
    validatorSet = nextValidatorSet ?? validatorSet;
  }
  golden["proof of the validator"] = toHex(encodeStateProof(state.prove(validatorKey(box.publicKey))));
  golden["proof of the bond"] = toHex(encodeStateProof(state.prove(bondKey(first.publicKey, bob.publicKey))));
  golden["proof of the parameters"] = toHex(encodeStateProof(state.prove(PARAMETERS_KEY)));
  return golden;
}
