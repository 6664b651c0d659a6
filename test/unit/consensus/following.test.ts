import { expect, test } from "bun:test";
import { present } from "../../../src/kernel/index.ts";
import { Cluster } from "../../sim/cluster.ts";

test("consensus: a box in no set, follows the chain and casts no vote", () => {
  const cluster = new Cluster({ seed: 21, weights: [1n, 1n, 1n, 1n], observerCount: 1, epochBlocks: 6 });
  cluster.start();
  for (let i = 0; i < 20; i++) cluster.schedule.after(i * 100, () => cluster.spread(cluster.submit([0]), 20));
  const observer = present(cluster.nodes[4], "a fifth node");
  cluster.run(10_000, () => observer.chain.committed.length >= 20);
  expect(cluster.oracle.findings).toEqual([]);
  expect(observer.chain.committed.length).toBeGreaterThanOrEqual(20);
  expect(observer.status()?.voting).toBe("following");
  expect(observer.votesSent.size).toBe(0);
}, 120_000);

test("consensus: a box in no set whose only peer is another such, follows the chain under load", () => {
  const cluster = new Cluster({ seed: 24, weights: [1n, 1n, 1n, 1n], observerCount: 2, epochBlocks: 10 });
  cluster.isLinkUp = (from, to) => (from !== 5 && to !== 5) || from === 4 || to === 4;
  cluster.start();
  for (let i = 0; i < 100; i++) cluster.schedule.after(i * 100, () => cluster.spread(cluster.submit([0]), 20));
  cluster.run(8_000);
  const [first, last] = [4, 5].map((index) => present(cluster.nodes[index], "two more nodes").chain.committed.length);
  const highest = Math.max(...cluster.nodes.map((node) => node.chain.committed.length));
  expect(cluster.oracle.findings).toEqual([]);
  expect(highest).toBeGreaterThan(30);
  expect(first).toBeGreaterThan(highest - 10);
  expect(last).toBeGreaterThan(highest - 20);
}, 120_000);

test("consensus: a box that was off for many epochs, catches up from final blocks and votes again", () => {
  const cluster = new Cluster({ seed: 22, weights: [1n, 1n, 1n, 1n, 1n], epochBlocks: 6 });
  cluster.start();
  cluster.run(100);
  const sleeper = present(cluster.nodes[4], "a fifth node");
  cluster.crashNode(sleeper, true, 8_000);
  for (let i = 0; i < 120; i++) cluster.schedule.after(i * 100, () => cluster.spread(cluster.submit([0]), 20));
  cluster.run(7_500);
  const behind = Math.max(...cluster.nodes.map((node) => node.chain.committed.length));
  expect(behind).toBeGreaterThan(40);
  const isBack = cluster.run(2_000, () => sleeper.chain.committed.length > behind);
  expect([isBack, cluster.oracle.findings]).toEqual([true, []]);
  const votesBefore = sleeper.votesSent.size;
  cluster.run(1_000);
  expect(sleeper.votesSent.size).toBeGreaterThan(votesBefore);
}, 120_000);

test("consensus: with F boxes silent, blocks come at nearly the pace of all, once their leaders are skipped", () => {
  const blocksIn = (silent: number): number => {
    const cluster = new Cluster({ seed: 23, weights: [1n, 1n, 1n, 1n, 1n, 1n, 1n] });
    for (const node of cluster.nodes.slice(0, 7 - silent)) cluster.startNode(node);
    for (let i = 0; i < 170; i++) cluster.schedule.after(i * 100, () => cluster.spread(cluster.submit([0]), 20));
    cluster.run(12_000);
    const before = cluster.lowestHeight;
    cluster.run(5_000);
    expect(cluster.oracle.findings).toEqual([]);
    return cluster.lowestHeight - before;
  };
  const [all, fewer] = [blocksIn(0), blocksIn(2)];
  expect(all).toBeGreaterThan(45);
  expect(fewer).toBeGreaterThan(all / 2);
}, 120_000);
