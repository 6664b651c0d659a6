import { z } from "@hono/zod-openapi";
import { PROBLEM_KINDS, type ProblemCode } from "../problem.ts";

const CODES = Object.keys(PROBLEM_KINDS) as [ProblemCode, ...ProblemCode[]];

/** A refusal as RFC 9457 tells it; a submission's carries the list of outcomes too. */
export const problemSchema = z
  .looseObject({
    type: z.string().regex(/^urn:bizra:problem:[A-Za-z]+$/),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().openapi({ description: "What was expected and what came" }),
    instance: z.string().openapi({ description: "Path of the request" }),
    code: z.enum(CODES).openapi({ description: "Stable; what programs act on" }),
  })
  .openapi("Problem");
