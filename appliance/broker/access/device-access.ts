import { assert, type Clock, err, type Log, ok, type Result } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import type { Access, AuthenticationRefusal, Credentials, Principal } from "../types.ts";
import { type AccessList, type AccessUser, isValidAt, NAME_PATTERN } from "./access-list.ts";
import { CERTIFICATE_ONLY, hashPassword, isCostly, isProvenBy } from "./credentials.ts";
import { FailurePacer, isLoopbackAddress, paceKeyOf } from "./failure-pacer.ts";
import { withoutShare } from "./filter-rules.ts";
import { type Permissions, permissionsOf, permits, ROLES, type Role, type TopicScope } from "./roles.ts";

/** From where clients without certificate and login are let in. */
export type Anonymity = "off" | "loopback" | "all";

/** What access rules are made of. */
export type AccessOptions = {
  readonly scope: TopicScope;
  readonly anonymous: Anonymity;
  readonly clock: Clock;
  readonly log: Log;
};

/** Argon2 hashes computed at a time, each of 19 MiB, and logins that wait for their turn; more are told to come again. */
const HASHES_AT_A_TIME = 2;
const LOGINS_WAITING_MAX = 256;
/** Permissions kept ready, by principal. */
const PERMISSIONS_MAX = 4_096;

type Outcome = "certificate" | "login" | "anonymous" | AuthenticationRefusal;

/**
 * Who may come in: by the name of a verified client certificate, by user name and password or token, else without a name
 * where that is configured. The list may be replaced while clients are connected.
 *
 * A certificate of the configured authority is let in as a device even when the list does not name it; the list can give it
 * another role. Whoever shows a login is judged by it and never falls back to being anonymous.
 */
