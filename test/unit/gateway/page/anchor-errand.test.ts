import { expect, test } from "bun:test";
import { nobleSigner, sha256 } from "../../../../src/crypto/portable.ts";
import { checkNote, runErrand, type Step } from "../../../../src/gateway/page/anchor-errand.ts";
import { type Clock, err, ok, type Result, type Timers, utf8 } from "../../../../src/kernel/index.ts";
import { OUTSIDE_PROTOCOLS, type RequestFault } from "../../../../src/network/portable.ts";
import {
  blockHashOf,
  decodeTransaction,
  encodeProofBundle,
  proposalIdOf,
  type Receipt,
  receiptRootOf,
  transactionAad,
} from "../../../../src/protocol/index.ts";
import { certify, sampleChainId, sampleHeader, sampleReceipt, sampleSet } from "../../../vectors/protocol-samples.ts";

const chain = { genesis: { hash: sampleChainId }, set: sampleSet };
const order = {
  signer: nobleSigner(sha256(utf8("visitor"))),
  nonce: 3n,
  fee: 1_000n,
  validUntil: 500n,
  stream: "browser/notes",
  text: "hello",
} as const;

type Answer = Result<Uint8Array, RequestFault>;
/** How the node under test differs from an honest one. */
type Lies = {
  readonly dial?: Result<true, "unreachable">;
  readonly taken?: (id: Uint8Array) => Answer;
  readonly proof?: (honest: Uint8Array, question: number) => Answer;
};

/** A proof that a transaction is final, signed by these members. */
function proofOf(transactionId: Uint8Array, signers: readonly number[]): Uint8Array {
  const receipt: Receipt = { ...sampleReceipt, height: sampleHeader.height, index: 0, transactionId };
  const header = { ...sampleHeader, receiptRoot: receiptRootOf([receipt]) };
  const proposal = { epoch: header.epoch, view: header.view, parentView: header.view - 1, blockHash: blockHashOf(header) };
  const finalization = certify({ kind: 3, epoch: header.epoch, view: header.view, proposalId: proposalIdOf(proposal), proposal }, signers);
  return encodeProofBundle({ hops: [], headers: [header], finalization, content: { kind: "receipt", receipt, path: [] } });
}

/** Runs an errand against a node; time passes only while it waits. */
async function run(lies: Lies = {}, signers: readonly number[] = [0, 2, 3]) {
  let nowMs = 0;
  let id = new Uint8Array(32);
  let questions = 0;
  const steps: Step[] = [];
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const timers: Timers = {
    after(delayMs, action) {
      nowMs += delayMs;
      queueMicrotask(action);
      return () => {};
    },
  };
  const ask = async (protocol: string, request: Uint8Array): Promise<Answer> => {
    if (protocol === OUTSIDE_PROTOCOLS.submit) {
      const decoded = decodeTransaction(transactionAad(sampleChainId), request);
      if (!decoded.ok) return err("malformed");
      id = Uint8Array.from(decoded.value.id);
      return lies.taken?.(id) ?? ok(id);
    }
    const honest = proofOf(id, signers);
    return lies.proof?.(honest, questions++) ?? ok(honest);
  };
  const node = { connect: async () => lies.dial ?? ok(true as const), ask };
  const result = await runErrand(chain, order, { node, clock, timers, onDone: (step) => steps.push(step) });
  return { result, steps, nowMs, sentence: result.ok ? "" : result.error };
}

test("page errand: an honest node that has no proof at first, verified with its signers", async () => {
  const { result, steps } = await run({ proof: (honest, question) => (question < 3 ? err("notFound") : ok(honest)) });
  expect(steps).toEqual(["dial", "submit", "finalize", "verify"]);
  expect(result.ok && result.value.signers.map(({ hasSigned }) => hasSigned)).toEqual([true, false, true, true]);
  expect(result.ok && result.value.signedWeight).toBe(30n);
});

test("page errand: a connection lost between submission and proof, dialled anew by the next question", async () => {
  const { steps } = await run({ proof: (honest, question) => (question === 0 ? err("unreachable") : ok(honest)) });
  expect(steps).toEqual(["dial", "submit", "finalize", "verify"]);
});

test("page errand: proofs that prove nothing, refused at the last step", async () => {
  const changed = (honest: Uint8Array, at: number): Answer => {
    const bytes = honest.slice();
    bytes[at] = (bytes[at] as number) ^ 1;
    return ok(bytes);
  };
  for (const share of [0, 0.2, 0.5, 0.8, 0.999]) {
    const { result, steps } = await run({ proof: (honest) => changed(honest, Math.floor(share * honest.length)) });
    expect(result.ok).toBe(false);
    expect(steps).toEqual(["dial", "submit", "finalize"]);
  }
  expect((await run({}, [0, 2])).sentence).toContain("belowQuorum");
  expect((await run({ proof: () => ok(proofOf(sha256(utf8("another")), [0, 2, 3])) })).sentence).toContain(
    "valid, but not about transaction",
  );
});

test("page errand: refusals and silence, told in sentences", async () => {
  expect((await run({ dial: err("unreachable") })).sentence).toStartWith("No WebRTC connection to the node.");
  expect((await run({ taken: () => err({ refused: "insufficientFunds" }) })).sentence).toBe("This account has too little to pay the fee.");
  expect((await run({ taken: () => err({ refused: "newInALaterRelease" }) })).sentence).toContain("(newInALaterRelease)");
  expect((await run({ taken: () => ok(new Uint8Array(32)) })).sentence).toStartWith("The node named another transaction");
});

test("page errand: a network that never makes it final, given up after a minute with what to ask for later", async () => {
  const { sentence, nowMs, steps } = await run({ proof: () => err("notFound") });
  expect(sentence).toMatch(/^The network has not made the transaction final within a minute\. .* ask for [0-9a-f]{64} later\.$/);
  expect(nowMs).toBeLessThan(62_000);
  expect(steps).toEqual(["dial", "submit"]);
});

test("page errand: notes and stream names outside their bounds, told before anything is signed", () => {
  expect(checkNote("s", "x".repeat(4_096)).ok).toBe(true);
  for (const [stream, text] of [
    ["", "x"],
    ["s".repeat(65), "x"],
    ["s", ""],
    ["s", "ä".repeat(2_049)],
  ] as const)
    expect(checkNote(stream, text).ok).toBe(false);
});
