import { z } from "@hono/zod-openapi";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { peersSchema, statusSchema } from "../schemas/resources.ts";
import { renderPeers, renderStatus } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";

/** GET /status, /peers and /genesis. */
export function nodeEndpoints(context: RouteContext): readonly Endpoint[] {
  const { ports, limits, build, clock } = context;
  return [
    defineEndpoint({
      method: "get",
      path: "/status",
      name: "getStatus",
      summary: "What is true of the node now",
      success: { status: 200, description: "Chain, position, peers, fees and limits", content: { "application/json": statusSchema } },
      problems: [],
      answer: async () => jsonResponse(renderStatus(await ports.node.status(), limits, build.version, clock.nowMs())),
    }),
    defineEndpoint({
      method: "get",
      path: "/peers",
      name: "getPeers",
      summary: "Whom the node is connected to, who is missing and why",
      success: { status: 200, description: "Connected nodes and absent ones", content: { "application/json": peersSchema } },
      problems: [],
      answer: async () => jsonResponse(renderPeers(await ports.node.peers())),
    }),
    genesisEndpoint(context),
  ];
}

function genesisEndpoint({ ports }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/genesis",
    name: "getGenesis",
    summary: "The genesis document",
    success: {
      status: 200,
      description: "What every proof is verified against; chainId is its hash",
      content: { "application/json": z.looseObject({ format: z.string(), chainName: z.string() }).openapi("GenesisDocument") },
    },
    problems: [],
    answer: async () =>
      new Response(Uint8Array.from(await ports.genesis.document()), {
        headers: { "content-type": "application/json", "cache-control": "no-store" },
      }),
  });
}
