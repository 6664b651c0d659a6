import { localSigner, sha256 } from "../../src/crypto/index.ts";
import { utf8 } from "../../src/kernel/index.ts";
import * as protocol from "../../src/protocol/index.ts";

/** Fixed inputs from which every golden encoding is made; the keys are hashes of names, so anyone can make them again. */
export const alice = localSigner(sha256(utf8("alice")));
export const bob = localSigner(sha256(utf8("bob")));
export const box = localSigner(sha256(utf8("box")));
const genesisHash = sha256(utf8("golden genesis"));
const aad = protocol.transactionAad(genesisHash);
const digest = sha256(utf8("digest"));
const proof = new Uint8Array(64).fill(7);

const bodies: Readonly<Record<string, protocol.TransactionBody>> = {
  transfer: { type: 1, to: bob.publicKey, amount: 5n },
  transferWithMemo: { type: 1, to: bob.publicKey, amount: 2n ** 64n - 1n, memo: utf8("rent") },
  anchorDigest: { type: 2, stream: "barn/temperature", content: { digest } },
  anchorData: { type: 2, stream: "s", content: { data: utf8("21.5") }, count: 12n, period: { fromMs: 1000n, toMs: 2000n } },
  deviceRegister: { type: 3, device: box.publicKey, label: "north wall", transactionsPerHour: 60n, bytesPerHour: 65_536n, proof },
  deviceRevoke: { type: 4, device: box.publicKey },
  validatorRegister: { type: 5, publicKey: box.publicKey, proof, commission: 500, endpoint: "box.example:4600", metadata: "{}" },
  validatorUpdate: { type: 6, validator: box.publicKey, endpoint: "e" },
  validatorExit: { type: 7, validator: box.publicKey },
  stake: { type: 8, validator: box.publicKey, amount: 10n },
  unstake: { type: 9, validator: box.publicKey, amount: 10n },
  withdraw: { type: 10, validator: box.publicKey, amount: 10n },
  keyRotate: { type: 11, validator: box.publicKey, newKey: bob.publicKey, proof, term: 2, effectiveEpoch: 9 },
  evidence: { type: 12, evidence: utf8("evidence") },
  parameterPropose: { type: 13, key: "minimumFee", value: 2000n, activationEpoch: 3 },
  parameterVote: { type: 14, proposal: digest, isApproval: true },
  validatorUpdateOfAll: { type: 6, validator: box.publicKey, commission: 10_000, endpoint: "", metadata: "m" },
};

/** A signed transaction of every type, by name. */
export const transactions: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  Object.entries(bodies).map(([name, body], i) => [
    name,
    protocol.signTransaction(alice, aad, { sender: alice.publicKey, nonce: BigInt(i * 30), fee: 1000n, validUntil: 70_000n, body }),
  ]),
);

/** The external_aad under which the transactions above were signed. */
export const sampleAad = aad;
/** The chain of every sample. */
export const sampleChainId = genesisHash;

/** Five members of unequal weight and standing, whose cycle of leaders is golden. */
const uneven = protocol.makeValidatorSet(
  [30n, 30n, 25n, 20n, 9n].map((weight, at) => {
    const { publicKey } = localSigner(sha256(utf8(`uneven ${at}`)));
    return { publicKey, owner: publicKey, weight, reputation: 10_000 - 2_000 * at };
  }),
);
const made = protocol.makeValidatorSet(
  [alice, bob, box].map((signer) => ({ publicKey: signer.publicKey, owner: bob.publicKey, weight: 1n, reputation: 10_000 })),
);
const four = protocol.makeValidatorSet(
  ["a", "b", "c", "d"].map((name) => {
    const { publicKey } = localSigner(sha256(utf8(`validator ${name}`)));
    return { publicKey, owner: publicKey, weight: 10n, reputation: 10_000 };
  }),
);
if (made.ok || !four.ok || !uneven.ok) throw new Error("three equal weights are no set, four are");

/** A set of four validators. */
export const sampleSet = four.value;
/** Signers of the four validators in set order. */
export const sampleSigners = ["a", "b", "c", "d"]
  .map((name) => localSigner(sha256(utf8(`validator ${name}`))))
  .sort((x, y) => Buffer.compare(x.publicKey, y.publicKey));

