/** What agreement itself costs, beside the signatures it verifies: a vote, a certificate, a journaled vote, a block of one validator. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsensusLoop, LAN_TIMERS } from "../../src/consensus/index.ts";
import { localSigner, nativeSuite, sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { Prng, present, u64be, utf8 } from "../../src/kernel/index.ts";
import {
  checkCertificate,
  decodeVote,
  encodeCertificate,
  encodeVote,
  makeBitmap,
  VOTE_KIND,
  type Vote,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { createJournal, openJournal, VoteGuard } from "../../src/validator/index.ts";
import { Rig } from "../rules/rig.ts";
import { ChainModel } from "../sim/chain-model.ts";
import { setOf } from "../sim/keys.ts";
import { BenchReport, rateOf } from "./harness.ts";

const report = new BenchReport("consensus");
const prng = new Prng(1);
const chainId = prng.bytes(32);
const signers = Array.from({ length: 7 }, () => localSigner(prng.bytes(32)));
const set = setOf(
  signers,
  signers.map(() => 1n),
);
const inOrder = set.validators.map((validator) =>
  present(
    signers.find((signer) => signer.publicKey === validator.publicKey),
    "a signer of the set",
  ),
);
const statement = { kind: VOTE_KIND.nullify, epoch: 0, view: 9 } as const;
const votes: Vote[] = inOrder.map((signer, index) => ({
  ...statement,
  signer: index,
  signature: signer.sign(voteSignBytes(chainId, statement)),
}));
const [vote] = votes;
if (!vote) throw new Error("there are seven votes");
const message = voteSignBytes(chainId, vote);
const key = present(inOrder[0], "a first signer").publicKey;

const verification = { name: "native verification", value: rateOf(() => verifyEd25519(key, message, vote.signature)) };
report.add({ name: "verify, native, calling thread", value: verification.value, unit: "ops/s" });
report.add({ name: "decode a vote", value: rateOf(() => decodeVote(encodeVote(vote))), unit: "ops/s", baseline: verification });

const certificate = { ...statement, bitmap: makeBitmap([0, 1, 2, 3, 4], 7), signatures: votes.slice(0, 5).map((each) => each.signature) };
const check = (): unknown => checkCertificate(certificate, set, 0, chainId, verifyEd25519);
report.add({
  name: "verify a certificate of 5 in 7",
  value: rateOf(check),
  unit: "ops/s",
  baseline: verification,
  note: "5 signatures: 0.2 is the bound",
});
report.add({
  name: "encode a certificate of 5 in 7",
  value: rateOf(() => encodeCertificate(certificate)),
  unit: "ops/s",
  baseline: verification,
});

// The core's own part of a vote: the suite says yes at once.
const VIEWS = 200;
const nullifyViews = (): void => {
  const rig = new Rig({ weights: signers.map(() => 1n) });
  rig.suite.verify = () => true;
  for (let view = 1; view <= VIEWS; view++) {
    for (let signer = 1; signer <= 5; signer++) {
      const nullify: Vote = { kind: VOTE_KIND.nullify, epoch: 0, view, signer, signature: vote.signature };
      rig.from(signer, { kind: "vote", vote: nullify });
    }
  }
};
nullifyViews();
const perVote = rateOf(nullifyViews) * VIEWS * 5;
report.add({
  name: "core: votes taken, without their verification",
  value: perVote,
  unit: "votes/s",
  baseline: verification,
  goal: { of: "ratio", is: "at least", bound: 2 },
});

// A single validator over a real disk: journal, guard and loop, the chain in memory.
const home = mkdtempSync(join(tmpdir(), "consensus-bench-"));
const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: { bytes: (count: number) => prng.bytes(count) } };
const own = localSigner(prng.bytes(32));
createJournal(files, own.publicKey);
const journal = openJournal(files, { publicKey: own.publicKey, isBlocking: true });
const alone = setOf([own], [1n]);
const chain = new ChainModel({ chainId, genesisTimeMs: 1, epochBlocks: 1e9, setOf: () => alone });
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const loop = new ConsensusLoop(
  {
    blocks: chain,
    journal,
    signer: new VoteGuard(journal, own, chainId),
    network: { broadcast() {}, send() {}, fetchBatches() {} },
    clock,
    timers: { after: () => () => {} },
    onNotice: () => {},
    onFatal: (error) => {
      throw error;
    },
  },
  { chainId, suite: nativeSuite, profile: { ...LAN_TIMERS, minimumBlockIntervalMs: 0 }, seed: 1 },
);
loop.start();
let batchCount = 0;
const makeBlock = (): void => {
  chain.batches.clear();
  chain.hold(sha256(utf8("batch"), u64be(batchCount++)));
  loop.onWork();
};
const blocks = rateOf(makeBlock);
const height = loop.status().height;
report.add({
  name: "single validator: blocks, two syncs each",
  value: blocks,
  unit: "blocks/s",
  goal: { of: "value", is: "at least", bound: 10 },
  note: `${height} blocks, no interval`,
});
loop.stop();
journal.close();
rmSync(home, { recursive: true });
report.finish();
