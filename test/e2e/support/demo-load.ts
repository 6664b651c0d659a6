import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Testnet } from "./bizra.ts";
import type { Chance } from "./chance.ts";
import { addressOf, readKeys } from "./independent-client.ts";
import { Lane, Load } from "./load.ts";
import type { NodeProcess } from "./node-process.ts";

/** A load on the demo accounts, with what they held before it. */
export type DemoLoad = { readonly load: Load; readonly opening: ReadonlyMap<string, bigint> };

/**
 * Load from every funded account of a demo network, the unlisted one included.
 *
 * @param pauseMsMax longest pause of an account between submissions
 */
export async function makeDemoLoad(net: Testnet, node: NodeProcess, chance: Chance, pauseMsMax = 15): Promise<DemoLoad> {
  const traffic = join(dirname(Object.values(net.accounts)[0] ?? ""), "traffic.pem");
  const keys = [...Object.values(net.accounts), ...(existsSync(traffic) ? [traffic] : [])].map(readKeys);
  const opening = new Map<string, bigint>();
  const lanes: Lane[] = [];
  for (const pair of keys) {
    const account = await node.get(`/api/v2/accounts/${addressOf(pair.publicKey)}`);
    opening.set(pair.publicKey.toString("hex"), BigInt(String(account["balance"])));
    lanes.push(new Lane(pair, BigInt(String(account["pendingNonce"]))));
  }
  const status = await node.get("/api/v2/status");
  const terms = {
    genesisHash: net.hash,
    fee: BigInt(String(status["minimumFee"])),
    validUntil: BigInt(String(status["height"])) + 500_000n,
    pauseMsMax,
  };
  return { load: new Load(lanes, terms, chance), opening };
}

/** Puts load on a node for a time. */
export async function loadFor(load: Load, node: NodeProcess, ms: number): Promise<void> {
  await load.run(node, AbortSignal.timeout(ms));
}