/** A certificate by these signers. */
export function certify(
  statement: protocol.VoteStatement & { proposal?: protocol.Proposal },
  signers: readonly number[],
): protocol.Certificate {
  const { proposal, ...vote } = statement;
  const message = protocol.voteSignBytes(genesisHash, vote);
  const signatures = signers.map((i) => (sampleSigners[i] as (typeof sampleSigners)[0]).sign(message));
  const bitmap = protocol.makeBitmap(signers, 4);
  const base = { kind: vote.kind, epoch: vote.epoch, view: vote.view, bitmap, signatures };
  return proposal ? { ...base, proposal } : base;
}

/** A header with recognisable fields. */
export const sampleHeader: protocol.BlockHeader = {
  version: 1,
  chainId: genesisHash,
  height: 300,
  epoch: 0,
  view: 301,
  parentHash: sha256(utf8("parent")),
  leader: 2,
  timeMs: 1_795_000_000_000,
  batchRoot: protocol.batchRootOf([digest]),
  stateRoot: sha256(utf8("state")),
  receiptRoot: sha256(utf8("receipts")),
  validatorSetHash: sampleSet.hash,
  parentBitmap: protocol.makeBitmap([0, 1, 3], 4),
};

const parentProposal = { epoch: 0, view: 299, parentView: 298, blockHash: sampleHeader.parentHash };
/** Notarization of the sample header's parent. */
export const parentCertificate = certify(
  { kind: 1, epoch: 0, view: 299, proposalId: protocol.proposalIdOf(parentProposal), proposal: parentProposal },
  [0, 1, 3],
);
/** A block with one batch. */
export const sampleBlock: protocol.Block = { header: sampleHeader, batchDigests: [digest], evidence: [], parentCertificate };
/** A batch of two transactions. */
export const sampleBatch = protocol.makeBatch(box, genesisHash, 7, [transactions["transfer"], transactions["anchorData"]] as Uint8Array[]);
/** A receipt of a failed transfer. */
export const sampleReceipt: protocol.Receipt = {
  transactionId: digest,
  height: 300,
  index: 1,
  code: "insufficientFunds",
  fee: 1000n,
  effectsDigest: sha256(),
};

const described = {
  commission: 500,
  endpoint: "box.example:4600",
  metadata: "{}",
  isExiting: false,
  jailedUntilEpoch: 0,
  reputation: 7_500,
};
const pools = { stake: 10n ** 12n, shares: 10n ** 12n - 7n, unbondingStake: 95n, unbondingShares: 100n };
const validatorEntry = { kind: "validator", owner: alice.publicKey, signingKey: box.publicKey, term: 0, ...described, ...pools } as const;
const ids = [alice.publicKey, bob.publicKey].sort(Buffer.compare);

/** An entry of each kind that validators, stake, epochs and votes keep in the state, under its key. */
export const stakingEntries: Readonly<Record<string, { readonly key: Uint8Array; readonly entry: protocol.StateEntry }>> = {
  validator: { key: protocol.validatorKey(box.publicKey), entry: validatorEntry },
  validatorRotating: {
    key: protocol.validatorKey(box.publicKey),
    entry: {
      ...validatorEntry,
      term: 1,
      next: { signingKey: bob.publicKey, term: 2, effectiveEpoch: 300 },
      isExiting: true,
      jailedUntilEpoch: 9,
    },
  },
  signingKey: { key: protocol.signingKeyKey(bob.publicKey), entry: { kind: "signingKey", validator: box.publicKey } },
  bond: {
    key: protocol.bondKey(box.publicKey, alice.publicKey),
    entry: {
      kind: "bond",
      validator: box.publicKey,
      staker: alice.publicKey,
      shares: 500n,
      tranches: [
        { shares: 60n, releaseEpoch: 6, releaseTimeMs: 1_795_000_000_000 },
        { shares: 40n, releaseEpoch: 7, releaseTimeMs: 1_795_000_000_001 },
      ],
    },
  },
  registry: { key: protocol.REGISTRY_KEY, entry: { kind: "registry", validators: ids } },
  epoch: {
    key: protocol.EPOCH_KEY,
    entry: {
      kind: "epoch",
      feePot: 12_345n,
      isEndForced: true,
      lastForcedTimeMs: 1_795_000_000_000,
      certificates: 299,
      tallies: [
        { proposed: 100, missed: 2, votes: 290 },
        { proposed: 0, missed: 0, votes: 0 },
      ],
    },
  },
  conviction: {
    key: protocol.convictionKey(box.publicKey, 3),
    entry: { kind: "conviction", validator: box.publicKey, epoch: 3, height: 70_000 },
  },
  parameters: {
    key: protocol.PARAMETERS_KEY,
    entry: {
      kind: "parameters",
      values: [
        { name: "feature.fast-sync", value: 1n },
        { name: "minimumFee", value: 2_000n },
      ],
      pending: [{ name: "epochBlocks", value: 5_000n, activationEpoch: 9 }],
      openProposals: [digest],
    },
  },
  proposal: {
    key: protocol.proposalKey(digest),
    entry: {
      kind: "proposal",
      name: "minimumStake",
      value: 2n ** 63n,
      activationEpoch: 9,
      proposer: alice.publicKey,
      approvals: ids,
      rejections: [box.publicKey],
    },
  },
};

