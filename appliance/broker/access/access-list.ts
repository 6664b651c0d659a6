import { err, ok, type Result } from "../../../src/kernel/index.ts";
import { CERTIFICATE_ONLY, isSecret } from "./credentials.ts";
import { isFilter } from "./filter-rules.ts";
import { isGrantable, ROLES, type Role } from "./roles.ts";

/** Marks the form of the file. */
const FORMAT = "bizra-mqtt-access/1";
/** Users in one file. */
export const USERS_MAX = 100_000;
/** Filters granted to one user beyond its role, each way. */
const GRANTS_MAX = 32;

/** Somebody who may connect. */
export type AccessUser = {
  /** The name that a login gives and a certificate carries; the `{device}` of topics. */
  readonly name: string;
  readonly role: Role;
  /** Hash of the password or token, or `certificate`. */
  readonly secret: string;
  /** RFC 3339 time in UTC after which the user is let in no more; absent: never. */
  readonly validUntil?: string;
  /** Filters beyond those of the role. */
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
};

/** Everybody who may connect, by name. */
export type AccessList = ReadonlyMap<string, AccessUser>;

/** What a name must look like: it becomes a level of topics. */
export const NAME_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** Reads the text of an access file strictly; the error is a sentence without its full stop that names the entry. */
export function parseAccessList(text: string): Result<AccessList, string> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a SyntaxError is how JSON.parse reports text that is no JSON
    return err("expected JSON");
  }
  if (!isObject(document) || document["format"] !== FORMAT) return err(`expected "format": "${FORMAT}"`);
  const stray = Object.keys(document).find((key) => key !== "format" && key !== "users");
  if (stray !== undefined) return err(`expected "format" and "users", got "${stray}" too`);
  const { users } = document;
  if (!Array.isArray(users) || users.length > USERS_MAX) return err(`expected "users" to be a list of at most ${USERS_MAX}`);
  const list = new Map<string, AccessUser>();
  for (const [place, entry] of users.entries()) {
    const user = parseUser(entry);
    if (!user.ok) return err(`users[${place}]: ${user.error}`);
    if (list.has(user.value.name)) return err(`users[${place}]: expected each name once, got "${user.value.name}" again`);
    list.set(user.value.name, user.value);
  }
  return ok(list);
}

/** The text of a list, users in the order of their names. */
export function formatAccessList(list: AccessList): string {
  const users = [...list.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return `${JSON.stringify({ format: FORMAT, users }, undefined, 2)}\n`;
}

/** Checks one user, as it comes from a file or from a person. */
export function parseUser(entry: unknown): Result<AccessUser, string> {
  if (!isObject(entry)) return err("expected an object");
  const { name, role: asked, secret, validUntil, publish, subscribe, ...others } = entry;
  const [stray] = Object.keys(others);
  if (stray !== undefined) return err(`expected no "${stray}"`);
  if (typeof name !== "string" || !NAME_PATTERN.test(name)) return err("expected a name of 1 to 64 of A-Z, a-z, 0-9, _ and -");
  const role = ROLES.find((known) => known === asked);
  if (role === undefined) return err(`expected a role: ${ROLES.join(", ")}`);
  if (typeof secret !== "string" || !isSecret(secret)) return err(`expected the hash of a password or token, or "${CERTIFICATE_ONLY}"`);
  if (validUntil !== undefined && !(typeof validUntil === "string" && isTime(validUntil)))
    return err('expected a time such as "2027-01-31T00:00:00Z"');
  if (publish !== undefined && !isGrantList(publish, (filter) => isFilter(filter) && isGrantable(filter)))
    return err(`expected up to ${GRANTS_MAX} topic filters to publish to, each beginning with a level of its own and none with bizra or $`);
  if (subscribe !== undefined && !isGrantList(subscribe, isFilter))
    return err(`expected up to ${GRANTS_MAX} topic filters to subscribe to`);
  return ok({
    name,
    role,
    secret,
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(publish === undefined ? {} : { publish }),
    ...(subscribe === undefined ? {} : { subscribe }),
  });
}

/** Whether the user is let in at this time, in milliseconds since the Unix epoch. */
export function isValidAt({ validUntil }: AccessUser, nowMs: number): boolean {
  return validUntil === undefined || nowMs < Date.parse(validUntil);
}

function isGrantList(value: unknown, holds: (filter: string) => boolean): value is readonly string[] {
  return Array.isArray(value) && value.length <= GRANTS_MAX && value.every((filter) => typeof filter === "string" && holds(filter));
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(text) && Number.isFinite(Date.parse(text));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
