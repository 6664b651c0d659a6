import { parseHex } from "../../../src/kernel/index.ts";
import { nodePrefix } from "../../protocol/index.ts";
import { laneLimitBytes, type StorageQuota } from "../quota.ts";
import type { AggregatorStore, EnrolledNode } from "../types.ts";
import type { FleetEntry } from "./directory.ts";
import { defineFleetEndpoint, type FleetEndpoint } from "./endpoint.ts";
import { FleetProblem } from "./problem.ts";
import * as schema from "./schemas.ts";

/** What an aggregator keeps of a node, and what it may: bytes as they are counted against its quota. */
export async function storageOf(store: Pick<AggregatorStore, "usage" | "findObjectCount">, node: EnrolledNode, quota: StorageQuota) {
  const { lanes } = await store.usage(node);
  const network = parseHex(node.network);
  const objects = network && (await store.findObjectCount(nodePrefix(network, node.node)));
  const eventBytes = node.quota?.eventBytes ?? quota.eventBytes;
  const used = lanes.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    events: {
      bytes: used,
      quotaBytes: eventBytes,
      hardBytes: laneLimitBytes("crit", eventBytes),
      lanes: Object.fromEntries(lanes.map(({ lane, bytes }) => [lane, bytes])),
      isSet: node.quota?.eventBytes !== undefined,
    },
    objects: {
      bytes: objects?.bytes ?? 0,
      quotaBytes: node.quota?.objectBytes ?? quota.objectBytes,
      isSet: node.quota?.objectBytes !== undefined,
    },
  };
}

/** The change of what one node may store. */
export function quotaEndpoint(
  store: Pick<AggregatorStore, "setQuota">,
  find: (ref: { readonly network: string; readonly node: string }) => Promise<FleetEntry>,
): FleetEndpoint {
  return defineFleetEndpoint({
    method: "put",
    path: "/nodes/{network}/{node}/quota",
    name: "putQuota",
    summary: "Says how much a node may store here; what is left out is as for all nodes.",
    role: "admin",
    params: schema.nodeParams,
    body: schema.quotaBody,
    answer: schema.quotaBody,
    problems: ["notFound", "forbidden", "crossSite"],
    audit: { action: "node.quota", target: (params) => `${params?.network}/${params?.node}` },
    respond: async ({ params, body: { eventBytes, objectBytes } }) => {
      await find(params);
      const wanted = { ...(eventBytes !== undefined && { eventBytes }), ...(objectBytes !== undefined && { objectBytes }) };
      if (await store.setQuota(params, wanted)) return wanted;
      throw new FleetProblem("notFound", `no node ${params.node} is known`);
    },
  });
}
