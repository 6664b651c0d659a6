import { timingSafeEqual } from "node:crypto";
import { sha256 } from "../../src/crypto/index.ts";
import { assert, type Clock, type Entropy, err, ok, type Result, toHex, utf8 } from "../../src/kernel/index.ts";
import { LoginAttempts } from "../../src/page/index.ts";
import type { AdminBook } from "./ports.ts";

/** A login of the administrator. `token` is the cookie's value and is kept nowhere; `csrf` goes with every change. */
export type LocalLogin = { readonly token: string; readonly csrf: string; readonly expiresAtMs: number };

/** Why nobody was let in. */
export type AccessFault = { readonly code: "wrongSecret" | "slowDown" | "weakPassword"; readonly waitMs?: number };

/** How long a login lasts, how many there may be, and the length of a password. */
export const LOCAL_ACCESS = { lastMs: 3_600_000, sessionsMax: 8, passwordMin: 10, passwordMax: 256 } as const;

/** Attempts that wait to be judged; more are sent away. */
const WAITING_MAX = 8;

/** What access stands on. */
export type LocalAccessParts = {
  readonly book: AdminBook;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** The form in which codes are compared, whatever gaps and letters somebody typed. */
  readonly normalCode: (typed: string) => string;
};

/**
 * Logins of a box's administrator: by the one-time code of status.txt, or by a password set after that. In memory: a restart asks
 * again.
 *
 * Invariants: a code lets in once; what is typed is compared in constant time, one attempt after the other, and an address
 * that fails is slowed down (all of them together are not, or anybody could keep the administrator out); a token is 32 random bytes and only its hash is kept; a new password ends all other logins.
 */
export class LocalAccess {
  readonly #parts: LocalAccessParts;
  readonly #attempts: LoginAttempts;
  readonly #sessions = new Map<string, Omit<LocalLogin, "token">>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(parts: LocalAccessParts) {
    this.#parts = parts;
    this.#attempts = new LoginAttempts(parts.clock);
  }

  /** Ends all logins: the box is not the one any more that they were made at. */
  endAll(): void {
    this.#sessions.clear();
  }

  /** Judges a code or a password; one after the other, so that nobody tries many at once. */
  logIn(secret: string, address: string): Promise<Result<LocalLogin, AccessFault>> {
    if (this.#waiting >= WAITING_MAX) return Promise.resolve(err({ code: "slowDown", waitMs: 1_000 }));
    this.#waiting++;
    const verdict = this.#turn.then(() => this.#judge(secret, address)).finally(() => this.#waiting--);
    this.#turn = verdict.catch(() => {});
    return verdict;
  }

  async #judge(secret: string, address: string): Promise<Result<LocalLogin, AccessFault>> {
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return err({ code: "slowDown", waitMs });
    const { book } = this.#parts;
    const isCode = this.#isCode(secret);
    if (!isCode && !(await this.#isPassword(secret))) {
      this.#attempts.onFailure(address);
      return err({ code: "wrongSecret" });
    }
    if (isCode) book.useCode();
    this.#attempts.onSuccess(address);
    return ok(this.#begin());
  }

  /** Whose login a token is; undefined when it is none, or no longer. */
  find(token: string | undefined): Omit<LocalLogin, "token"> | undefined {
    if (token === undefined || !/^[0-9a-f]{64}$/.test(token)) return undefined;
    const key = keyOf(token);
    const session = this.#sessions.get(key);
    if (!session || session.expiresAtMs > this.#parts.clock.nowMs()) return session;
    this.#sessions.delete(key);
    return undefined;
  }

  /** Ends a login. */
  logOut(token: string): void {
    this.#sessions.delete(keyOf(token));
  }

  /** Sets the password, and ends every login but that of who set it. */
  async setPassword(password: string, token: string): Promise<Result<void, AccessFault>> {
    const { passwordMin, passwordMax } = LOCAL_ACCESS;
    if (password.length < passwordMin || password.length > passwordMax) return err({ code: "weakPassword" });
    this.#parts.book.setPasswordHash(await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 }));
    const own = keyOf(token);
    for (const key of this.#sessions.keys()) if (key !== own) this.#sessions.delete(key);
    return ok(undefined);
  }

  #begin(): LocalLogin {
    const { clock, entropy } = this.#parts;
    const [token, csrf] = [toHex(entropy.bytes(32)), toHex(entropy.bytes(16))];
    const expiresAtMs = clock.nowMs() + LOCAL_ACCESS.lastMs;
    this.#sessions.set(keyOf(token), { csrf, expiresAtMs });
    const [oldest] = this.#sessions.size > LOCAL_ACCESS.sessionsMax ? this.#sessions.keys() : [];
    if (oldest !== undefined) this.#sessions.delete(oldest);
    assert(this.#sessions.size <= LOCAL_ACCESS.sessionsMax, "logins are bounded");
    return { token, csrf, expiresAtMs };
  }

  #isCode(secret: string): boolean {
    const { book, normalCode } = this.#parts;
    const code = book.code();
    return isSame(normalCode(secret), normalCode(code ?? "")) && code !== undefined;
  }

  async #isPassword(secret: string): Promise<boolean> {
    const hash = this.#parts.book.passwordHash();
    return hash !== undefined && secret.length <= LOCAL_ACCESS.passwordMax && (await Bun.password.verify(secret, hash));
  }
}

/** Compares by the digests: in a time that tells nothing of the texts, nor of their lengths. */
export function isSame(a: string, b: string): boolean {
  return timingSafeEqual(sha256(utf8(a)), sha256(utf8(b)));
}

function keyOf(token: string): string {
  return toHex(sha256(utf8(token)));
}
