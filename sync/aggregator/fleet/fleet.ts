import type { HttpBindings } from "@hono/node-server";
import { OpenAPIHono } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import type { Clock, Entropy, Log, Timers } from "../../../src/kernel/index.ts";
import { OBJECTS_PATH, type ObjectStore } from "../../../src/storage/index.ts";
import { RELEASES_PATH } from "../../protocol/index.ts";
import type { EnrolmentDesk } from "../enrolment/desk.ts";
import { ObjectCallers } from "../objects/callers.ts";
import { ObjectQuota } from "../objects/object-quota.ts";
import { objectRoutes } from "../objects/object-routes.ts";
import { releaseRoutes } from "../objects/release-routes.ts";
import { DEFAULT_QUOTA, type StorageQuota } from "../quota.ts";
import { type AggregatorStore, StoreUnavailable } from "../types.ts";
import { FleetAccess, type Login } from "./access.ts";
import { consoleRoutes } from "./console-routes.ts";
import type { FleetEndpoint } from "./endpoint.ts";
import { fleetEndpoints } from "./endpoints.ts";
import { enrolmentEndpoints } from "./enrolment-endpoints.ts";
import { renderFleetOpenApi } from "./openapi.ts";
import { FleetProblem, type FleetProblemCode, problemAnswer } from "./problem.ts";
import { timeText } from "./rows.ts";
import { loginBody } from "./schemas.ts";
import type { UserBook } from "./users.ts";

/** What the fleet API and the console stand on. */
export type FleetParts = {
  readonly store: AggregatorStore;
  /** Decides about enrolment. */
  readonly desk: EnrolmentDesk;
  readonly users: UserBook;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Whether the aggregator speaks TLS: its cookies then never travel otherwise. */
  readonly isTls: boolean;
  /** Where snapshots of nodes are kept; undefined: nowhere, and nobody is answered about them. */
  readonly objects?: ObjectStore;
  /** What a node may store where no administrator set others; undefined: `DEFAULT_QUOTA`. */
  readonly quota?: StorageQuota;
  /** Whether the disk of the objects has room; undefined: it is not known, and taken for granted. */
  readonly hasObjectRoom?: () => boolean;
  readonly version: string;
};

type FleetContext = Context<{ Bindings: HttpBindings }>;
type FleetRoutes = Hono<{ Bindings: HttpBindings }>;

/** Bytes of a request's body. */
const BODY_BYTES_MAX = 8_192;

/**
 * The fleet API, with its login, the console, and objects where there are any, by path.
 *
 * A change is taken only with the login's token in `x-csrf-token` and from the same origin; every change and every login
 * is audited, whether it was let through or not.
 */
export function fleetRoutes(parts: FleetParts): Readonly<Record<string, FleetRoutes>> {
  const access = new FleetAccess(parts);
  const { objects, log, store, clock, quota = DEFAULT_QUOTA, hasObjectRoom: hasRoom = () => true } = parts;
  const callers = new ObjectCallers({ ...parts, access });
  const bounds = objects && new ObjectQuota({ objects, store, clock, bytesMax: quota.objectBytes, hasRoom });
  const stored = objects && bounds && { [OBJECTS_PATH]: objectRoutes({ objects, log, callers, quota: bounds }) };
  const releases = objects && { [RELEASES_PATH]: releaseRoutes({ objects, log, callers }) };
  return { "/api/v2/fleet": apiRoutes(parts, access), ...stored, ...releases, "/": consoleRoutes() };
}

