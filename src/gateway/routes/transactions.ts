import { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import type { Call } from "../call.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { WAIT_MS_DEFAULT } from "../limits.ts";
import type { TransactionStatus } from "../ports.ts";
import { ProblemError } from "../problem.ts";
import { transactionSchema } from "../schemas/resources.ts";
import { integerParameter } from "../schemas/values.ts";
import { renderTransaction } from "../views/resources.ts";
import { prunedProblem } from "./blocks.ts";
import type { RouteContext } from "./context.ts";
import { hash32Parameter } from "./parameters.ts";
import { PROOF_CONTENT, proofResponse } from "./proofs.ts";

/** Time the runtime's idle timer gets beyond a wait, so that it never cuts one. */
const IDLE_MARGIN_SECONDS = 15;

/** GET /transactions/{id} and its proof. */
export function transactionEndpoints(context: RouteContext): readonly Endpoint[] {
  return [statusEndpoint(context), proofEndpoint(context)];
}

function statusEndpoint(context: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/transactions/{id}",
    name: "getTransaction",
    summary: "Where a transaction stands, at once or when it has ended",
    params: z.object({ id: hash32Parameter }),
    query: z.object({
      wait: z
        .enum(["final"])
        .optional()
        .openapi({ description: "Answer when the transaction has ended (final, expired or superseded) or the time is up" }),
      timeoutMs: integerParameter({
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        fallback: WAIT_MS_DEFAULT,
        description: "How long to wait; more than the node's limit counts as the limit",
      }),
    }),
    success: { status: 200, description: "The status; `unknown` is one", content: { "application/json": transactionSchema } },
    problems: ["malformed"],
    answer: async ({ params: { id }, query, call }) => {
      const timeoutMs = Math.min(query.timeoutMs ?? WAIT_MS_DEFAULT, context.limits.waitMsMax);
      const found =
        query.wait === "final" && timeoutMs > 0 ? await awaitEnd(id, timeoutMs, call, context) : await context.ports.transactions.find(id);
      return jsonResponse(renderTransaction(id, found));
    },
  });
}

function proofEndpoint(context: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/transactions/{id}/proof",
    name: "getTransactionProof",
    summary: "Proof bundle of a final transaction's receipt",
    params: z.object({ id: hash32Parameter }),
    success: { status: 200, description: "The bundle; verify it offline against the genesis document", content: PROOF_CONTENT },
    problems: ["malformed", "notFound", "pruned", "notAcceptable"],
    answer: async ({ params: { id }, call }) => {
      const bundle = await context.ports.transactions.findProof(id);
      if (bundle) return proofResponse(bundle, call);
      const found = await context.ports.transactions.find(id);
      if (found.status !== "final" && found.prunedAt) throw new ProblemError(await prunedProblem(context.ports.blocks));
      const { status } = found;
      throw new ProblemError({ code: "notFound", detail: `only a final transaction has a proof; ${toHex(id)} is ${status}` });
    },
  });
}

async function awaitEnd(id: Uint8Array, timeoutMs: number, call: Call, { waits, ports }: RouteContext): Promise<TransactionStatus> {
  const wait = waits.begin(id, timeoutMs);
  if (!wait) throw new ProblemError({ code: "overloaded", detail: "too many requests wait for finality already" });
  call.deadline.extend(timeoutMs);
  call.server.timeout(call.request, Math.ceil(timeoutMs / 1_000) + IDLE_MARGIN_SECONDS);
  call.request.signal.addEventListener("abort", wait.end, { once: true });
  try {
    const found = await ports.transactions.find(id);
    if ((found.status !== "accepted" && found.status !== "unknown") || found.prunedAt) return found;
    await wait.isOver;
    return await ports.transactions.find(id);
  } finally {
    call.request.signal.removeEventListener("abort", wait.end);
    wait.end();
  }
}
