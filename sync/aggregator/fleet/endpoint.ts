import type { z } from "@hono/zod-openapi";
import type { Principal } from "./access.ts";
import type { FleetProblemCode } from "./problem.ts";
import type { FleetRole } from "./users.ts";

/** What a handler is called with; everything has passed its schema. */
export type FleetCall<P, Q, B> = {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly principal: Principal;
};

/** A route of the fleet API: what it is, what it takes, who may, and who answers. */
export type FleetEndpointSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject> = {
  readonly method: "get" | "put" | "post";
  /** In OpenAPI's form, below /api/v2/fleet. */
  readonly path: string;
  /** Name of the operation, unique. */
  readonly name: string;
  readonly summary: string;
  /** The least role that may. */
  readonly role: FleetRole;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: z.ZodType;
  readonly problems: readonly FleetProblemCode[];
  /**
   * For a change: what it is called in the audit, and what it changes. `isByHandler`: the handler writes its own entry, so that
   * only what does not reach it is written by the mount.
   */
  readonly audit?: { readonly action: string; readonly target: (params: z.output<P>) => string; readonly isByHandler?: boolean };
  readonly respond: (call: FleetCall<z.output<P>, z.output<Q>, z.output<B>>) => Promise<object>;
};

/** A route ready to be mounted: texts come in and are judged by its schemas. */
export type FleetEndpoint = Omit<FleetEndpointSpec<z.ZodObject, z.ZodObject, z.ZodObject>, "respond" | "audit"> & {
  readonly audit?: { readonly action: string; readonly target: (params: unknown) => string; readonly isByHandler: boolean };
  readonly parse: (input: {
    params: unknown;
    query: unknown;
    body: unknown;
  }) => { readonly ok: true; readonly run: (principal: Principal) => Promise<object> } | { readonly ok: false; readonly detail: string };
};

/** Binds a route's handler to its schemas. */
export function defineFleetEndpoint<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject>({
  respond,
  audit,
  ...spec
}: FleetEndpointSpec<P, Q, B>): FleetEndpoint {
  const { params, query, body } = spec;
  return {
    ...spec,
    ...(audit && {
      audit: {
        action: audit.action,
        target: (given) => audit.target((params ? params.safeParse(given).data : {}) as z.output<P>),
        isByHandler: audit.isByHandler === true,
      },
    }),
    parse: (input) => {
      const parsed = [params, query, body].map((schema, i) => schema?.safeParse([input.params, input.query, input.body][i]));
      const faults = parsed.flatMap((result) => (result?.success === false ? result.error.issues : []));
      if (faults.length > 0) return { ok: false, detail: faults.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ") };
      const [p, q, b] = parsed.map((result) => result?.data ?? {});
      // each came out of the schema whose output type it is given
      return {
        ok: true,
        run: (principal) => respond({ params: p as z.output<P>, query: q as z.output<Q>, body: b as z.output<B>, principal }),
      };
    },
  };
}
