import type { Clock, Timers } from "../../../src/kernel/index.ts";
import { DEFAULT_QUOTA, type StorageQuota } from "../quota.ts";
import type { AggregatorStore, NodeRef } from "../types.ts";
import { FleetDirectory, type FleetEntry } from "./directory.ts";
import { defineFleetEndpoint, type FleetEndpoint } from "./endpoint.ts";
import { eventsPage } from "./events-page.ts";
import { listRows } from "./listing.ts";
import { Networks } from "./networks.ts";
import { FleetProblem } from "./problem.ts";
import { proofOf } from "./proof.ts";
import { quotaEndpoint, storageOf } from "./quota-endpoint.ts";
import { detailOf, findingRow, holdingRow, rowOf, timeText } from "./rows.ts";
import * as schema from "./schemas.ts";
import { seriesOf } from "./series.ts";
import { SubtreeRoots } from "./subtree-roots.ts";
import { wordOf } from "./word.ts";

/** What the endpoints answer from. */
export type EndpointParts = {
  readonly store: AggregatorStore;
  readonly clock: Clock;
  readonly timers: Timers;
  /** What a node may store where no administrator set others; undefined: `DEFAULT_QUOTA`. */
  readonly quota?: StorageQuota;
};

/** Heartbeats that one history is made of: 30 days at one a minute. */
const HISTORY_MAX = 43_200;
const FINDINGS_OF_NODE = 50;

