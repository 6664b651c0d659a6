import type { CryptoSuite } from "../../src/crypto/index.ts";
import { bytesEqual, Prng } from "../../src/kernel/index.ts";
import { LightClient, type LightClientFault, VOTE_KIND } from "../../src/protocol/index.ts";
import type { Cluster } from "./cluster.ts";
import { questionBundle, SubmittedTransactions } from "./light-client-bundles.ts";
import { type Answer, LIARS } from "./light-client-lies.ts";
import { LightClientMaterial } from "./light-client-material.ts";
import type { LightClientCheck } from "./oracle.ts";

/** Blocks that are asked for at each look. */
const QUESTIONS = 1;
const UNBONDING_MS = 7 * 86_400_000;

/** How S15 was put to the test so far. */
export type LightClientTally = {
  /** True answers, all of which must be accepted. */
  truths: number;
  /** Lies told, by kind. */
  readonly lies: Map<string, number>;
  /** Refusals of lies, by code. */
  readonly refusals: Map<string, number>;
  /** Proofs of receipts that were asked for, in runs of whole nodes. */
  bundles: number;
};

/**
 * S15: light clients that trust genesis ask about final blocks of a run, now of someone who tells the truth, now of every
 * kind of liar. What they accept must be final, what is final they must accept, and each set they come to trust must be
 * its epoch's. One of them lives as long as the run, so that lies may build on what it learned.
 *
 * @param suite by which the clients verify; that of the run's keys
 */
export function watchLightClient(
  cluster: Cluster,
  seed: number,
  suite: CryptoSuite,
): { readonly check: LightClientCheck; readonly tally: LightClientTally } {
  const material = new LightClientMaterial(cluster.rules);
  const prng = new Prng(seed + 0x11c);
  const tally: LightClientTally = { truths: 0, lies: new Map(), refusals: new Map(), bundles: 0 };
  material.overhear(cluster);
  const submitted = new SubmittedTransactions(cluster);
  const { chainId, genesisTimeMs, setOf } = cluster.rules;
  const fresh = (): LightClient => {
    const started = LightClient.start(suite, { chainId, epoch: 0, setHash: setOf(0).hash, sinceMs: genesisTimeMs }, setOf(0), UNBONDING_MS);
    if (!started.ok) throw new Error(`a client starts from genesis: ${started.error}`);
    return started.value;
  };
  const lasting = fresh();
  const check: LightClientCheck = (nodes) => {
    material.refresh(nodes);
    const found: string[] = [];
    for (let i = 0; i < QUESTIONS && material.finals.length > 0; i++) {
      const height = 1 + prng.below(material.finals.length);
      const client = prng.chance(0.5) ? lasting : fresh();
      found.push(...question(client, height), ...questionOfReceipt(client));
    }
    return found;
  };
  const questionOfReceipt = (client: LightClient): string[] => {
    const [truth, other] = [submitted.proofOfOne(cluster, prng), submitted.proofOfOne(cluster, prng)];
    if (!truth || !other) return [];
    tally.bundles++;
    return questionBundle(client, truth, other, genesisTimeMs + cluster.schedule.nowMs + 1_000, prng);
  };
  const question = (client: LightClient, height: number): string[] => {
    const nowMs = genesisTimeMs + cluster.schedule.nowMs + 1_000;
    const { epoch } = material.at(height).block.header;
    // From any epoch that it trusts already, or from genesis.
    const from = Math.min(epoch, prng.chance(0.5) ? client.anchor.epoch : 0);
    const truth: Answer = { hops: material.hops(from, epoch), final: material.finalHeaders(height) };
    const found: string[] = [];
    for (const [name, liar] of Object.entries(LIARS)) {
      const lie = liar(truth, material, prng);
      if (!lie) continue;
      count(tally.lies, name);
      const follower = fresh();
      if (lie.hops.length > 0) follower.follow(lie.hops, nowMs);
      if (!bytesEqual(follower.anchor.setHash, setOf(follower.anchor.epoch).hash))
        found.push(`a light client follows to a false set by ${name}`);
      const answer = client.acceptHeaders(lie.hops, lie.final, nowMs);
      if (!answer.ok) count(tally.refusals, (answer.error satisfies LightClientFault).code);
      else if (lie.final.finalization.kind !== VOTE_KIND.finalize)
        found.push(`a light client takes another certificate for a finalization by ${name}`);
      else if (!material.isFinal(answer.value))
        found.push(`a light client takes a block of height ${answer.value.height} for final by ${name}`);
      if (!bytesEqual(client.anchor.setHash, setOf(client.anchor.epoch).hash)) found.push(`a light client trusts a false set by ${name}`);
    }
    tally.truths++;
    const answer = client.acceptHeaders(truth.hops, truth.final, nowMs);
    if (!answer.ok) found.push(`a light client refuses the final block of height ${height}: ${answer.error.code}, ${answer.error.detail}`);
    else if (!material.isFinal(answer.value)) found.push(`a light client takes another block than asked for at height ${height}`);
    return found;
  };
  return { check, tally };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
