import { sha256 } from "../../../src/crypto/index.ts";
import { type Clock, type Entropy, toHex, utf8 } from "../../../src/kernel/index.ts";
import { LoginAttempts } from "../../../src/page/index.ts";
import type { AggregatorStore } from "../types.ts";
import { FleetProblem } from "./problem.ts";
import { type FleetRole, hashFleetPassword, type UserBook } from "./users.ts";

/** Somebody who is logged in. */
export type Principal = { readonly name: string; readonly role: FleetRole };

/** A login. `token` is the cookie's value and is kept nowhere; `csrf` goes with every change. */
export type Login = Principal & { readonly token: string; readonly csrf: string; readonly expiresAtMs: number };

/** What access stands on. */
export type AccessParts = {
  readonly store: Pick<AggregatorStore, "putLogin" | "findLogin" | "endLogin">;
  readonly users: UserBook;
  readonly clock: Clock;
  readonly entropy: Entropy;
};

/** How long a login lasts, and how many there may be; password checks at once (64 MiB each), and how many wait. */
const SESSIONS = { lastMs: 12 * 3_600_000, countMax: 1_000, checksMax: 2, waitingMax: 16 } as const;

/**
 * Logins of people, in the store: a restart does not end them, and every aggregator over that store knows them whose list
 * has the same user.
 *
 * Invariants: a token is 32 random bytes and only its hash is kept; a user who is removed, or whose password changes, is
 * logged out; the role is that of the list as it is now; a name nobody has costs as much time as a wrong password.
 */
export class FleetAccess {
  readonly #parts: AccessParts;
  readonly #attempts: LoginAttempts;
  readonly #line: (() => void)[] = [];
  #decoy: Promise<string> | undefined;
  #checks = 0;

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#attempts = new LoginAttempts(parts.clock);
  }

  /**
   * Judges a name and a password.
   *
   * @throws FleetProblem `slowDown`, `busy`, `wrongCredentials`
   */
  async logIn(name: string, password: string, address: string): Promise<Login> {
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) throw new FleetProblem("slowDown", `try again in ${Math.ceil(waitMs / 1_000)} s`, waitMs);
    const { users, clock, entropy } = this.#parts;
    const user = users.find(name);
    this.#decoy ??= hashFleetPassword(toHex(entropy.bytes(16)));
    const isRight = await this.#check(password, user?.passwordHash ?? (await this.#decoy));
    if (!user || !isRight) {
      this.#attempts.onFailure(address);
      throw new FleetProblem("wrongCredentials", "expected the name and password of a user of this console");
    }
    this.#attempts.onSuccess(address);
    const token = toHex(entropy.bytes(32));
    const nowMs = clock.nowMs();
    const expiresAtMs = nowMs + SESSIONS.lastMs;
    const login = { key: hashOf(token), name, passwordMark: hashOf(user.passwordHash), expiresAtMs };
    await this.#parts.store.putLogin(login, nowMs, SESSIONS.countMax);
    return { name, role: user.role, token, csrf: csrfOf(token), expiresAtMs };
  }

  /** Whose login a token is; undefined when it is none, or no longer. */
  async find(token: string | undefined): Promise<Omit<Login, "token"> | undefined> {
    if (token === undefined || !/^[0-9a-f]{64}$/.test(token)) return undefined;
    const { store, users, clock } = this.#parts;
    const login = await store.findLogin(hashOf(token));
    const user = login && users.find(login.name);
    if (!login || !user || hashOf(user.passwordHash) !== login.passwordMark || login.expiresAtMs <= clock.nowMs()) return undefined;
    return { name: user.name, role: user.role, csrf: csrfOf(token), expiresAtMs: login.expiresAtMs };
  }

  /** Ends a login. */
  async logOut(token: string): Promise<void> {
    await this.#parts.store.endLogin(hashOf(token));
  }

  async #check(password: string, hash: string): Promise<boolean> {
    if (this.#checks >= SESSIONS.checksMax) {
      if (this.#line.length >= SESSIONS.waitingMax) throw new FleetProblem("busy", "try again in a moment", 1_000);
      await new Promise<void>((resolve) => this.#line.push(resolve));
    } else this.#checks++;
    try {
      return await Bun.password.verify(password, hash);
    } finally {
      const next = this.#line.shift();
      if (next) next();
      else this.#checks--;
    }
  }
}

function hashOf(text: string): string {
  return toHex(sha256(utf8(text)));
}

/** Goes with every change: follows from the token, which scripts and other sites never see. */
function csrfOf(token: string): string {
  return hashOf(`a change by ${token}`).slice(0, 32);
}
