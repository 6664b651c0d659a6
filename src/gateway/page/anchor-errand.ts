import type { Signer } from "../../crypto/portable.ts";
import { anchorBody, type ProofAnchor, pause, type SignedTransaction, signBody } from "../../device/index.ts";
import { assert, bytesEqual, type Clock, err, ok, type Result, type Timers, toHex, utf8 } from "../../kernel/index.ts";
import { type Asker, encodeProofRequest, OUTSIDE_PROTOCOLS } from "../../network/portable.ts";
import { LIMITS } from "../../protocol/index.ts";
import { type VerifiedReceipt, verifyReceipt } from "./chain.ts";
import { sentenceOf } from "./sentences.ts";

/** The steps of an errand in their order. */
export const STEPS = ["dial", "submit", "finalize", "verify"] as const;
/** One of them. */
export type Step = (typeof STEPS)[number];

/** What is to be anchored, by whom, and on which terms. */
export type AnchorOrder = {
  readonly signer: Signer;
  readonly nonce: bigint;
  readonly fee: bigint;
  readonly validUntil: bigint;
  readonly stream: string;
  readonly text: string;
};

/** What an errand needs from outside. */
export type ErrandPorts = {
  readonly node: Pick<Asker, "connect" | "ask">;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told when a step has been done, with what it showed and the milliseconds that it took. */
  readonly onDone: (step: Step, detail: string, tookMs: number) => void;
};

/** How often and how long the proof is asked for: well within a node's budget of 10 questions a second. */
const ASK_EVERY_MS = 400;
const PATIENCE_MS = 60_000;

/** Whether a note fits an anchor; else a sentence. */
export function checkNote(stream: string, text: string): Result<true, string> {
  const streamBytes = utf8(stream).length;
  const textBytes = utf8(text).length;
  if (streamBytes < 1 || streamBytes > LIMITS.streamBytesMax)
    return err(`Name a stream of 1 to ${LIMITS.streamBytesMax} bytes; this one has ${streamBytes}.`);
  if (textBytes < 1 || textBytes > LIMITS.anchorBytesMax)
    return err(`Write a note of 1 to ${LIMITS.anchorBytesMax} bytes; this one has ${textBytes}.`);
  return ok(true);
}

/**
 * Signs an anchor, submits it over WebRTC, asks for its proof until there is one, and verifies that from the genesis set.
 * The node is believed nothing: an id that is not the signed bytes' own, or a proof of something else, is an error.
 *
 * Errors: a sentence for the visitor.
 */
export async function runErrand(chain: ProofAnchor, order: AnchorOrder, ports: ErrandPorts): Promise<Result<VerifiedReceipt, string>> {
  const { node, clock, onDone } = ports;
  let sinceMs = clock.monotonicMs();
  const done = (step: Step, detail: string): void => {
    const nowMs = clock.monotonicMs();
    onDone(step, detail, nowMs - sinceMs);
    sinceMs = nowMs;
  };
  const { encoded, id } = sign(chain, order);
  const dialled = await node.connect();
  if (!dialled.ok) return err(sentenceOf(dialled.error));
  done("dial", "webrtc-direct, encrypted and authenticated by Noise");
  const taken = await node.ask(OUTSIDE_PROTOCOLS.submit, encoded);
  if (!taken.ok) return err(sentenceOf(taken.error));
  if (!bytesEqual(taken.value, id)) return err(`The node named another transaction than the one that was sent (${toHex(taken.value)}).`);
  done("submit", `accepted: ${encoded.length} bytes are on the node's disk`);
  const proof = await awaitProof(id, ports);
  if (!proof.ok) return proof;
  done("finalize", `a proof of ${proof.value.length} bytes came over WebRTC`);
  const verified = verifyReceipt(chain, id, proof.value);
  if (verified.ok) done("verify", "checked in this page from the genesis document alone");
  return verified;
}

function sign({ genesis }: ProofAnchor, { signer, stream, text, ...terms }: AnchorOrder): SignedTransaction {
  assert(checkNote(stream, text).ok, "a note was checked before it is signed");
  return signBody(signer, genesis.hash, terms, anchorBody(stream, text));
}

/** Asks until the node has a proof. Losing the connection on the way is no end: the next question dials anew. */
async function awaitProof(id: Uint8Array, { node, clock, timers }: ErrandPorts): Promise<Result<Uint8Array, string>> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const proof = await node.ask(OUTSIDE_PROTOCOLS.proof, encodeProofRequest(id));
    if (proof.ok) return proof;
    if (proof.error === "malformed" || clock.monotonicMs() > untilMs) {
      const why = proof.error === "notFound" ? "The network has not made the transaction final within a minute." : sentenceOf(proof.error);
      return err(`${why} The node has it on disk; ask for ${toHex(id)} later.`);
    }
    await pause(timers, ASK_EVERY_MS);
  }
}