/** The fleet API's routes, but those of the login. */
export function fleetEndpoints({ store, clock, timers, quota = DEFAULT_QUOTA }: EndpointParts): readonly FleetEndpoint[] {
  const directory = new FleetDirectory({ store, clock, timers });
  const networks = new Networks(store, timers);
  const roots = new SubtreeRoots(store, timers);
  const find = async (ref: NodeRef): Promise<FleetEntry> => {
    const entry = await directory.find(ref);
    if (!entry) throw new FleetProblem("notFound", `no node ${ref.node} of network ${ref.network} is known`);
    return entry;
  };
  return [
    defineFleetEndpoint({
      method: "get",
      path: "/nodes",
      name: "listNodes",
      summary: "Nodes, filtered and sorted, with the count of each state.",
      role: "viewer",
      query: schema.nodesQuery,
      answer: schema.nodesAnswer,
      problems: [],
      respond: async ({ query: { offset, limit, ...wanted } }) => {
        const { entries, bestHeights } = await directory.snapshot();
        const nowMs = clock.nowMs();
        const listed = listRows(
          entries.map((entry) => rowOf(entry, nowMs, bestHeights.get(entry.node.network))),
          { ...wanted, state: wanted.state, network: wanted.network },
        );
        return { now: timeText(nowMs), total: listed.rows.length, counts: listed.counts, nodes: listed.rows.slice(offset, offset + limit) };
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/nodes/{network}/{node}",
      name: "getNode",
      summary: "One node: its last word, its keys, how far its lanes are held, and what was found about it.",
      role: "viewer",
      params: schema.nodeParams,
      answer: schema.nodeAnswer,
      problems: ["notFound"],
      respond: async ({ params }) => {
        const entry = await find(params);
        const { bestHeights } = await directory.snapshot();
        const nowMs = clock.nowMs();
        const best = Math.max(bestHeights.get(params.network) ?? 0, entry.word?.height ?? 0);
        const holdings = (await store.holdings(params)).map(holdingRow);
        const findings = (await store.listFindings(params, FINDINGS_OF_NODE)).map(findingRow);
        const storage = await storageOf(store, entry.node, quota);
        return { now: timeText(nowMs), ...detailOf(entry, nowMs, best), holdings, findings, storage };
      },
    }),
    defineFleetEndpoint({
      method: "put",
      path: "/nodes/{network}/{node}/site",
      name: "putSite",
      summary: "Says where a node stands.",
      role: "admin",
      params: schema.nodeParams,
      body: schema.siteBody,
      answer: schema.changedAnswer,
      problems: ["notFound", "forbidden", "crossSite"],
      audit: { action: "node.site", target: (params) => `${params?.network}/${params?.node}` },
      respond: async ({ params, body: { site } }) => {
        const { node } = await find(params);
        await store.putNode({ ...node, site });
        directory.refresh();
        return { site };
      },
    }),
    quotaEndpoint(store, find),
    defineFleetEndpoint({
      method: "get",
      path: "/nodes/{network}/{node}/events",
      name: "listEvents",
      summary: "Records of a lane, from a cursor in either direction, each with the bytes that its hash covers.",
      role: "viewer",
      params: schema.nodeParams,
      query: schema.eventsQuery,
      answer: schema.eventsAnswer,
      problems: ["notFound"],
      respond: async ({ params, query }) => {
        await find(params);
        return eventsPage(store, params, query);
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/nodes/{network}/{node}/proof",
      name: "getProof",
      summary: "A signed checkpoint over records of a lane, with the subtree roots that lead from them to its root.",
      role: "viewer",
      params: schema.nodeParams,
      query: schema.proofQuery,
      answer: schema.proofAnswer,
      problems: ["notFound"],
      respond: async ({ params, query }) => {
        await find(params);
        if (query.from > query.to) throw new FleetProblem("malformed", "expected from not to be greater than to");
        const proof = await proofOf(store, roots, params, query);
        if (!proof) throw new FleetProblem("notFound", "no checkpoint covers these records yet, or records before them are not held here");
        return proof;
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/nodes/{network}/{node}/history",
      name: "getHistory",
      summary: "Figures of a node's heartbeats over time.",
      role: "viewer",
      params: schema.nodeParams,
      query: schema.historyQuery,
      answer: schema.historyAnswer,
      problems: ["notFound"],
      respond: async ({ params, query: { minutes, points } }) => {
        const { word } = await find(params);
        const toMs = clock.nowMs();
        const fromMs = toMs - minutes * 60_000;
        const heartbeats = await store.heartbeatHistory(params, fromMs, HISTORY_MAX);
        const kept = heartbeats.map(wordOf).filter((known) => known !== undefined);
        const isNewer = word && word.receivedAtMs > (kept.at(-1)?.receivedAtMs ?? 0); // history has one a minute, the latest is the latest
        const words = isNewer ? [...kept, word] : kept;
        const series = Object.entries(seriesOf(words, fromMs, toMs, points)).map(([name, list]) => [
          name,
          list.map(({ atMs, ...figures }) => ({ at: timeText(atMs), ...figures })),
        ]);
        return { from: timeText(fromMs), to: timeText(toMs), heartbeats: words.length, series: Object.fromEntries(series) };
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/networks",
      name: "listNetworks",
      summary: "Networks: their height, how they finalize, and their validators with the nodes that claim their keys.",
      role: "viewer",
      answer: schema.networksAnswer,
      problems: [],
      respond: async () => {
        const nowMs = clock.nowMs();
        return { now: timeText(nowMs), networks: await networks.list(await directory.snapshot(), nowMs) };
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/findings",
      name: "listFindings",
      summary: "What people should know, the newest first.",
      role: "viewer",
      query: schema.findingsQuery,
      answer: schema.findingsAnswer,
      problems: [],
      respond: async ({ query: { limit, network, node } }) => {
        const ref = network !== undefined && node !== undefined ? { network, node } : undefined;
        return { findings: (await store.listFindings(ref, limit)).map(findingRow) };
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/audit",
      name: "listAudit",
      summary: "Who did what through this API, the newest first.",
      role: "admin",
      query: schema.auditQuery,
      answer: schema.auditAnswer,
      problems: ["forbidden"],
      respond: async ({ query: { limit, before } }) => {
        const entries = await store.listAudit(before === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(before), limit);
        return { entries: entries.map(({ atMs, ...entry }) => ({ at: timeText(atMs), ...entry })) };
      },
    }),
  ];
}