export class DeviceAccess implements Access, MetricSource {
  readonly #options: AccessOptions;
  readonly #pacer: FailurePacer;
  readonly #counts = new Map<Outcome | "paced", number>();
  readonly #permissions = new Map<string, Permissions>();
  readonly #waiting: (() => void)[] = [];
  #list: AccessList = new Map();
  #hashing = 0;
  #decoy: Promise<string> | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#pacer = new FailurePacer(options.clock);
  }

  /**
   * Puts another list in force.
   *
   * @returns names of which this list says something else: whoever is connected under one of them is to be disconnected
   */
  replace(list: AccessList): ReadonlySet<string> {
    const before = this.#list;
    this.#list = list;
    this.#permissions.clear();
    const names = new Set([...before.keys(), ...list.keys()]);
    for (const name of names) if (isSameUser(before.get(name), list.get(name))) names.delete(name);
    return names;
  }

  async authenticate(credentials: Credentials): Promise<Result<Principal, AuthenticationRefusal>> {
    const address = paceKeyOf(credentials.remote.address);
    const showsLogin = credentials.username !== undefined || credentials.password !== undefined;
    if (showsLogin && credentials.security.certificateName === undefined && this.#pacer.waitMs(address) > 0) {
      this.#count("paced");
      return err("unavailable");
    }
    const judged = await this.#judge(credentials);
    if (!judged.ok) {
      this.#count(judged.error);
      if (judged.error === "badCredentials") {
        this.#pacer.onFailure(address);
        this.#options.log.warn("mqtt.loginRefused", { address, waitMs: this.#pacer.waitMs(address) });
      }
      return judged;
    }
    const { principal, how } = judged.value;
    this.#count(how);
    if (how === "login") this.#pacer.onSuccess(address);
    assert(NAME_PATTERN.test(principal.name), "a principal's name is a level of a topic");
    return ok(principal);
  }

  mayPublish(principal: Principal, topic: string): boolean {
    return permits(this.#permissionsFor(principal).publish, topic);
  }

  maySubscribe(principal: Principal, filter: string): boolean {
    return permits(this.#permissionsFor(principal).subscribe, withoutShare(filter));
  }

  /** Counts of logins for the metrics. */
  collect(): MetricFamily[] {
    const samples = [...this.#counts].map(([outcome, value]) => ({ labels: { outcome }, value }));
    const help = "Connections judged, by outcome: how they were let in, or why not.";
    return samples.length === 0 ? [] : [{ name: "bizra_mqtt_authentications_total", help, kind: "counter", samples }];
  }

  async #judge(credentials: Credentials): Promise<Result<{ principal: Principal; how: Outcome }, AuthenticationRefusal>> {
    const { clientId, username, security } = credentials;
    const { certificateName } = security;
    if (certificateName !== undefined) {
      if (!NAME_PATTERN.test(certificateName)) return err("notAuthorized");
      const user = this.#list.get(certificateName);
      if (user && !this.#isValid(user)) return err("notAuthorized");
      return ok({ principal: { name: certificateName, role: user?.role ?? "device" }, how: "certificate" });
    }
    if (username !== undefined || credentials.password !== undefined) {
      const user = await this.#login(username ?? "", credentials.password);
      return user.ok ? ok({ principal: { name: user.value.name, role: user.value.role }, how: "login" }) : user;
    }
    const { anonymous } = this.#options;
    const isLetIn = anonymous === "all" || (anonymous === "loopback" && isLoopbackAddress(credentials.remote.address));
    if (!isLetIn) return err("notAuthorized");
    if (!NAME_PATTERN.test(clientId)) return err("clientIdInvalid");
    // The name of somebody who logs in is not to be had by claiming it.
    if (this.#list.has(clientId)) return err("notAuthorized");
    return ok({ principal: { name: clientId, role: "device" }, how: "anonymous" });
  }

  async #login(name: string, password: Uint8Array | undefined): Promise<Result<AccessUser, AuthenticationRefusal>> {
    const user = this.#list.get(name);
    const presented = new TextDecoder().decode(password ?? new Uint8Array(0));
    // A name that is not listed costs as much time as one that is, so names cannot be told apart by it.
    const secret = user && user.secret !== CERTIFICATE_ONLY ? user.secret : await this.#decoySecret();
    if (isCostly(secret) && !(await this.#takeTurn())) return err("unavailable");
    let isProven: boolean;
    try {
      isProven = await isProvenBy(secret, presented);
    } finally {
      if (isCostly(secret)) this.#giveTurn();
    }
    // The list may have changed meanwhile: what counts is the entry that was asked.
    if (!user || !isProven || user.secret !== secret || this.#list.get(name) !== user || !this.#isValid(user)) return err("badCredentials");
    return ok(user);
  }

  #decoySecret(): Promise<string> {
    this.#decoy ??= hashPassword("a password that nobody has");
    return this.#decoy;
  }

  #takeTurn(): Promise<boolean> {
    if (this.#hashing < HASHES_AT_A_TIME) {
      this.#hashing += 1;
      return Promise.resolve(true);
    }
    if (this.#waiting.length >= LOGINS_WAITING_MAX) return Promise.resolve(false);
    return new Promise((resolve) => this.#waiting.push(() => resolve(true)));
  }

  /** Hands the turn on to who waits longest. */
  #giveTurn(): void {
    assert(this.#hashing > 0, "a turn is given back by who took it");
    const next = this.#waiting.shift();
    if (next) next();
    else this.#hashing -= 1;
  }

  #permissionsFor({ name, role: given }: Principal): Permissions {
    const user = this.#list.get(name);
    const role: Role | undefined = ROLES.find((known) => known === given);
    if (role === undefined || (user && (user.role !== role || !this.#isValid(user)))) return NOTHING;
    const key = `${role} ${name}`;
    const known = this.#permissions.get(key);
    if (known) return known;
    const base = permissionsOf(role, name, this.#options.scope);
    const permissions = {
      publish: [...base.publish, ...(user?.publish ?? [])],
      subscribe: [...base.subscribe, ...(user?.subscribe ?? [])],
    };
    if (this.#permissions.size >= PERMISSIONS_MAX) forgetFirst(this.#permissions);
    this.#permissions.set(key, permissions);
    return permissions;
  }

  #isValid(user: AccessUser): boolean {
    return isValidAt(user, this.#options.clock.nowMs());
  }

  #count(outcome: Outcome | "paced"): void {
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
  }
}

const NOTHING: Permissions = { publish: [], subscribe: [] };

function isSameUser(before: AccessUser | undefined, after: AccessUser | undefined): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

function forgetFirst(map: Map<string, unknown>): void {
  const first = map.keys().next();
  if (!first.done) map.delete(first.value);
}
