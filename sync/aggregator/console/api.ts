import type { z } from "@hono/zod-openapi";
import { type Clock, err, ok, type Result } from "../../../src/kernel/index.ts";
import type * as enrolment from "../fleet/enrolment-schemas.ts";
import type * as schema from "../fleet/schemas.ts";
import type { ServerClock } from "./server-clock.ts";

/** Who is logged in. */
export type SessionAnswer = z.output<typeof schema.sessionAnswer>;
/** A page of nodes. */
export type NodesAnswer = z.output<typeof schema.nodesAnswer>;
/** A row of the table. */
export type NodeRow = NodesAnswer["nodes"][number];
/** One node. */
export type NodeAnswer = z.output<typeof schema.nodeAnswer>;
/** A page of a lane. */
export type EventsAnswer = z.output<typeof schema.eventsAnswer>;
/** One record. */
export type EventRow = EventsAnswer["events"][number];
/** A checkpoint and the way to its root. */
export type ProofAnswer = z.output<typeof schema.proofAnswer>;
/** Figures over time. */
export type HistoryAnswer = z.output<typeof schema.historyAnswer>;
/** Networks. */
export type NetworksAnswer = z.output<typeof schema.networksAnswer>;
/** The audit. */
export type AuditAnswer = z.output<typeof schema.auditAnswer>;
/** Leave to enrol. */
export type ClaimsAnswer = z.output<typeof enrolment.claimsAnswer>;
/** A claim with its token. */
export type ClaimAnswer = z.output<typeof enrolment.claimAnswer>;
/** Nodes that ask to be enrolled. */
export type RequestsAnswer = z.output<typeof enrolment.requestsAnswer>;
/** Findings. */
export type FindingsAnswer = z.output<typeof schema.findingsAnswer>;

/** Why there is no answer. `unreachable`: nobody answered; else the problem's code. */
export type ApiFault = { readonly code: string; readonly detail: string };

/** The fleet API of the aggregator that the page came from. Its answers are taken for what its schemas say. */
export class Api {
  readonly #clock: Clock;
  readonly #time: ServerClock;
  #csrf = "";
  /** Called when a request finds that nobody is logged in any more. */
  onLoggedOut: () => void = () => {};

  constructor(clock: Clock, time: ServerClock) {
    this.#clock = clock;
    this.#time = time;
  }

  /** Who is logged in, if somebody is. */
  async session(): Promise<Result<SessionAnswer, ApiFault>> {
    return this.#keep(await this.#ask<SessionAnswer>("GET", "/session"));
  }

  async logIn(user: string, password: string): Promise<Result<SessionAnswer, ApiFault>> {
    return this.#keep(await this.#ask<SessionAnswer>("POST", "/session", { user, password }));
  }

  logOut(): Promise<Result<object, ApiFault>> {
    return this.#ask("DELETE", "/session");
  }

  /** Reads a path below /api/v2/fleet. */
  async get<T>(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): Promise<Result<T, ApiFault>> {
    const given = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, String(value)]]));
    const text = new URLSearchParams(given).toString();
    const answer = await this.#ask<T>("GET", text === "" ? path : `${path}?${text}`);
    if (!answer.ok && answer.error.code === "notLoggedIn") this.onLoggedOut();
    return answer;
  }

  /** Makes something. */
  post<T>(path: string, body: object): Promise<Result<T, ApiFault>> {
    return this.#ask("POST", path, body);
  }

  /** Changes something. */
  put<T>(path: string, body: object): Promise<Result<T, ApiFault>> {
    return this.#ask("PUT", path, body);
  }

  #keep(answer: Result<SessionAnswer, ApiFault>): Result<SessionAnswer, ApiFault> {
    if (answer.ok) this.#csrf = answer.value.csrf;
    return answer;
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<Result<T, ApiFault>> {
    const askedAtMs = this.#clock.monotonicMs();
    const headers = { ...(body && { "content-type": "application/json" }), ...(method === "GET" ? {} : { "x-csrf-token": this.#csrf }) };
    try {
      const response = await fetch(`/api/v2/fleet${path}`, {
        method,
        headers,
        cache: "no-store",
        ...(body && { body: JSON.stringify(body) }),
      });
      const value: unknown = await response.json();
      if (!response.ok) return err(value as ApiFault);
      if (typeof value === "object" && value !== null && "now" in value) this.#time.hear(Date.parse(String(value.now)), askedAtMs);
      return ok(value as T);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error; // no connection, or no JSON
      return err({ code: "unreachable", detail: "The aggregator does not answer." });
    }
  }
}
