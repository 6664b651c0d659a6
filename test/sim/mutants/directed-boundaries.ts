import { present } from "../../../src/kernel/index.ts";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import { concludeLive, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

/**
 * Epochs of two blocks under a network that loses FINALIZE votes of some boundary views to all but one box, so that one
 * box may hold a boundary block final while others still look for a way around it.
 */
export function openBoundaries(seed: number): TrialOutcome {
  const weights = present(
    [
      [1n, 1n, 1n, 1n],
      [1n, 1n, 1n, 1n, 1n],
    ][seed % 2],
    "some weights",
  );
  const cluster = makeCluster({ seed, weights, epochBlocks: 2 + (seed % 2), delayMs: [0.2, 2 + (seed % 7) * 6] });
  cluster.start();
  keepBusy(cluster, 10_000, 200);
  const salt = cluster.prng.uint32();
  setFilter(cluster, (from, to, message) => {
    if (message.kind !== "vote" && message.kind !== "certificates") return true;
    const view = message.kind === "vote" ? message.vote.view : (message.certificates[0]?.view ?? 0);
    const epoch = message.kind === "vote" ? message.vote.epoch : (message.certificates[0]?.epoch ?? 0);
    const luck = (Math.imul(view * 31 + epoch * 17 + to * 7 + salt, 0x9e3779b1) >>> 16) % 100;
    if (message.kind === "vote" && message.vote.kind === VOTE_KIND.finalize) return luck < 55;
    if (message.kind === "vote") return luck < 85;
    return luck < 60 || from === to;
  });
  runFor(cluster, 10_000);
  setFilter(cluster, () => true);
  return concludeLive(cluster);
}