/** Every golden encoding by name. */
export const goldenEncodings: Readonly<Record<string, Uint8Array>> = {
  ...Object.fromEntries(Object.entries(transactions).map(([name, bytes]) => [`transaction.${name}`, bytes])),
  "transaction.id.transfer": idOf("transfer"),
  proposal: protocol.encodeProposal(parentProposal),
  "vote.notarize": protocol.encodeVote({ kind: 1, epoch: 1, view: 2, signer: 3, proposalId: digest, signature: proof }),
  "vote.nullify": protocol.encodeVote({ kind: 2, epoch: 1, view: 2, signer: 3, signature: proof }),
  "vote.signBytes": protocol.voteSignBytes(genesisHash, { kind: 3, epoch: 1, view: 2, proposalId: digest }),
  "certificate.notarization": protocol.encodeCertificate(parentCertificate),
  "certificate.nullification": protocol.encodeCertificate(certify({ kind: 2, epoch: 0, view: 5 }, [0, 1, 2])),
  "block.header": protocol.encodeBlockHeader(sampleHeader),
  "block.headerOfBoundary": protocol.encodeBlockHeader({ ...sampleHeader, nextValidatorSetHash: digest, evidenceRoot: digest }),
  "block.hash": protocol.blockHashOf(sampleHeader),
  block: protocol.encodeBlock(sampleBlock),
  batch: protocol.encodeBatch(sampleBatch),
  "batch.digest": sampleBatch.digest,
  receipt: protocol.encodeReceipt(sampleReceipt),
  "entry.account": protocol.encodeEntry({ kind: "account", nonce: 3n, balance: 2n ** 63n }),
  "entry.device": protocol.encodeEntry({
    kind: "device",
    owner: alice.publicKey,
    label: "north wall",
    transactionsPerHour: 60n,
    bytesPerHour: 65_536n,
    hour: 498_611,
    usedTransactions: 2n,
    usedBytes: 400n,
  }),
  "entry.supply": protocol.encodeEntry({ kind: "supply", issued: 10n ** 18n, burned: 5n }),
  ...Object.fromEntries(
    Object.entries(stakingEntries).flatMap(([name, { key, entry }]) => [
      [`key.${name}`, key],
      [`entry.${name}`, protocol.encodeEntry(entry)],
    ]),
  ),
  validatorKeyProofBytes: protocol.validatorKeyProofBytes(genesisHash, alice.publicKey, box.publicKey, bob.publicKey, 2),
  validatorSet: protocol.encodeValidatorSet(sampleSet),
  "validatorSet.hash": sampleSet.hash,
  "validatorSet.uneven": protocol.encodeValidatorSet(uneven.value),
  "validatorSet.unevenLeaders": Uint8Array.from(protocol.leaderCycleOf(uneven.value)),
};

function idOf(name: string): Uint8Array {
  const decoded = protocol.decodeTransaction(aad, transactions[name] as Uint8Array);
  if (!decoded.ok) throw new Error(`the sample ${name} decodes`);
  return decoded.value.id;
}
