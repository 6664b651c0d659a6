import type { NodeProcess } from "../e2e/support/node-process.ts";

/** Counters of a running node that a benchmark takes differences of. */
export type NetworkCounters = {
  /** Bytes of messages sent to peers, before encryption and framing of the transport. */
  readonly sentBytes: number;
  readonly sentBytesByLane: ReadonlyMap<string, number>;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
};

/** Reads them from the node's metrics. */
export async function countersOf(node: NodeProcess): Promise<NetworkCounters> {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  const sentBytesByLane = new Map<string, number>();
  let sentBytes = 0;
  for (const [, lane = "", value] of text.matchAll(/^bizra_network_sent_bytes_total\{kind="([^"/]+)[^"]*"\} (\S+)$/gm)) {
    sentBytes += Number(value);
    sentBytesByLane.set(lane, (sentBytesByLane.get(lane) ?? 0) + Number(value));
  }
  const read = (name: string): number => {
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`the node has no metric ${name}`);
    return Number(value);
  };
  return {
    sentBytes,
    sentBytesByLane,
    cpuSeconds: read("bizra_process_cpu_seconds_total"),
    rssBytes: read("bizra_process_resident_memory_bytes"),
  };
}
