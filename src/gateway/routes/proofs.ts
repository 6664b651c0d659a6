import { z } from "@hono/zod-openapi";
import { encodeProofBundle, type ProofBundle } from "../../protocol/index.ts";
import type { Call } from "../call.ts";
import { chooseMediaType } from "../content-negotiation.ts";
import { jsonResponse } from "../endpoint.ts";
import { ProblemError } from "../problem.ts";
import { proofSchema } from "../schemas/proof.ts";
import { renderProof } from "../views/proof.ts";

const CBOR = "application/cbor";
const JSON_TYPE = "application/json";

/** Documented content of a proof's answer: JSON unless the Accept header prefers CBOR. */
export const PROOF_CONTENT = {
  [JSON_TYPE]: proofSchema,
  [CBOR]: z
    .any()
    .openapi({ type: "string", format: "binary", description: "The bundle in canonical CBOR; docs/proof.cddl is its grammar" }),
} as const;

/** A proof in the form the Accept header asks for. */
export function proofResponse(bundle: ProofBundle, call: Call): Response {
  const mediaType = chooseMediaType(call.request.headers.get("accept"), [JSON_TYPE, CBOR]);
  if (mediaType === undefined) throw new ProblemError({ code: "notAcceptable", detail: `a proof is given as ${JSON_TYPE} or ${CBOR}` });
  const headers = { vary: "accept" };
  if (mediaType === JSON_TYPE) return jsonResponse(renderProof(bundle), 200, headers);
  return new Response(Uint8Array.from(encodeProofBundle(bundle)), {
    headers: { ...headers, "content-type": CBOR, "cache-control": "no-store" },
  });
}
