import { z } from "@hono/zod-openapi";
import { assert, present, splitCborSequence, toHex, unreachable } from "../../kernel/index.ts";
import type { Call } from "../call.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import type { Acknowledgement, Submission, SubmissionOutcome } from "../ports.ts";
import { type Problem, ProblemError } from "../problem.ts";
import { type BodyFault, type BodyShare, mediaTypeOf, readBody } from "../request-body.ts";
import { type outcomesSchema, submissionSchema } from "../schemas/resources.ts";
import { renderTransaction } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";

const COSE = "application/cose";
const SEQUENCE = "application/cbor-seq";
const ACCEPT_POST = `${COSE}, ${SEQUENCE}`;

/** Submitted items, and what is wrong with the rest of a sequence that cannot be cut up further. */
type Items = { readonly items: readonly Uint8Array[]; readonly damageAt?: number };
type OutcomeJson = z.input<typeof outcomesSchema>[number];

/** POST /transactions. */
export function submissionEndpoint(context: RouteContext): Endpoint {
  return defineEndpoint({
    method: "post",
    path: "/transactions",
    name: "submitTransactions",
    summary: "Submit one signed transaction, or a CBOR sequence of them",
    query: z.object({
      ack: z.enum(["local", "replicated"]).optional().openapi({
        description:
          "Answer when durable on this box, or when more validators than may be faulty hold it; the node's own default when absent",
      }),
    }),
    body: {
      [COSE]: z.any().openapi({ type: "string", format: "binary", description: "One COSE_Sign1" }),
      [SEQUENCE]: z.any().openapi({ type: "string", format: "binary", description: "COSE_Sign1 items one after another (RFC 8742)" }),
    },
    success: {
      status: 202,
      description: "At least one transaction is accepted: durable, never lost",
      content: { "application/json": submissionSchema },
    },
    problems: [
      "malformed",
      "notAuthorized",
      "requestTimeout",
      "duplicate",
      "tooLarge",
      "unsupportedMediaType",
      "badSignature",
      "quotaExceeded",
    ],
    answer: async ({ query, call }) => {
      const share = context.bodies.share();
      try {
        return await submit(await readItems(call, share, context), query.ack, call, context);
      } finally {
        share.release();
      }
    },
  });
}

async function submit({ items, damageAt }: Items, ack: Acknowledgement | undefined, call: Call, context: RouteContext): Promise<Response> {
  const request = { source: call.source, ...(ack === undefined ? {} : { acknowledgement: ack }) };
  const submission = items.length > 0 ? await context.ports.submission.submit(items, request) : NOTHING;
  assert(submission.outcomes.length === items.length, "each submitted item has an outcome");
  const outcomes = damageAt === undefined ? submission.outcomes : [...submission.outcomes, damaged(damageAt)];
  for (const outcome of outcomes) context.metrics.onSubmitted(outcome.status === "accepted" ? "accepted" : outcome.code);
  const transactions = await Promise.all(outcomes.map((outcome) => renderOutcome(outcome, context)));
  if (outcomes.some(({ status }) => status === "accepted")) return jsonResponse({ transactions, ack: submission.acknowledgement }, 202);
  throw new ProblemError(refusalOf(outcomes, transactions));
}

const NOTHING: Submission = { acknowledgement: "local", outcomes: [] };

async function readItems(call: Call, share: BodyShare, { limits }: RouteContext): Promise<Items> {
  const { request } = call;
  const mediaType = mediaTypeOf(request.headers.get("content-type"));
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if ((mediaType !== COSE && mediaType !== SEQUENCE) || encoding !== "identity") {
    const got = encoding === "identity" ? `"${mediaType.slice(0, 80)}"` : "an encoded body";
    throw new ProblemError({
      code: "unsupportedMediaType",
      detail: `expected ${COSE} or ${SEQUENCE}, got ${got}`,
      headers: { "accept-post": ACCEPT_POST },
    });
  }
  call.isReadingBody = true;
  const body = await readBody(request, limits.bodyBytesMax, share);
  call.isReadingBody = false;
  if (!body.ok) throw new ProblemError({ ...bodyProblem(body.error, limits.bodyBytesMax), headers: { connection: "close" } });
  if (body.value.length === 0) throw new ProblemError({ code: "malformed", detail: "expected a transaction, got an empty body" });
  if (mediaType === COSE) return { items: [body.value] };
  const split = splitCborSequence(body.value, limits.transactionsPerRequestMax);
  if (!split.isTooLong) return split;
  throw new ProblemError({ code: "tooLarge", detail: `expected at most ${limits.transactionsPerRequestMax} transactions in one request` });
}

function bodyProblem(fault: BodyFault, bytesMax: number): Problem {
  switch (fault) {
    case "tooLarge":
      return { code: "tooLarge", detail: `expected a body of at most ${bytesMax} bytes` };
    case "noRoom":
      return { code: "overloaded", detail: "the bodies being received fill the memory set aside for them" };
    case "aborted":
      return { code: "malformed", detail: "the connection was closed before the body was complete" };
    default:
      return unreachable(fault);
  }
}

/** The one outcome for a sequence's rest that cannot be told apart into items. */
function damaged(damageAt: number): SubmissionOutcome {
  return { status: "rejected", code: "malformed", detail: `from byte ${damageAt} on the body is no sequence of well-formed CBOR items` };
}

async function renderOutcome(outcome: SubmissionOutcome, { ports }: RouteContext): Promise<OutcomeJson> {
  if (outcome.status === "accepted") return { id: toHex(outcome.id), status: "accepted" };
  const { id, code, detail } = outcome;
  const refusal = { ...(id ? { id: toHex(id) } : {}), status: "rejected", code, detail } as const;
  if (code !== "duplicate" || !id) return refusal;
  return { ...refusal, transaction: renderTransaction(id, await ports.transactions.find(id)) };
}

/** The problem of the first outcome, with all of them. */
function refusalOf(outcomes: readonly SubmissionOutcome[], transactions: readonly OutcomeJson[]): Problem {
  const first = present(outcomes[0], "a submission has an outcome");
  assert(first.status === "rejected", "a refused submission begins with a refusal");
  const [told] = transactions;
  const duplicate = told && "transaction" in told && told.transaction ? { transaction: told.transaction } : {};
  const { code, detail, retryAfterMs } = first;
  return { code, detail, members: { transactions, ...duplicate }, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
