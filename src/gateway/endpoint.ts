import type { z } from "@hono/zod-openapi";
import type { Call } from "./call.ts";
import type { Eventually } from "./ports.ts";
import { type ProblemCode, ProblemError, problemResponse } from "./problem.ts";

/** An object schema of text parameters. */
type ParameterSchema = z.ZodObject;

/** Content of a documented body by media type. */
export type DocumentedContent = Readonly<Record<string, z.ZodType>>;

/** A route: what it is, what it takes, what it gives, and who answers. */
export type EndpointSpec<P extends ParameterSchema, Q extends ParameterSchema> = {
  readonly method: "get" | "post";
  /** Path in OpenAPI's form, below the version's base: `/blocks/{height}`. */
  readonly path: string;
  /** Name of the operation, unique among endpoints. */
  readonly name: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: DocumentedContent;
  /** Success status and its content; every endpoint may answer with the problems below, too. */
  readonly success: { readonly status: number; readonly description: string; readonly content: DocumentedContent };
  /** Whether a request that knows the answer's entity tag gets 304. */
  readonly isTagged?: true;
  readonly problems: readonly ProblemCode[];
  readonly answer: (input: { readonly params: z.output<P>; readonly query: z.output<Q>; readonly call: Call }) => Eventually<Response>;
};

/** A route ready to be mounted: parameters come in as text and are validated by the documented schemas. */
export type Endpoint = Omit<EndpointSpec<ParameterSchema, ParameterSchema>, "answer"> & {
  readonly respond: (params: unknown, query: unknown, call: Call) => Promise<Response>;
};

/** Binds an endpoint's answer to its schemas. */
export function defineEndpoint<P extends ParameterSchema, Q extends ParameterSchema>(spec: EndpointSpec<P, Q>): Endpoint {
  const { answer, ...rest } = spec;
  return {
    ...rest,
    respond: async (params, query, call) => {
      try {
        const input = { params: parse(spec.params, params), query: parse(spec.query, query), call };
        return await answer(input);
      } catch (error) {
        if (error instanceof ProblemError) return problemResponse(error.problem, call.path);
        throw error;
      }
    },
  };
}

/** A JSON answer. `no-store` unless the caller says otherwise: what a node tells is true now. */
export function jsonResponse(body: object, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

function parse<S extends ParameterSchema>(schema: S | undefined, value: unknown): z.output<S> {
  if (!schema) return {} as z.output<S>;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const detail = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  throw new ProblemError({ code: "malformed", detail });
}
