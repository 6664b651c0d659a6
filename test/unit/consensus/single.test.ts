import { expect, test } from "bun:test";
import { cloneCore, inspectCore, step } from "../../../src/consensus/index.ts";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import { Rig } from "../../rules/rig.ts";
import { Cluster } from "../../sim/cluster.ts";

test("consensus: a single validator holding a batch, finalizes it with two journal syncs and one commit", () => {
  const cluster = new Cluster({ seed: 1, weights: [1n] });
  cluster.start();
  const [node] = cluster.nodes;
  const before = node?.disk.syncCount ?? 0;
  const digest = cluster.submit([0]);
  expect(node?.chain.committed.length).toBe(1);
  expect(node?.chain.isExecuted(digest)).toBe(true);
  expect((node?.disk.syncCount ?? 0) - before).toBe(2);
});

test("consensus: an idle single validator, casts no vote until the heartbeat", () => {
  const cluster = new Cluster({ seed: 2, weights: [1n] });
  cluster.start();
  cluster.run(59_000);
  expect(cluster.nodes[0]?.chain.committed.length).toBe(0);
  cluster.run(2_000);
  expect(cluster.nodes[0]?.chain.committed.length).toBe(1);
});

test("consensus: four validators under load, finalize the same blocks on all", () => {
  const cluster = new Cluster({ seed: 3, weights: [1n, 1n, 1n, 1n] });
  cluster.start();
  const submitted: Uint8Array[] = [];
  for (let i = 0; i < 20; i++) {
    cluster.schedule.after(i * 100, () => {
      const digest = cluster.submit();
      submitted.push(digest);
      cluster.spread(digest, 20);
    });
  }
  const isDone = cluster.run(
    120_000,
    () => submitted.length === 20 && cluster.nodes.every(({ chain }) => submitted.every((d) => chain.isExecuted(d))),
  );
  expect(cluster.oracle.findings).toEqual([]);
  expect(isDone).toBe(true);
});

test("consensus: a cloned core, lives on its own", () => {
  const rig = new Rig();
  const copy = cloneCore(rig.core);
  rig.show(rig.nullification(1));
  expect([inspectCore(rig.core).view, inspectCore(copy).view]).toEqual([2, 1]);
  const vote = rig.makeVote(2, VOTE_KIND.nullify, 1);
  step(copy, { kind: "message", from: rig.peer(2), message: { kind: "vote", vote } }, { monotonicMs: rig.nowMs, wallMs: rig.wallMs });
  expect(copy.epoch.views.get(1)?.votes.size).toBe(1);
});
