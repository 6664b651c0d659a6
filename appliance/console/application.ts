import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { Clock, Log } from "../../src/kernel/index.ts";
import { packedAnswer } from "../../src/page/index.ts";
import { claimText, qrRows } from "./claim-code.ts";
import { isSame, type LocalAccess, type LocalLogin } from "./local-access.ts";
import { boxPageFiles } from "./page-files.ts";
import type { BoxDesk } from "./ports.ts";
import { packSupport } from "./support-bundle.ts";

/** What the console answers from. */
export type ConsoleParts = {
  readonly desk: BoxDesk;
  readonly access: LocalAccess;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after a plan was taken, so that it is carried out at once. */
  readonly onPlan: () => void;
};

/** What a request comes with: the address that it came from. */
export type ConsoleBindings = { Bindings: { readonly address: string } };

const COOKIE = "bizra_box";
const TYPES = {
  "/": "text/html; charset=utf-8",
  "/box.css": "text/css; charset=utf-8",
  "/box.js": "text/javascript; charset=utf-8",
} as const;

const PROBLEMS = {
  malformed: { status: 400, title: "The request is not well formed" },
  notLoggedIn: { status: 401, title: "Nobody is logged in" },
  wrongSecret: { status: 401, title: "The code or the password is wrong" },
  crossSite: { status: 403, title: "The request did not come from this page" },
  notFound: { status: 404, title: "There is nothing here" },
  refused: { status: 409, title: "It was not done" },
  weakPassword: { status: 422, title: "The password has 10 to 256 characters" },
  mistakes: { status: 422, title: "There are mistakes, and nothing was changed" },
  slowDown: { status: 429, title: "Too many attempts" },
} as const;

type Extra = { readonly mistakes?: readonly string[]; readonly retryAfterMs?: number };

const text = (max: number) => z.string().max(max);
const BODIES = {
  session: z.strictObject({ secret: text(256) }),
  password: z.strictObject({ password: text(1_024) }),
  plan: z.strictObject({ text: text(65_536) }),
  network: z.strictObject({
    method: z.enum(["dhcp", "static"]),
    interface: text(64).optional(),
    address: text(64).optional(),
    gateway: text(64).optional(),
    dns: z.array(text(64)).max(8).optional(),
  }),
  reset: z.strictObject({ tier: z.enum(["settings", "everything"]), confirm: text(64) }),
  nothing: z.strictObject({}),
} as const;

/**
 * The console's HTTP interface: the page, a glance for everybody in reach, and the rest for the administrator.
 *
 * A change is taken only as JSON, from the page's own origin, in a login, and with that login's token.
 */
