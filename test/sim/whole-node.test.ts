import { expect, test } from "bun:test";
import { present, toHex } from "../../src/kernel/index.ts";
import { makeAlone, runAlone } from "./whole-trace.ts";

/** A busy machine is slow, not wrong. */
const SLOW_MS = 60_000;

test(
  "whole node: stopped before each of its first effects, with and without a power cut, makes everything final once",
  () => {
    let stops = 0;
    for (let at = 0; at < 150; at++) {
      const outcome = runAlone(at, at);
      stops += outcome.starts - 1;
      expect([at, outcome.findings, outcome.finalCount]).toEqual([at, [], outcome.submittedCount]);
    }
    expect(stops).toBeGreaterThan(120);
  },
  SLOW_MS,
);

test(
  "whole node: stopped again before each effect of the start that follows, makes everything final once",
  () => {
    let stops = 0;
    for (const at of [5, 30, 60, 90, 110, 130]) {
      for (let again = 0; again < 12; again++) {
        const outcome = runAlone(at, at, again);
        stops += outcome.starts - 1;
        expect([at, again, outcome.findings, outcome.finalCount]).toEqual([at, again, [], outcome.submittedCount]);
      }
    }
    expect(stops).toBeGreaterThan(100);
  },
  SLOW_MS,
);

test(
  "whole node: what was answered as accepted before a power cut, is known after it",
  () => {
    const seen = new Set<string>();
    for (let atMs = 1; atMs < 40; atMs++) {
      const { cluster, world } = makeAlone(atMs);
      const node = present(cluster.nodes[0], "one box");
      cluster.start();
      cluster.run(500);
      const id = cluster.submit();
      cluster.run(atMs / 2);
      const isAccepted = world.load.accepted.has(toHex(id));
      cluster.crashNode(node, true, Number.POSITIVE_INFINITY);
      expect(world.nodeOf(0).contexts).toBeUndefined();
      cluster.startNode(node);
      const { mempool, blocks } = present(world.nodeOf(0).contexts, "the node runs again");
      const status = blocks.queries.findExecuted(id) ? "final" : mempool.status(id);
      seen.add(`${isAccepted ? "accepted" : "unanswered"}, then ${status}`);
    }
    expect(seen).toContain("accepted, then final");
    expect(seen).toContain("unanswered, then unknown");
    expect(seen).not.toContain("accepted, then unknown");
  },
  SLOW_MS,
);

test(
  "whole node: one seed run twice and in another process, gives the same trace",
  async () => {
    const first = runAlone(7, 90);
    expect(runAlone(7, 90)).toEqual(first);
    const elsewhere = Bun.spawnSync([process.execPath, `${import.meta.dir}/whole-trace.ts`, "7", "90"]);
    expect(JSON.parse(elsewhere.stdout.toString())).toEqual(first);
  },
  SLOW_MS,
);
