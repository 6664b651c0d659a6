import { z } from "@hono/zod-openapi";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import type { AccountQueries } from "../ports.ts";
import { ProblemError } from "../problem.ts";
import { accountSchema, supplySchema } from "../schemas/resources.ts";
import { renderAccount } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";
import { addressParameter } from "./parameters.ts";
import { PROOF_CONTENT, proofResponse } from "./proofs.ts";

/** GET /accounts/{address} and its proof, /supply. */
export function accountEndpoints({ ports }: RouteContext): readonly Endpoint[] {
  const params = z.object({ address: addressParameter });
  return [
    supplyEndpoint(ports.accounts),
    defineEndpoint({
      method: "get",
      path: "/accounts/{address}",
      name: "getAccount",
      summary: "Balance, nonces and stake; an account that does not exist is all zero",
      params,
      success: { status: 200, description: "The account at a final height", content: { "application/json": accountSchema } },
      problems: ["malformed"],
      answer: async ({ params: { address } }) => jsonResponse(renderAccount(address, await ports.accounts.find(address))),
    }),
    defineEndpoint({
      method: "get",
      path: "/accounts/{address}/proof",
      name: "getAccountProof",
      summary: "Proof of what the state holds for an account, or that it holds nothing",
      params,
      success: { status: 200, description: "The bundle, at the latest final height", content: PROOF_CONTENT },
      problems: ["malformed", "notFound", "notAcceptable"],
      answer: async ({ params: { address }, call }) => {
        const bundle = await ports.accounts.findProof(address);
        if (!bundle) throw new ProblemError({ code: "notFound", detail: "there is no final block yet whose state could be proven" });
        return proofResponse(bundle, call);
      },
    }),
  ];
}

function supplyEndpoint(accounts: AccountQueries): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/supply",
    name: "getSupply",
    summary: "Units issued and destroyed, and fees that wait to be shared",
    success: { status: 200, description: "Totals at a final height", content: { "application/json": supplySchema } },
    problems: [],
    answer: async () => {
      const { height, issued, burned, feePot } = await accounts.supply();
      return jsonResponse({ height, issued: String(issued), burned: String(burned), feePot: String(feePot) });
    },
  });
}