function apiRoutes(parts: FleetParts, access: FleetAccess): FleetRoutes {
  const { store, clock, isTls } = parts;
  const cookieName = isTls ? "__Host-bizra_fleet" : "bizra_fleet";
  const routes: FleetRoutes = new Hono<{ Bindings: HttpBindings }>();
  const endpoints = [...fleetEndpoints(parts), ...enrolmentEndpoints(parts.desk, clock)];

  const audit = (actor: string, action: string, target: string, outcome: string, detail: string): Promise<void> =>
    store.addAudit({ atMs: clock.nowMs(), actor, action, target, outcome, detail });
  const loginOf = async (context: FleetContext): Promise<Omit<Login, "token">> => {
    const login = await access.find(getCookie(context, cookieName));
    if (!login) throw new FleetProblem("notLoggedIn", "log in first: POST /api/v2/fleet/session");
    return login;
  };
  const setSession = (context: FleetContext, token: string, maxAge: number): void =>
    setCookie(context, cookieName, token, { httpOnly: true, sameSite: "Strict", secure: isTls, path: "/", maxAge });
  const sessionOf = ({ name, role, csrf, expiresAtMs }: Omit<Login, "token">) => ({
    user: name,
    role,
    csrf,
    expires: timeText(expiresAtMs),
  });

  routes.post("/session", (context) =>
    answering(context, async () => {
      checkOrigin(context);
      const parsed = loginBody.safeParse(await readJson(context));
      if (!parsed.success) throw new FleetProblem("malformed", "expected {user, password}");
      const { user, password } = parsed.data;
      const address = addressOf(context);
      try {
        const login = await access.logIn(user, password, address);
        await audit(user, "login", address, "done", "");
        setSession(context, login.token, Math.floor((login.expiresAtMs - clock.nowMs()) / 1_000));
        return sessionOf(login);
      } catch (error) {
        // Names are audited only where somebody has them: a password typed into the wrong field is not kept.
        if (error instanceof FleetProblem && error.code === "wrongCredentials")
          await audit(parts.users.find(user) ? user : "unknown", "login", address, "refused", error.code);
        throw error;
      }
    }),
  );
  routes.get("/session", (context) => answering(context, async () => sessionOf(await loginOf(context))));
  routes.delete("/session", (context) =>
    answering(context, async () => {
      const login = await loginOf(context);
      checkChange(context, login);
      await access.logOut(getCookie(context, cookieName) ?? "");
      setSession(context, "", 0);
      await audit(login.name, "logout", addressOf(context), "done", "");
      return {};
    }),
  );
  let document: object | undefined; // made when first asked for
  routes.get("/openapi.json", (context) => {
    document ??= renderFleetOpenApi(new OpenAPIHono(), endpoints, parts.version);
    return context.json(document);
  });
  for (const endpoint of endpoints) {
    routes.on(endpoint.method.toUpperCase(), endpoint.path.replace(/\{(\w+)\}/g, ":$1"), (context) =>
      answering(context, async () => {
        const login = await loginOf(context);
        if (!endpoint.audit) return judge(context, endpoint, login, undefined)();
        const { action, isByHandler } = endpoint.audit;
        const target = endpoint.audit.target(context.req.param());
        let isHandled = false;
        try {
          checkChange(context, login);
          const body = await readJson(context);
          const respond = judge(context, endpoint, login, body);
          isHandled = isByHandler;
          const answer = await respond();
          if (!isByHandler) await audit(login.name, action, target, "done", JSON.stringify(body));
          return answer;
        } catch (error) {
          if (error instanceof FleetProblem && !isHandled) await audit(login.name, action, target, "refused", error.code);
          throw error;
        }
      }),
    );
  }
  routes.all("*", (context) => {
    const isKnown = ["/session", ...endpoints.map(({ path }) => path)].some((path) =>
      new RegExp(`^/api/v2/fleet${path.replace(/\{\w+\}/g, "[^/]+")}$`).test(context.req.path),
    );
    const code: FleetProblemCode = isKnown ? "methodNotAllowed" : "notFound";
    return problemAnswer(new FleetProblem(code, "/api/v2/fleet/openapi.json lists what there is"), context.req.path);
  });
  return routes;
}

/**
 * Whether the role and the schemas let a call through, and what it then does.
 *
 * @throws FleetProblem `forbidden`, `malformed`
 */
function judge(context: FleetContext, endpoint: FleetEndpoint, login: Omit<Login, "token">, body: unknown): () => Promise<object> {
  if (endpoint.role === "admin" && login.role !== "admin") throw new FleetProblem("forbidden", "expected an admin, got a viewer");
  const parsed = endpoint.parse({ params: context.req.param(), query: context.req.query(), body });
  if (!parsed.ok) throw new FleetProblem("malformed", parsed.detail);
  return () => parsed.run({ name: login.name, role: login.role });
}

/** Answers with what an action gives, or with the problem it throws. */
async function answering(context: FleetContext, action: () => Promise<object>): Promise<Response> {
  try {
    const value = await action();
    return context.json(value, 200, { "cache-control": "no-store" });
  } catch (error) {
    if (error instanceof FleetProblem) return problemAnswer(error, context.req.path);
    if (error instanceof StoreUnavailable) return problemAnswer(new FleetProblem("unavailable", error.message, 2_000), context.req.path);
    throw error;
  }
}

/** Refuses a change that did not come from a page of this origin with this login's token. */
function checkChange(context: FleetContext, { csrf }: { readonly csrf: string }): void {
  checkOrigin(context);
  if (context.req.header("x-csrf-token") !== csrf) throw new FleetProblem("crossSite", "expected this login's token in x-csrf-token");
}

/** Refuses what a browser says came from another site. */
function checkOrigin(context: FleetContext): void {
  const site = context.req.header("sec-fetch-site");
  const origin = context.req.header("origin");
  const host = context.req.header("host");
  const isForeign = (site !== undefined && site !== "same-origin" && site !== "none") || (origin !== undefined && hostOf(origin) !== host);
  if (isForeign) throw new FleetProblem("crossSite", "expected a request from the console's own origin");
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

async function readJson(context: FleetContext): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(context.req.header("content-type") ?? ""))
    throw new FleetProblem("unsupportedMediaType", "expected application/json");
  if (!(Number(context.req.header("content-length")) <= BODY_BYTES_MAX))
    throw new FleetProblem("tooLarge", `expected a body of at most ${BODY_BYTES_MAX} bytes, with its length`);
  try {
    return await context.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FleetProblem("malformed", "expected JSON");
  }
}

/** Where a request comes from: the connection's other end; what a header claims is not believed. */
function addressOf(context: FleetContext): string {
  return context.env?.incoming?.socket?.remoteAddress ?? "unknown";
}
