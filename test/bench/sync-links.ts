import { AggregatorProcess } from "../e2e/support/aggregator-process.ts";
import { homeOf, makeTestnet, type Testnet } from "../e2e/support/bizra.ts";
import { Chance } from "../e2e/support/chance.ts";
import { type LinkManner, LinkRelay } from "../e2e/support/link-relay.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import type { Workplace } from "../e2e/support/workplace.ts";

/** 64 kbit/s, 300 ms each way, 3 % of the segments lost. */
export const THIN_LINK: Partial<LinkManner> = { bytesPerSecond: 8_000, delayMs: 300, loss: 0.03 };

/** A node of a network of one, brought to an aggregator over a relay. */
export type SyncedNode = { readonly node: NodeProcess; readonly relay: LinkRelay };

/** Starts an aggregator that takes any node. */
export async function startAggregator(place: Workplace, name: string): Promise<AggregatorProcess> {
  return place.keep(await AggregatorProcess.start(place.at(name), ["--listen", "127.0.0.1:0", "--open"]));
}

/**
 * Starts a network of one node whose events go to an aggregator over a link.
 *
 * @param words more flags of the node
 */
export async function startSyncedNode(
  place: Workplace,
  name: string,
  aggregator: AggregatorProcess,
  manner: Partial<LinkManner>,
  words: readonly string[],
): Promise<SyncedNode & { readonly net: Testnet }> {
  const net = await makeTestnet(place.at(name));
  const target = { host: "127.0.0.1", port: Number(new URL(aggregator.http).port) };
  const relay = place.keep(await LinkRelay.open(target, new Chance(1)));
  relay.treat("out", manner);
  relay.treat("back", manner);
  const node = await place.start(homeOf(net), { words: [...words, "--sync-aggregators", `http://127.0.0.1:${relay.port}`] });
  return { net, node, relay };
}

/** Figures of a node's metrics by name and labels as they stand there. */
export async function metricsOf(http: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return new Map([...text.matchAll(/^(bizra_[^\s{]+(?:\{[^}]*\})?) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]));
}

/** Bytes of TCP payload that a relay carried so far, both ways. */
export function carriedBytes({ carried }: LinkRelay): number {
  return carried.out + carried.back;
}
