import type { Message } from "../../../src/consensus/index.ts";
import { assert } from "../../../src/kernel/index.ts";
import { Cluster, type ClusterOptions } from "../cluster.ts";
import { ModelNode } from "../model-node.ts";
import type { SimNode } from "../sim-node.ts";

/** Which messages get through, by box numbers and content. */
export type MessageFilter = (from: number, to: number, message: Message) => boolean;

/** What a trial found: findings begin with the property that broke. */
export type TrialOutcome = { readonly findings: readonly string[] };

/** A network for directed faults. */
export function makeCluster(options: ClusterOptions): Cluster {
  return new Cluster(options);
}

/** Lets through only what passes the filter. */
export function setFilter(cluster: Cluster, filter: MessageFilter): void {
  cluster.isLinkUp = filter;
}

/** Runs on for a while; a box that stops itself is finding X, not the end of the trial. */
export function runFor(cluster: Cluster, forMs: number, isDone: () => boolean = () => false): boolean {
  return cluster.run(forMs, isDone);
}

/** Gives every box new work now and then. */
export function keepBusy(cluster: Cluster, forMs: number, everyMs = 300): void {
  for (let at = 0; at < forMs; at += everyMs) cluster.schedule.after(at, () => cluster.spread(cluster.submit(), 100));
}

/** What the oracle found, and `L` when the chain of every honest box that is up does not grow by three blocks within the bound. */
export function concludeLive(cluster: Cluster, boundMs = 60_000, isJudged: (node: SimNode) => boolean = () => true): TrialOutcome {
  const judged = honest(cluster).filter(isJudged);
  const goal = Math.max(...judged.map((node) => node.chain.committed.length)) + 3;
  keepBusy(cluster, boundMs);
  const hasGrown = (): boolean => judged.every((node) => node.isUp && node.chain.committed.length >= goal);
  runFor(cluster, boundMs, hasGrown);
  const findings = [...cluster.oracle.findings];
  if (findings.length === 0 && !hasGrown()) findings.push(`L: the chain does not grow within ${boundMs} ms of peace`);
  return { findings };
}

/** Highest view of an epoch in which a NOTARIZE or NULLIFY left a box, in any life; 0 when none. */
export function highestVotedView(node: SimNode, epoch = 0): number {
  const votes = [...node.votesSent].map((key) => key.split(":").map(Number));
  return Math.max(0, ...votes.map(([kind, of, view]) => (kind !== 3 && of === epoch ? (view ?? 0) : 0)));
}

/** Changes what a box takes for work (R1); `usual` is what it is without. */
export function bendWork(node: SimNode, hasWork: (usual: () => boolean) => boolean): void {
  assert(node.insides instanceof ModelNode, "work is bent in boxes with a cheap chain");
  const { chain } = node.insides;
  const usual = chain.hasWork.bind(chain);
  chain.hasWork = () => hasWork(usual);
}

/** Boxes that are no traitors. */
export function honest(cluster: Cluster): SimNode[] {
  return cluster.nodes.filter((node) => !node.tamper);
}
