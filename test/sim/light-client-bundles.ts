import { type Prng, present } from "../../src/kernel/index.ts";
import {
  decodeProofBundle,
  encodeProofBundle,
  encodeReceipt,
  type LightClient,
  type ProofBundle,
  type ProofContent,
  type Receipt,
} from "../../src/protocol/index.ts";
import type { Cluster } from "./cluster.ts";
import { WholeWorld } from "./whole-world.ts";

type ReceiptContent = Extract<ProofContent, { kind: "receipt" }>;

/** Transactions of a run of whole nodes, by id, as they are handed in. */
export class SubmittedTransactions {
  readonly #ids: Uint8Array[] = [];
  readonly #world: WholeWorld | undefined;

  /** Notes what is submitted to a cluster from now on. */
  constructor({ world }: Cluster) {
    this.#world = world instanceof WholeWorld ? world : undefined;
    const submit = world.submit.bind(world);
    world.submit = (to) => {
      const id = submit(to);
      this.#ids.push(id);
      return id;
    };
  }

  /** A proof of some executed transaction as a running honest box gives it; undefined when there is none to be had. */
  proofOfOne(cluster: Cluster, prng: Prng): ProofBundle | undefined {
    const answering = cluster.nodes.findIndex((node) => node.isUp && !node.tamper);
    const contexts = answering < 0 ? undefined : this.#world?.nodeOf(answering).contexts;
    const id = this.#ids[prng.below(Math.max(1, this.#ids.length))];
    return id && contexts?.blocks.buildReceiptProof(id);
  }
}

/** Lies about what a final block holds, told with a bundle that is true but for that. */
const CONTENT_LIES: Readonly<Record<string, (content: ReceiptContent, other: ReceiptContent, prng: Prng) => ReceiptContent>> = {
  otherReceipt: ({ path }, other) => ({ kind: "receipt", receipt: other.receipt, path }),
  otherPath: ({ receipt }, other) => ({ kind: "receipt", receipt, path: other.path }),
  otherFee: (content) => changed(content, { fee: content.receipt.fee + 1n }),
  otherPlace: (content) => changed(content, { index: content.receipt.index + 1 }),
  otherTransaction: (content, _other, prng) => changed(content, { transactionId: prng.bytes(32) }),
  longerPath: (content, _other, prng) => ({ ...content, path: [...content.path, prng.bytes(32)] }),
};

/**
 * Puts a client to the test with one proof of a receipt: as it is, with every lie about its content, with bytes behind it
 * and with single bits flipped. Gives what is wrong.
 */
export function questionBundle(client: LightClient, truth: ProofBundle, other: ProofBundle, nowMs: number, prng: Prng): string[] {
  if (truth.content.kind !== "receipt" || other.content.kind !== "receipt") return [];
  const encoded = encodeProofBundle(truth);
  const found: string[] = [];
  const told = encodeReceipt(truth.content.receipt);
  const accepts = (bytes: Uint8Array): Receipt | undefined => {
    const answer = client.accept(bytes, nowMs);
    return answer.ok && answer.value.kind === "receipt" ? answer.value.receipt : undefined;
  };
  const judge = (name: string, bytes: Uint8Array, isTruthTo: (receipt: Receipt) => boolean): void => {
    const receipt = accepts(bytes);
    if (receipt && !isTruthTo(receipt)) found.push(`a light client accepts a receipt by ${name}`);
  };
  const isTold = (receipt: Receipt): boolean => Buffer.compare(encodeReceipt(receipt), told) === 0;
  for (const [name, lie] of Object.entries(CONTENT_LIES)) {
    judge(name, encodeProofBundle({ ...truth, content: lie(truth.content, other.content, prng) }), isTold);
  }
  judge("trailing bytes", Buffer.concat([encoded, Uint8Array.of(0)]), () => false);
  for (let i = 0; i < 8; i++) {
    const bit = prng.below(8 * encoded.length);
    const flipped = encoded.slice();
    flipped[bit >> 3] = present(flipped[bit >> 3], "within the bytes") ^ (1 << (bit & 7));
    judge("a flipped bit", flipped, isTold); // it may lie in a hop that the client no longer needs
  }
  const receipt = accepts(encoded);
  if (!receipt || !isTold(receipt)) found.push("a light client refuses the proof of an executed transaction");
  if (!decodeProofBundle(encoded).ok) found.push("a proof does not survive its encoding");
  return found;
}

function changed(content: ReceiptContent, change: Partial<Receipt>): ReceiptContent {
  return { ...content, receipt: { ...content.receipt, ...change } };
}
