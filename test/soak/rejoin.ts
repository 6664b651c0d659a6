import { Chance, seedOf } from "../e2e/support/chance.ts";
import { NetworkLoad } from "../e2e/support/network-trial.ts";
import { highestOf, leadsAgain, until } from "../e2e/support/network-watch.ts";
import { NodeNetwork } from "../e2e/support/node-network.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import type { Soak } from "./soak.ts";

/** The validator that is away for longer than the others keep blocks. */
const AWAY = 2;
const LIMIT_MS = 600_000;
const WORDS = ["--storage-keep-blocks", "256", "--storage-checkpoint-blocks", "40", "--storage-snapshot-blocks", "100"];

type BlockView = { readonly header: { readonly height: number; readonly stateRoot: string; readonly evidenceRoot?: string } };

const figureOf = async (node: NodeProcess | undefined, path: string, field: string): Promise<number> =>
  Number((await node?.get(path))?.[field] ?? 0);

/**
 * A validator that was away rejoins at a snapshot with the journal that it had, in rounds; it is killed while it does so. It
 * must vote again without recovering, and nobody may be convicted (docs/adr/pruning.md).
 */
export const rejoinSoak: Soak = {
  name: "rejoin",
  summary: "lets a validator rejoin at a snapshot with its journal, killed on the way (--rounds N, --seed N)",
  options: { rounds: { type: "string" }, seed: { type: "string" } },
  run: async (place, { rounds = 3, seed = seedOf() }) => {
    const chance = new Chance(seed);
    const faults: string[] = [];
    const network = await NodeNetwork.start(place, `rejoin-${seed}`, { validators: 4, words: WORDS });
    const load = await NetworkLoad.of(network, chance, 150);
    load.start();
    await network.reach(20, LIMIT_MS);
    for (let round = 1; round <= rounds; round++) {
      const tipHeight = await figureOf(network.nodes[AWAY], "/api/v2/status", "height");
      await network.killNode(AWAY);
      for (const node of network.nodes)
        if (node)
          await until("it has pruned", async () => (await figureOf(node, "/api/v2/peers", "lowest")) > tipHeight + 50, node, LIMIT_MS);
      const stuck = network.launch(AWAY);
      network.nodes[AWAY] = undefined;
      await stuck.ended(LIMIT_MS);
      if (!stuck.output.includes("A start takes a snapshot"))
        faults.push(`round ${round}: it ended for another reason than that nobody has its blocks`);
      const said = [stuck.output];
      for (let kills = chance.between(0, 3); kills > 0; kills--) {
        const halfway = network.launch(AWAY);
        await Bun.sleep(chance.between(50, 1_500));
        await network.killNode(AWAY);
        said.push(halfway.output);
      }
      const node = network.launch(AWAY);
      await node.alive();
      const height = await highestOf(network);
      const levelMs = await until("it is level", async () => (await figureOf(node, "/api/v2/status", "height")) >= height, node, LIMIT_MS);
      const ledMs = await leadsAgain(network, AWAY);
      said.push(node.output);
      const all = said.join("\n");
      console.log(
        `rejoin: round ${round}: left at ${tipHeight}, level at ${height} after ${Math.round(levelMs)} ms, leads after ${Math.round(ledMs)} ms more`,
      );
      if (!all.includes("snapshot.taken")) faults.push(`round ${round}: it took no snapshot`);
      for (const word of ["journal.lost", "consensus.recovering"])
        if (all.includes(word)) faults.push(`round ${round}: ${word}, with its journal in place`);
      faults.push(...(await findDifferences(network)).map((fault) => `round ${round}: ${fault}`));
    }
    await load.finish(LIMIT_MS);
    return faults;
  },
};

/** Convictions, evidence in the blocks that are kept, and state roots that differ. */
async function findDifferences(network: NodeNetwork): Promise<readonly string[]> {
  const faults: string[] = [];
  const [witness] = network.nodes;
  for (const index of network.net.homes.keys()) {
    const { status } = (await witness?.get(`/api/v2/validators/${network.keyOf(index)}`)) ?? {};
    if (status === "jailed") faults.push(`validator ${index} is convicted`);
  }
  const from = (await figureOf(network.nodes[AWAY], "/api/v2/peers", "lowest")) || 1;
  const pages = await Promise.all([witness, network.nodes[AWAY]].map((node) => node?.get(`/api/v2/blocks?from=${from}&limit=100`)));
  const [theirs = [], ours = []] = pages.map((page) => (page?.["blocks"] ?? []) as readonly BlockView[]);
  const roots = new Map(theirs.map(({ header }) => [header.height, header.stateRoot]));
  for (const { header } of ours) {
    const root = roots.get(header.height);
    if (root !== undefined && root !== header.stateRoot) faults.push(`block ${header.height} has another state root there`);
    if (header.evidenceRoot !== undefined) faults.push(`block ${header.height} holds evidence`);
  }
  return faults;
}
