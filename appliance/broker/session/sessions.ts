import { assert, type CancelTimer, type Clock, err, ok, type Result, type Timers } from "../../../src/kernel/index.ts";
import { afterLong } from "../deadline.ts";
import type { Message } from "../message.ts";
import type { Subscriptions } from "../routing/subscriptions.ts";
import type { StoredSession } from "../rows.ts";
import { parseTopicFilter, type TopicBounds } from "../topics/topic-rules.ts";
import type { Principal, ProtocolVersion } from "../types.ts";
import type { Wills } from "../wills.ts";
import { Session, type SessionLink, type SessionSurroundings, type Subscription } from "./session.ts";

/** What the registry needs. */
export interface SessionsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly subscriptions: Subscriptions;
  readonly wills: Wills;
  readonly surroundings: SessionSurroundings;
  readonly topicBounds: TopicBounds;
  readonly sessionsMax: number;
  readonly sessionsPerPrincipalMax: number;
}

/** What a CONNECT asks of its session. */
export interface SessionRequest {
  readonly clientId: string;
  readonly principal: Principal;
  readonly version: ProtocolVersion;
  readonly isCleanStart: boolean;
  readonly expirySeconds: number;
  readonly link: SessionLink;
}

/** Every session, connected or not, and the end of those that nobody comes back to. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #byClient = new Map<string, Session>();
  readonly #expiring = new Map<string, CancelTimer>();
  /** Sessions of each principal, by its name. */
  readonly #owned = new Map<string, number>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Sessions, connected or not. */
  get count(): number {
    return this.#byClient.size;
  }

  /** The session of a client id. */
  find(clientId: string): Session | undefined {
    return this.#byClient.get(clientId);
  }

  /**
   * Gives a connection its session: the one of before, or a new one. Whoever is connected with it is told and ended first.
   * Refused: a session of another principal (`notAuthorized`), and one too many (`full`).
   *
   * @see MQTT-3.1.2-4, -5, -6, MQTT-3.1.4-3
   */
  open(request: SessionRequest): Result<{ session: Session; isPresent: boolean }, "notAuthorized" | "full"> {
    const { clientId, principal, version, expirySeconds, link } = request;
    const occupant = this.#byClient.get(clientId);
    if (occupant !== undefined && occupant.owner !== principal.name) return err("notAuthorized");
    if (occupant === undefined && !this.#hasRoomFor(principal.name)) return err("full");
    occupant?.link?.takeOver();
    const before = this.#byClient.get(clientId);
    assert(before?.link === undefined, "a session that is taken over has let its connection go");
    if (before !== undefined && request.isCleanStart) this.#end(before);
    const kept = this.#byClient.get(clientId);
    this.#stopExpiry(clientId);
    if (kept === undefined) this.#options.wills.onSessionEnded(clientId);
    else this.#options.wills.disarm(clientId);
    const session = kept ?? new Session({ clientId, owner: principal.name, version, expirySeconds }, this.#options.surroundings, false);
    if (kept === undefined) this.#add(session);
    session.version = version;
    session.setExpiry(expirySeconds);
    session.link = link;
    session.save(undefined);
    return ok({ session, isPresent: kept !== undefined });
  }

  /** The connection of a session ended: it waits for the next, or ends with it. */
  release(session: Session, link: SessionLink): void {
    if (session.link !== link) return;
    session.link = undefined;
    session.outbox.end();
    if (!session.isPersistent) {
      this.#end(session);
      return;
    }
    session.save(this.#options.clock.nowMs());
    this.#expireAfter(session, 1000 * session.expirySeconds);
  }

  /** Takes in a session that was kept; one that expired meanwhile ends. */
  restore(stored: StoredSession, messages: ReadonlyMap<number, Message>): void {
    const { clock, surroundings, topicBounds, subscriptions } = this.#options;
    const session = new Session(stored.session, surroundings, true);
    const inForce: Subscription[] = stored.subscriptions.flatMap((row) => {
      const parsed = parseTopicFilter(row.filter, topicBounds);
      return parsed.ok ? [{ ...row, parsed: parsed.value }] : []; // bounds may have been tightened
    });
    const deliveries = stored.deliveries.flatMap((row) => {
      const message = messages.get(row.messageId);
      return message === undefined ? [] : [{ ...row, message }];
    });
    session.restore(inForce, deliveries, stored.received);
    this.#add(session);
    for (const subscription of inForce) subscriptions.add(session, subscription, true);
    const sinceMs = stored.session.disconnectedAtMs ?? clock.nowMs();
    if (stored.session.disconnectedAtMs === undefined) session.save(sinceMs);
    this.#expireAfter(session, Math.max(0, sinceMs + 1000 * session.expirySeconds - clock.nowMs()));
  }

  /** Stops waiting; sessions stay as they are kept. */
  stop(): void {
    for (const cancel of this.#expiring.values()) cancel();
    this.#expiring.clear();
  }

  /** One principal under many client ids leaves room for the others. */
  #hasRoomFor(owner: string): boolean {
    const { sessionsMax, sessionsPerPrincipalMax } = this.#options;
    return this.#byClient.size < sessionsMax && (this.#owned.get(owner) ?? 0) < sessionsPerPrincipalMax;
  }

  #add(session: Session): void {
    this.#byClient.set(session.clientId, session);
    this.#owned.set(session.owner, (this.#owned.get(session.owner) ?? 0) + 1);
  }

  #expireAfter(session: Session, delayMs: number): void {
    this.#stopExpiry(session.clientId);
    const cancel = afterLong(this.#options.timers, delayMs, () => {
      this.#expiring.delete(session.clientId);
      this.#end(session);
    });
    this.#expiring.set(session.clientId, cancel);
  }

  #stopExpiry(clientId: string): void {
    this.#expiring.get(clientId)?.();
    this.#expiring.delete(clientId);
  }

  #end(session: Session): void {
    this.#stopExpiry(session.clientId);
    for (const { parsed } of session.subscriptions.values()) this.#options.subscriptions.remove(session, parsed);
    session.end();
    this.#byClient.delete(session.clientId);
    const left = (this.#owned.get(session.owner) ?? 0) - 1;
    assert(left >= 0, "a session that ends was counted for its owner");
    if (left > 0) this.#owned.set(session.owner, left);
    else this.#owned.delete(session.owner);
    this.#options.wills.onSessionEnded(session.clientId);
  }
}
