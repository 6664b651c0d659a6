import { z } from "@hono/zod-openapi";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { ProblemError } from "../problem.ts";
import { parametersSchema, validatorDetailSchema, validatorSetSchema } from "../schemas/staking.ts";
import { renderParameters, renderValidator, renderValidatorSet } from "../views/staking.ts";
import type { RouteContext } from "./context.ts";
import { hash32Parameter } from "./parameters.ts";
import { PROOF_CONTENT, proofResponse } from "./proofs.ts";

/** GET /validators, /validators/{id} and its proof, /parameters. */
export function validatorEndpoints({ ports }: RouteContext): readonly Endpoint[] {
  const params = z.object({ id: hash32Parameter });
  const { validators } = ports;
  return [
    defineEndpoint({
      method: "get",
      path: "/validators",
      name: "listValidators",
      summary: "The validator set of the epoch",
      success: { status: 200, description: "The set with its weights", content: { "application/json": validatorSetSchema } },
      problems: [],
      answer: async () => jsonResponse(renderValidatorSet(await validators.current())),
    }),
    defineEndpoint({
      method: "get",
      path: "/validators/{id}",
      name: "getValidator",
      summary: "A validator by its id or any of its signing keys, of the set or not",
      params,
      success: { status: 200, description: "Stake, standing, keys and duties", content: { "application/json": validatorDetailSchema } },
      problems: ["malformed", "notFound"],
      answer: async ({ params: { id } }) => {
        const found = await validators.find(id);
        if (!found) throw new ProblemError({ code: "notFound", detail: "no validator has or had this key" });
        const { height, epoch, validator } = found;
        return jsonResponse({ ...renderValidator(validator), height, epoch });
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/validators/{id}/proof",
      name: "getValidatorProof",
      summary: "Proof of what the state holds for a validator's id, or that it holds nothing",
      params,
      success: { status: 200, description: "The bundle, at the latest final height", content: PROOF_CONTENT },
      problems: ["malformed", "notFound", "notAcceptable"],
      answer: async ({ params: { id }, call }) => {
        const bundle = await validators.findProof(id);
        if (!bundle) throw new ProblemError({ code: "notFound", detail: "there is no final block yet whose state could be proven" });
        return proofResponse(bundle, call);
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/parameters",
      name: "getParameters",
      summary: "Parameters in force, approved changes, and open proposals",
      success: { status: 200, description: "Everything that votes decide", content: { "application/json": parametersSchema } },
      problems: [],
      answer: async () => jsonResponse(renderParameters(await ports.parameters.current())),
    }),
  ];
}
