import { describe, expect, test } from "bun:test";
import { nobleSuite } from "../../src/crypto/index.ts";
import { runSetup } from "./chaos.ts";
import { watchLightClient } from "./light-client.ts";
import { LIARS } from "./light-client-lies.ts";
import { setupOf } from "./plans.ts";

const SLOW_MS = 120_000;

describe("light client in the simulator", () => {
  test(
    "light client: epochs, traitors and liars, takes what is final and nothing else",
    () => {
      const told = new Map<string, number>();
      let truths = 0;
      for (const plan of ["epochs", "boundaries", "equivocators", "traitors"] as const) {
        for (let seed = 1; seed <= 6; seed++) {
          const setup = setupOf(seed, plan);
          const outcome = runSetup(setup, (cluster) => {
            const { check, tally } = watchLightClient(cluster, seed, cluster.keys.suite);
            cluster.oracle.lightClient = (nodes) => {
              const found = check(nodes);
              truths += tally.truths;
              for (const [name, times] of tally.lies) told.set(name, (told.get(name) ?? 0) + times);
              return found;
            };
          });
          expect([plan, seed, outcome.findings]).toEqual([plan, seed, []]);
        }
      }
      expect(truths).toBeGreaterThan(0);
      expect([...told.keys()].sort()).toEqual(Object.keys(LIARS).sort());
    },
    SLOW_MS,
  );

  test(
    "light client: real signatures checked by portable code alone, the same",
    () => {
      const setup = setupOf(3, "boundaries");
      const real = { ...setup, windowMs: 2_000, cluster: { ...setup.cluster, hasRealSignatures: true, weights: [1n, 1n, 1n, 1n] } };
      const outcome = runSetup(real, (cluster) => {
        cluster.oracle.lightClient = watchLightClient(cluster, 3, nobleSuite).check;
      });
      expect(outcome.findings).toEqual([]);
    },
    SLOW_MS,
  );

  test(
    "light client: receipts of whole nodes, proven as they are and not otherwise",
    () => {
      let bundles = 0;
      for (let seed = 1; seed <= 2; seed++) {
        const setup = setupOf(seed, "calm");
        const whole = {
          ...setup,
          windowMs: 2_000,
          cluster: { ...setup.cluster, fidelity: "whole", weights: [1n, 1n, 1n, 1n], epochBlocks: 4 },
        } as const;
        const outcome = runSetup(whole, (cluster) => {
          const { check, tally } = watchLightClient(cluster, seed, cluster.keys.suite);
          cluster.oracle.lightClient = (nodes) => {
            const found = [...check(nodes), ...check(nodes), ...check(nodes)];
            bundles += tally.bundles;
            return found;
          };
        });
        expect(outcome.findings).toEqual([]);
      }
      expect(bundles).toBeGreaterThan(0);
    },
    SLOW_MS,
  );
});
