import { z } from "@hono/zod-openapi";
import { bytesEqual } from "../../kernel/index.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { ProblemError } from "../problem.ts";
import { statusSchema, validatorDetailSchema, validatorSetSchema } from "../schemas/resources.ts";
import { renderStatus, renderValidator, renderValidatorSet } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";
import { hash32Parameter } from "./parameters.ts";

/** GET /status, /validators, /validators/{id} and /genesis. */
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
      path: "/validators",
      name: "listValidators",
      summary: "The validator set of the epoch",
      success: { status: 200, description: "The set with its weights", content: { "application/json": validatorSetSchema } },
      problems: [],
      answer: async () => jsonResponse(renderValidatorSet(await ports.validators.current())),
    }),
    defineEndpoint({
      method: "get",
      path: "/validators/{id}",
      name: "getValidator",
      summary: "A member of the validator set",
      params: z.object({ id: hash32Parameter }),
      success: { status: 200, description: "Stake, weight and duties", content: { "application/json": validatorDetailSchema } },
      problems: ["malformed", "notFound"],
      answer: async ({ params: { id } }) => {
        const { height, epoch, validators } = await ports.validators.current();
        const found = validators.find(({ publicKey }) => bytesEqual(publicKey, id));
        if (!found) throw new ProblemError({ code: "notFound", detail: `no validator of epoch ${epoch} has this public key` });
        return jsonResponse({ ...renderValidator(found), height, epoch });
      },
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
