/**
 * Thread that restores a backup to see that it can be: it takes as long and as much memory as a start does, and must not hold up
 * consensus.
 */
import { nativeSuite } from "../crypto/index.ts";
import { genesisValidatorSet } from "../protocol/index.ts";
import { drillBackup } from "./drill.ts";
import type { DrillOrder, DrillOutcome } from "./drill-messages.ts";
import { openObjects } from "./object-store.ts";
import { readGenesisOf } from "./setup.ts";

addEventListener("message", (event: MessageEvent<DrillOrder>) => {
  void drill(event.data).then((outcome) => postMessage(outcome));
});

async function drill(order: DrillOrder): Promise<DrillOutcome> {
  const { home, node, place, name, identityKey, contentKey, anchorHash, folder } = order;
  try {
    const { genesis } = readGenesisOf(home);
    const set = genesisValidatorSet(genesis);
    if (!set.ok) return { ok: false, detail: "the home's genesis has no set" };
    const trust = { suite: nativeSuite, chainId: genesis.hash, genesisSet: set.value, node, identityKey };
    const report = await drillBackup(openObjects(home, place), { name }, trust, { contentKey, anchorHash }, folder);
    return report.ok ? { ok: true, report: report.value } : { ok: false, detail: report.error.detail };
  } catch (error) {
    if (!(error instanceof Error)) throw error; // a disk or a store that does not serve: the drill failed, which is what it is for
    return { ok: false, detail: error.message };
  }
}
