import { readFileSync } from "node:fs";
import { localSigner, parsePkcs8Pem, type SignatureClaim, type Signer, verifyEd25519Many } from "../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../src/kernel/index.ts";
import { decodeTransaction, signTransaction, transactionAad, transactionSignBytes } from "../../src/protocol/index.ts";
import type { NodeNetwork } from "../e2e/support/node-network.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import { rateOfAsync } from "./harness.ts";

const SENDERS = 64;
const FEE = 1_000n;
const FUNDING = 10n ** 12n;
/** Blocks that no benchmark outlives. */
const VALID_UNTIL = 400_000n;

/** A signed transaction, ready to be handed in. */
export type SignedTransfer = { readonly encoded: Uint8Array; readonly id: string; readonly sender: number };

/** What a crowd needs of a network. */
export type CrowdNetwork = Pick<NodeNetwork, "net" | "nodes">;

/** Many funded senders on a network, so that nonces do not order everything behind one account. */
export type Crowd<N extends CrowdNetwork = NodeNetwork> = {
  readonly network: N;
  readonly aad: Uint8Array;
  /** Signs transfers from every sender in turn, nonces in order. */
  readonly sign: (count: number) => SignedTransfer[];
};

/** Funds the senders from a demo account and waits until every node has seen it. */
export async function makeCrowd<N extends CrowdNetwork>(network: N): Promise<Crowd<N>> {
  const { net, nodes } = network;
  const seed = parsePkcs8Pem(readFileSync(net.accounts["alice"] ?? "", "utf8"));
  const [first] = nodes;
  if (!seed.ok || !first) throw new Error("a demo network has an account with a key, and its first node runs");
  const aad = transactionAad(net.hash);
  const rich = localSigner(seed.value);
  const signers = Array.from({ length: SENDERS }, (_, i) => localSigner(new Uint8Array(32).fill(i + 1)));
  const transfer = (from: Signer, sender: number, nonce: bigint, to: Uint8Array, amount: bigint): SignedTransfer => {
    const body = { type: 1, to, amount } as const;
    const encoded = signTransaction(from, aad, { sender: from.publicKey, nonce, fee: FEE, validUntil: VALID_UNTIL, body });
    return { encoded, id: idOf(aad, encoded), sender };
  };
  const funding = signers.map((signer, i) => transfer(rich, -1, BigInt(i), signer.publicKey, FUNDING));
  await submitAll(first, [funding.map(({ encoded }) => encoded)]);
  for (const node of nodes) await untilFinal(node, funding.at(-1)?.id ?? "");
  let signed = 0;
  const sign = (count: number): SignedTransfer[] =>
    Array.from({ length: count }, () => {
      const at = signed++;
      const from = signers[at % SENDERS] ?? rich;
      const to = signers[(at + 1 + (at % 7)) % SENDERS] ?? rich;
      return transfer(from, at % SENDERS, BigInt(Math.floor(at / SENDERS)), to.publicKey, 1n);
    });
  return { network, aad, sign };
}

function idOf(aad: Uint8Array, encoded: Uint8Array): string {
  const decoded = decodeTransaction(aad, encoded);
  if (!decoded.ok) throw new Error("a transaction we signed decodes");
  return toHex(decoded.value.id);
}

/** Submits what each node's own senders signed, at all nodes at once; a sender stays with one node, as a device does. */
export async function submitEverywhere({ network }: Crowd, signed: readonly SignedTransfer[], perRequest: number): Promise<void> {
  await Promise.all(
    network.nodes.map(async (node, index) => {
      const own = signed.filter(({ sender }) => sender % network.nodes.length === index).map(({ encoded }) => encoded);
      const groups: Uint8Array[][] = [];
      for (let i = 0; i < own.length; i += perRequest) groups.push(own.slice(i, i + perRequest));
      if (node) await submitAll(node, groups);
    }),
  );
}

/** Submits groups one after another; hands in again what a full pool refuses, or what came before its turn. */
export async function submitAll(node: NodeProcess, groups: readonly (readonly Uint8Array[])[]): Promise<void> {
  for (const group of groups) {
    for (;;) {
      const { status, json } = await node.submit(Buffer.from(concatBytes(...group)), "application/cbor-seq");
      const outcomes = json["transactions"] as { status: string; code?: string }[] | undefined;
      const refused = outcomes?.find((outcome) => outcome.status === "rejected" && outcome.code !== "duplicate");
      if (outcomes && !refused) break;
      const code = refused?.code ?? json["code"];
      if (code !== "mempoolFull" && code !== "quotaExceeded" && code !== "nonceTooHigh" && code !== "syncing" && code !== "duplicate")
        throw new Error(`refused: ${status} ${JSON.stringify(refused ?? json)}`);
      if (code === "duplicate") break;
      await Bun.sleep(20);
    }
  }
}

/** Resolves when a node tells that a transaction is final; one that it has not heard of yet is waited for. */
export async function untilFinal(node: NodeProcess | undefined, id: string, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const status = (await node?.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=30000`))?.["status"];
    if (status === "final") return;
    if ((status !== "accepted" && status !== "unknown") || performance.now() > deadline)
      throw new Error(`a submitted transaction is ${String(status)}`);
    if (status === "unknown") await Bun.sleep(5);
  }
}

/** Claims of signatures on transactions like those submitted. */
export function claimsOf(crowd: Crowd, count: number): SignatureClaim[] {
  const seed = localSigner(new Uint8Array(32).fill(99));
  return Array.from({ length: count }, (_, i) => {
    const body = { type: 1, to: seed.publicKey, amount: 1n } as const;
    const transaction = { sender: seed.publicKey, nonce: BigInt(i), fee: FEE, validUntil: VALID_UNTIL, body };
    const decoded = decodeTransaction(crowd.aad, signTransaction(seed, crowd.aad, transaction));
    if (!decoded.ok) throw new Error("a transaction we signed decodes");
    const { sender, payload, signature } = decoded.value;
    return { key: sender, message: transactionSignBytes(crowd.aad, payload), signature };
  });
}

/** Native verifications a second over all cores, of transactions like those submitted. */
export async function verificationsPerSecond(crowd: Crowd): Promise<number> {
  const samples = claimsOf(crowd, 2_048);
  return await rateOfAsync(samples.length, () => verifyEd25519Many(samples));
}
