import type { FinalizedBlock } from "../../src/consensus/index.ts";
import type { Signer } from "../../src/crypto/index.ts";
import { present, toHex } from "../../src/kernel/index.ts";
import {
  type Block,
  type BlockHeader,
  blockHashOf,
  type Certificate,
  type EpochHop,
  type FinalHeaders,
  VOTE_KIND,
} from "../../src/protocol/index.ts";
import type { Cluster } from "./cluster.ts";
import type { ChainRules } from "./sim-chain.ts";
import type { SimNode } from "./sim-node.ts";

/** Blocks and certificates overheard that are kept, oldest first. */
const OVERHEARD_MAX = 64;

/** What a simulated run really brought forth: liars take it apart, and the check compares with it. */
export class LightClientMaterial {
  readonly rules: ChainRules;
  /** Final blocks from height 1, of the honest box that has most. */
  finals: readonly FinalizedBlock[] = [];
  /** Heights of final blocks by hash. */
  readonly heightOf = new Map<string, number>();
  /** Keys that may be used against the chain. */
  traitors: readonly Signer[] = [];
  /** Blocks that were proposed. */
  readonly proposed: Block[] = [];
  /** Certificates of every kind that travelled. */
  readonly certificates: Certificate[] = [];

  constructor(rules: ChainRules) {
    this.rules = rules;
  }

  /** Overhears a cluster from now on. */
  overhear(cluster: Cluster): void {
    const onDelivery = cluster.onDelivery.bind(cluster);
    cluster.onDelivery = (message) => {
      onDelivery(message);
      if (message.kind === "proposal") keep(this.proposed, message.block);
      if (message.kind === "proposal") for (const each of message.nullifications) keep(this.certificates, each);
      if (message.kind === "certificates") for (const each of message.certificates) keep(this.certificates, each);
    };
  }

  /** Reads what the boxes have by now. */
  refresh(nodes: readonly SimNode[]): void {
    const honest = nodes.filter((node) => !node.tamper);
    this.traitors = nodes.filter((node) => node.tamper).map((node) => node.key);
    for (const { chain } of honest) if (chain.committed.length > this.finals.length) this.finals = [...chain.committed];
    for (let height = this.heightOf.size + 1; height <= this.finals.length; height++)
      this.heightOf.set(toHex(this.at(height).hash), height);
  }

  /** The final block of a height. */
  at(height: number): FinalizedBlock {
    return present(this.finals[height - 1], "a final block of this height");
  }

  /** What proves a final block: the headers from the one its finalization names down to its own. */
  finalHeaders(height: number): FinalHeaders {
    const { finalization } = this.at(height);
    const named = present(
      this.heightOf.get(toHex(finalization.proposal?.blockHash ?? new Uint8Array())),
      "a finalization names a final block",
    );
    const headers: BlockHeader[] = [];
    for (let at = named; at >= height; at--) headers.push(this.at(at).block.header);
    return { headers, finalization };
  }

  /** The steps from one epoch into a later one. */
  hops(from: number, to: number): EpochHop[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, i) => this.#hop(from + i));
  }

  /** Highest epoch of a final block. */
  get lastEpoch(): number {
    return this.finals.at(-1)?.block.header.epoch ?? 0;
  }

  /** Whether a header is that of a final block. */
  isFinal(header: BlockHeader): boolean {
    return this.heightOf.get(toHex(blockHashOf(header))) === header.height;
  }

  /** A certificate that travelled, of a kind, for a view of an epoch. */
  overheard(kind: keyof typeof VOTE_KIND, epoch: number): Certificate | undefined {
    return this.certificates.find((each) => each.kind === VOTE_KIND[kind] && each.epoch === epoch);
  }

  #hop(epoch: number): EpochHop {
    const boundary = this.finals.findIndex(({ block }) => block.header.epoch === epoch && block.header.nextValidatorSetHash !== undefined);
    return { ...this.finalHeaders(boundary + 1), nextSet: this.rules.setOf(epoch + 1) };
  }
}

function keep<T>(kept: T[], item: T): void {
  if (kept.includes(item)) return;
  kept.push(item);
  if (kept.length > OVERHEARD_MAX) kept.shift();
}
