import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { sha256 } from "../../../../../src/crypto/index.ts";
import { Prng, silentLog, utf8 } from "../../../../../src/kernel/index.ts";
import { EnrolmentDesk, type FleetUser, fleetRoutes, type NodeRef } from "../../../../../sync/aggregator/index.ts";
import { AgentWorld } from "../../agent/agent-world.ts";
import { REF, RealAggregator } from "../ingest-world.ts";

/** Passwords of the users of tests, by name. */
export const PASSWORDS = { root: "a long password", eye: "another password" } as const;

/** A request's words, shorter. */
export type Ask = {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
};

/** The fleet API over the real ingest, fed by a real agent. */
export class ApiWorld {
  readonly users = new Map<string, FleetUser>();
  /** Nodes whose sessions the desk had ended. */
  readonly revoked: NodeRef[] = [];
  readonly aggregator: RealAggregator;
  readonly world: AgentWorld;
  readonly #ask: (path: string, init: RequestInit, env: object) => Response | Promise<Response>;
  #cookie = "";
  #csrf = "";
  #leapMs = 0;

  private constructor() {
    const nowMs = (): number => this.world.bench.time.nowMs() + this.#leapMs;
    const clock = { nowMs, monotonicMs: nowMs };
    this.aggregator = new RealAggregator(clock);
    this.world = new AgentWorld(3, this.aggregator);
    const prng = new Prng(9);
    const entropy = { bytes: (count: number) => sha256(utf8(`${prng.uint32()}`)).subarray(0, count) };
    const routes = fleetRoutes({
      store: this.aggregator.store,
      desk: new EnrolmentDesk({ store: this.aggregator.store, clock, entropy, onRevoked: (ref) => this.revoked.push(ref) }),
      users: { find: (name) => this.users.get(name) },
      clock,
      timers: {
        after(_delayMs, action) {
          queueMicrotask(action);
          return () => {};
        },
      },
      entropy,
      log: silentLog,
      isTls: false,
      version: "test",
    });
    const base = "/api/v2/fleet";
    const app = new Hono<{ Bindings: HttpBindings }>().route(base, routes[base] ?? new Hono<{ Bindings: HttpBindings }>());
    this.#ask = (path, init, env) => app.request(`${base}${path}`, init, env);
  }

  /** With an admin and a viewer. */
  static async open(): Promise<ApiWorld> {
    const world = new ApiWorld();
    for (const [name, role] of [
      ["root", "admin"],
      ["eye", "viewer"],
    ] as const) {
      // cheaper than those of people, or these tests would take a minute
      const passwordHash = await Bun.password.hash(PASSWORDS[name], { algorithm: "argon2id", memoryCost: 1_024, timeCost: 1 });
      world.users.set(name, { name, role, passwordHash });
    }
    return world;
  }

  /** Time goes by in which nobody says anything. */
  leap(ms: number): void {
    this.#leapMs += ms;
  }

  /** Logs in and keeps the cookie and the token. */
  async logIn(user: keyof typeof PASSWORDS): Promise<Response> {
    const response = await this.ask("/session", { method: "POST", body: { user, password: PASSWORDS[user] } });
    this.#cookie = response.headers.get("set-cookie")?.split(";")[0] ?? "";
    this.#csrf = ((await response.clone().json()) as { csrf: string }).csrf;
    return response;
  }

  /** Asks; a change carries the token unless its headers say otherwise. */
  async ask(path: string, { method = "GET", body, headers = {}, address = "10.0.0.1" }: Ask = {}): Promise<Response> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const all = {
      host: "fleet.test",
      ...(this.#cookie && { cookie: this.#cookie }),
      ...(method !== "GET" && { "x-csrf-token": this.#csrf }),
      ...(text !== undefined && { "content-type": "application/json", "content-length": String(text.length) }),
      ...headers,
    };
    const env = { incoming: { socket: { remoteAddress: address } } };
    return this.#ask(path, { method, headers: all, ...(text !== undefined && { body: text }) }, env);
  }

  /** The JSON of an answer. */
  async json(path: string, ask: Ask = {}): Promise<Record<string, unknown>> {
    return (await (await this.ask(path, ask)).json()) as Record<string, unknown>;
  }
}

/** The path of the node below the API's base. */
export const NODE_PATH = `/nodes/${REF.network}/${REF.node}`;