export function consoleApplication({ desk, access, log, onPlan }: ConsoleParts): Hono<ConsoleBindings> {
  const application = new Hono<ConsoleBindings>();
  application.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
  });
  const loginOf = (context: Context<ConsoleBindings>): Omit<LocalLogin, "token"> | undefined => access.find(getCookie(context, COOKIE));
  const setSession = (context: Context<ConsoleBindings>, token: string, maxAge: number): void =>
    setCookie(context, COOKIE, token, { httpOnly: true, sameSite: "Strict", path: "/", maxAge });

  /** A route that only the administrator reads. */
  const read = (path: string, answer: () => Promise<object>): void => {
    application.get(path, async (context) => (loginOf(context) ? context.json(await answer()) : problem("notLoggedIn")));
  };
  /** A route by which the administrator changes something. */
  const change = <B extends z.ZodType>(
    path: string,
    schema: B,
    act: (body: z.output<B>, context: Context<ConsoleBindings>) => Promise<Response>,
  ): void => {
    application.post(path, async (context) => {
      const login = loginOf(context);
      if (!login) return problem("notLoggedIn");
      if (!isOwnOrigin(context) || !isSame(context.req.header("x-csrf-token") ?? "", login.csrf)) return problem("crossSite");
      const body = await bodyOf(context, schema);
      return body === undefined ? problem("malformed") : act(body, context);
    });
  };

  for (const [path, mediaType] of Object.entries(TYPES)) {
    application.get(path, (context) => {
      const files: Readonly<Record<string, string>> | undefined = boxPageFiles;
      const packed = files?.[path];
      return packed === undefined ? problem("notFound") : packedAnswer({ mediaType, packed }, context.req.header("accept-encoding"));
    });
  }
  application.get("/api/glance", (context) => {
    const { claim, ...glance } = desk.glance();
    const shown = claim && { ...claim, text: claimText(claim), rows: qrRows(claimText(claim)) };
    return context.json({ ...glance, claim: shown ?? null });
  });
  application.get("/api/session", (context) => {
    const login = loginOf(context);
    return login ? context.json({ csrf: login.csrf }) : problem("notLoggedIn");
  });
  application.post("/api/session", async (context) => {
    if (!isOwnOrigin(context)) return problem("crossSite");
    const body = await bodyOf(context, BODIES.session);
    if (!body) return problem("malformed");
    const verdict = await access.logIn(body.secret, context.env.address);
    log.info("console.login", { outcome: verdict.ok ? "done" : verdict.error.code, address: context.env.address });
    if (!verdict.ok) return problem(verdict.error.code, verdict.error.waitMs === undefined ? {} : { retryAfterMs: verdict.error.waitMs });
    setSession(context, verdict.value.token, 3_600);
    return context.json({ csrf: verdict.value.csrf });
  });
  change("/api/log-out", BODIES.nothing, async (_body, context) => {
    access.logOut(getCookie(context, COOKIE) ?? "");
    setSession(context, "", 0);
    return context.json({});
  });
  change("/api/password", BODIES.password, async ({ password }, context) => {
    const set = await access.setPassword(password, getCookie(context, COOKIE) ?? "");
    if (!set.ok) return problem(set.error.code);
    log.info("console.passwordSet", { address: context.env.address });
    return context.json({});
  });
  read("/api/view", () => desk.view());
  read("/api/logs", async () => ({ lines: await desk.logs() }));
  change("/api/plan", BODIES.plan, async (body, context) => taken(desk.propose(body.text), "console.planTaken", context));
  change("/api/network", BODIES.network, async (body, context) => taken(desk.changeNetwork(body), "console.networkChanged", context));
  change("/api/restart", BODIES.nothing, async (_body, context) => {
    const refusal = await desk.restartNode();
    log.info("console.restart", { outcome: refusal ?? "done", address: context.env.address });
    return refusal === undefined ? context.json({}) : problem("refused", { mistakes: [refusal] });
  });
  change("/api/reset", BODIES.reset, async ({ tier, confirm }, context) => {
    const refusal = await desk.reset(tier, confirm.trim());
    log.warn("console.reset", { tier, outcome: refusal ?? "done", address: context.env.address });
    return refusal === undefined ? context.json({}) : problem("refused", { mistakes: [refusal] });
  });
  application.get("/api/support", async (context) => {
    if (!loginOf(context)) return problem("notLoggedIn");
    const bundle = await packSupport(await desk.supportFiles(), desk.secrets());
    return new Response(Uint8Array.from(bundle), {
      headers: { "content-type": "application/gzip", "content-disposition": 'attachment; filename="bizra-support.tar.gz"', ...HEADERS },
    });
  });
  application.notFound(() => problem("notFound"));

  function taken(verdict: ReturnType<BoxDesk["propose"]>, event: string, context: Context<ConsoleBindings>): Response {
    if (!verdict.ok) return problem("mistakes", { mistakes: verdict.error });
    log.info(event, { address: context.env.address });
    onPlan();
    return context.json({});
  }
  return application;
}

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" } as const;

/** @see RFC 9457 */
function problem(code: keyof typeof PROBLEMS, { mistakes, retryAfterMs }: Extra = {}): Response {
  const { status, title } = PROBLEMS[code];
  const retry = retryAfterMs === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
  return new Response(JSON.stringify({ type: `urn:bizra:problem:${code}`, title, status, code, ...(mistakes && { mistakes }) }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      ...HEADERS,
      ...retry,
    },
  });
}

/** Whether a browser says that the page itself asked; what is no browser says nothing, and has no cookie of one. */
function isOwnOrigin(context: Context<ConsoleBindings>): boolean {
  const [site, origin] = [context.req.header("sec-fetch-site"), context.req.header("origin")];
  if (site !== undefined && site !== "same-origin") return false;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === context.req.header("host"));
}

async function bodyOf<B extends z.ZodType>(context: Context<ConsoleBindings>, schema: B): Promise<z.output<B> | undefined> {
  if (!/^application\/json\s*(;|$)/i.test(context.req.header("content-type") ?? "")) return undefined;
  try {
    const parsed = schema.safeParse(await context.req.json());
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // how a body that is no JSON is reported
    return undefined;
  }
}
