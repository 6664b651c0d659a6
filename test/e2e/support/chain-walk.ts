/** Reads the chain of a node block by block and checks by hand what it says of itself. */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Cbor, cbor } from "./independent-client.ts";
import type { NodeProcess } from "./node-process.ts";

type Header = {
  readonly version: number;
  readonly chainId: string;
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly parentHash: string;
  readonly leader: number;
  readonly time: string;
  readonly batchRoot: string;
  readonly stateRoot: string;
  readonly receiptRoot: string;
  readonly validatorSetHash: string;
  readonly nextValidatorSetHash?: string;
  readonly parentBitmap: string;
  readonly evidenceRoot?: string;
};

type Proposal = { readonly epoch: number; readonly view: number; readonly parentView: number; readonly blockHash: string };

type Finalization = {
  readonly kind: string;
  readonly epoch: number;
  readonly view: number;
  readonly proposal: Proposal;
  readonly bitmap: string;
  readonly signatures: readonly string[];
};

/** A final block as the interface tells it. */
export type Block = {
  readonly hash: string;
  readonly height: number;
  readonly header: Header;
  readonly batches: readonly { readonly transactionCount: number }[];
  readonly transactionCount: number;
  readonly finalization: Finalization;
};

const hex = (text: string): Buffer => Buffer.from(text, "hex");

/** SHA-256("bizra/block/1" | header), the header being a map with the keys of docs/proof.cddl. */
function blockHash(header: Header): string {
  const fields: [number, Cbor][] = [
    [1, header.version],
    [2, hex(header.chainId)],
    [3, header.height],
    [4, header.epoch],
    [5, header.view],
    [6, hex(header.parentHash)],
    [7, header.leader],
    [8, Date.parse(header.time)],
    [9, hex(header.batchRoot)],
    [10, hex(header.stateRoot)],
    [11, hex(header.receiptRoot)],
    [12, hex(header.validatorSetHash)],
  ];
  if (header.nextValidatorSetHash !== undefined) fields.push([13, hex(header.nextValidatorSetHash)]);
  fields.push([14, hex(header.parentBitmap)]);
  if (header.evidenceRoot !== undefined) fields.push([15, hex(header.evidenceRoot)]);
  return createHash("sha256")
    .update("bizra/block/1")
    .update(cbor(new Map(fields)))
    .digest("hex");
}

/**
 * Whether a finalization is signed by a quorum (docs/proof.cddl: vote).
 *
 * @param validators keys of a set of equal weights, in hex
 */
function isFinalizedBy(finalization: Finalization, chainId: string, validators: readonly string[]): boolean {
  const { epoch, view, proposal, bitmap, signatures } = finalization;
  const encoded = cbor([proposal.epoch, proposal.view, proposal.parentView, hex(proposal.blockHash)]);
  const round = Buffer.alloc(17);
  round.writeBigUInt64BE(BigInt(epoch), 0);
  round.writeBigUInt64BE(BigInt(view), 8);
  round[16] = 3;
  const vote = Buffer.concat([Buffer.from("bizra/vote/1"), hex(chainId), round, createHash("sha256").update(encoded).digest()]);
  const signers = validators.toSorted().filter((_, at) => ((hex(bitmap)[at >> 3] ?? 0) >> (at & 7)) % 2 === 1);
  const quorum = validators.length - Math.floor((validators.length - 1) / 3);
  if (signers.length < quorum || signatures.length !== signers.length) return false;
  return signers.every((key, at) => verify(null, vote, publicKey(key), hex(signatures[at] ?? "")));
}

function publicKey(key: string): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: hex(key).toString("base64url") }, format: "jwk" });
}

/** Every block from 1 to the tip. */
export async function readBlocks(node: NodeProcess): Promise<Block[]> {
  const tip = Number((await node.get("/api/v2/status"))["height"]);
  const blocks: Block[] = [];
  while (blocks.length < tip) {
    const page = await node.get(`/api/v2/blocks?from=${blocks.length + 1}&limit=100`);
    const list = page["blocks"] as Block[];
    if (list.length === 0) throw new Error(`no blocks from height ${blocks.length + 1} of ${tip}`);
    blocks.push(...list);
  }
  return blocks.slice(0, tip);
}

/** What is wrong with a chain of these validators, who never change and weigh the same, in sentences; empty when nothing is. */
export function findChainFaults(blocks: readonly Block[], genesisHash: string, validators: readonly string[]): string[] {
  const faults: string[] = [];
  let parent = genesisHash;
  let timeMs = 0;
  for (const [at, block] of blocks.entries()) {
    const { header, hash } = block;
    if (block.height !== at + 1 || header.height !== at + 1) faults.push(`block ${at + 1} says height ${header.height}`);
    if (header.chainId !== genesisHash) faults.push(`block ${at + 1} belongs to chain ${header.chainId}`);
    if (header.parentHash !== parent) faults.push(`block ${at + 1} does not follow its parent`);
    if (Date.parse(header.time) <= timeMs) faults.push(`block ${at + 1} is not later than its parent`);
    if (blockHash(header) !== hash) faults.push(`block ${at + 1} does not hash to ${hash}`);
    if (!isFinalizedBy(block.finalization, genesisHash, validators)) faults.push(`block ${at + 1} has no valid finalization`);
    if (block.finalization.proposal.blockHash !== hash && at === blocks.length - 1) faults.push("the tip is finalized by another block");
    parent = hash;
    timeMs = Date.parse(header.time);
  }
  return faults;
}
