import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { err, ok, type Result } from "../../../src/kernel/index.ts";

/** What somebody may do: a viewer reads, an admin also changes things and reads the audit. */
export const FLEET_ROLES = ["viewer", "admin"] as const;

/** One of `FLEET_ROLES`. */
export type FleetRole = (typeof FLEET_ROLES)[number];

/** Somebody who may log in. */
export type FleetUser = {
  /** 1-64 of A-Z a-z 0-9 . _ -. */
  readonly name: string;
  readonly role: FleetRole;
  /** argon2id, in PHC form. */
  readonly passwordHash: string;
};

/** Who may log in, as it is now. */
export interface UserBook {
  find(name: string): FleetUser | undefined;
}

/** Characters of a password. */
export const FLEET_PASSWORD = { min: 10, max: 256 } as const;

/** File of users in an aggregator's home. */
export const USERS_FILE = "console-users.json";

const FILE_BYTES_MAX = 1024 * 1024;

const fileSchema = z.strictObject({
  version: z.literal(1),
  users: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
        role: z.enum(FLEET_ROLES),
        passwordHash: z.string().startsWith("$argon2id$").max(512),
      }),
    )
    .max(1_000),
});

/** Hashes a password by argon2id with 64 MiB and three passes. */
export function hashFleetPassword(password: string): Promise<string> {
  return Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 65_536, timeCost: 3 });
}

/** Makes a user. Errors: a sentence. */
export async function makeFleetUser(name: string, role: string, password: string): Promise<Result<FleetUser, string>> {
  const found = FLEET_ROLES.find((known) => known === role);
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) return err(`expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(name)}`);
  if (!found) return err(`expected --role as ${FLEET_ROLES.join(" or ")}, got ${JSON.stringify(role)}`);
  const { min, max } = FLEET_PASSWORD;
  if (password.length < min || password.length > max)
    return err(`expected a password of ${min} to ${max} characters, got one of ${password.length}`);
  return ok({ name, role: found, passwordHash: await hashFleetPassword(password) });
}

/** The users in a file; none when there is no file. Errors: a sentence, when it is something else. */
export function readUsers(path: string): Result<readonly FleetUser[], string> {
  if (!existsSync(path)) return ok([]);
  if (statSync(path).size > FILE_BYTES_MAX) return err(`${path}: expected at most ${FILE_BYTES_MAX} bytes`);
  const parsed = fileSchema.safeParse(parseJson(readFileSync(path, "utf8")));
  return parsed.success ? ok(parsed.data.users) : err(`${path}: expected a list of users of version 1, got something else`);
}

/** Replaces a file of users, whole or not at all, for its owner's eyes alone. */
export function writeUsers(path: string, users: readonly FleetUser[]): void {
  writeFileSync(`${path}.new`, `${JSON.stringify({ version: 1, users }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The users of a file, read again whenever it has changed, so that a command's change counts at once. */
export class UserFile implements UserBook {
  readonly #path: string;
  #stamp = "";
  #users = new Map<string, FleetUser>();

  constructor(path: string) {
    this.#path = path;
  }

  find(name: string): FleetUser | undefined {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    const stamp = stat ? `${stat.ino}/${stat.mtimeMs}/${stat.size}` : "";
    if (stamp !== this.#stamp) {
      const users = readUsers(this.#path);
      this.#users = new Map((users.ok ? users.value : []).map((user) => [user.name, user])); // a damaged list lets nobody in
      this.#stamp = stamp;
    }
    return this.#users.get(name);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
