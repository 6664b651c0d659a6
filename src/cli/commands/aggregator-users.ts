import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import {
  FLEET_PASSWORD,
  FLEET_ROLES,
  type FleetUser,
  makeFleetUser,
  noteUserChange,
  readUsers,
  USER_CHANGES_FILE,
  USERS_FILE,
  writeUsers,
} from "../../../sync/aggregator/index.ts";
import { systemClock } from "../../node/index.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import type { Terminal } from "../terminal.ts";

const HOME_FLAG: Readonly<Record<string, FlagSpec>> = {
  home: { kind: "text", value: "DIR", doc: "Home of the aggregator." },
};

/** `bizra aggregator user add`: lets somebody log in to the console. */
export const aggregatorUserAdd: Command = {
  name: "aggregator user add",
  summary:
    "Lets somebody log in to the aggregator's console, by a password that is asked for or read from standard input. A running aggregator takes it up at once.",
  arguments: "NAME",
  positionalsMin: 1,
  flags: {
    ...HOME_FLAG,
    role: { kind: "text", value: "ROLE", doc: `${FLEET_ROLES.join(" or ")} (default viewer).` },
    "password-file": { kind: "text", value: "FILE", doc: "File holding the password; else it is asked for, or read from standard input." },
    replace: { kind: "presence", doc: "Replaces a user of this name, who is then logged out." },
  },
  async run(input, terminal) {
    const [name = ""] = input.positionals;
    const { home, path, users } = openUsers(input);
    const others = users.filter((user) => user.name !== name);
    if (others.length < users.length && !input.has("replace"))
      throw new CommandFailure(`expected a new name, but ${name} is listed already; remove it first, or give --replace`);
    const user = await makeFleetUser(name, input.flag("role") ?? "viewer", await obtainPassword(input, terminal));
    if (!user.ok) throw new UsageError(user.error);
    const isNew = others.length === users.length;
    note(home, isNew ? "user.added" : "user.replaced", name, `role ${user.value.role}`);
    writeUsers(path, [...others, user.value]);
    terminal.result({ name, role: user.value.role }, () => `${name} may log in as ${user.value.role}`);
    return 0;
  },
};

/** `bizra aggregator user remove`: lets somebody log in no more. */
export const aggregatorUserRemove: Command = {
  name: "aggregator user remove",
  summary: "Lets somebody log in to the aggregator's console no more, and logs them out.",
  arguments: "NAME",
  positionalsMin: 1,
  flags: HOME_FLAG,
  run(input, terminal) {
    const [name = ""] = input.positionals;
    const { home, path, users } = openUsers(input);
    const others = users.filter((user) => user.name !== name);
    if (others.length === users.length)
      throw new CommandFailure(`expected a listed user, got ${name}; \`bizra aggregator user list\` shows who is`);
    note(home, "user.removed", name, "");
    writeUsers(path, others);
    terminal.result({ name, isRemoved: true }, () => `${name} is removed`);
    return Promise.resolve(0);
  },
};

/** `bizra aggregator user list`: who may log in; never a secret. */
export const aggregatorUserList: Command = {
  name: "aggregator user list",
  summary: "Lists who may log in to the aggregator's console.",
  flags: HOME_FLAG,
  run(input, terminal) {
    const users = openUsers(input).users.map(({ name, role }) => ({ name, role }));
    terminal.result({ users }, () => users.map(({ name, role }) => `${name}  ${role}`).join("\n") || "nobody");
    return Promise.resolve(0);
  },
};

function openUsers(input: CommandInput): { readonly home: string; readonly path: string; readonly users: readonly FleetUser[] } {
  const home = resolve(required(input, "home"));
  if (!existsSync(home))
    throw new CommandFailure(`expected an aggregator's home at ${home}, got nothing there; \`bizra aggregator\` makes it`);
  const path = join(home, USERS_FILE);
  const users = readUsers(path);
  if (!users.ok) throw new CommandFailure(users.error);
  return { home, path, users: users.value };
}

/** Leaves word for the audit, which the aggregator takes in as soon as it runs. */
function note(home: string, action: string, target: string, detail: string): void {
  const { username, uid } = userInfo();
  const actor = `${username === "unknown" ? `user ${uid}` : username} on this machine`;
  noteUserChange(join(home, USER_CHANGES_FILE), { atMs: systemClock.nowMs(), actor, action, target, outcome: "ok", detail });
}

async function obtainPassword(input: CommandInput, terminal: Terminal): Promise<string> {
  const file = input.flag("password-file");
  if (file !== undefined) return readText(file).trim();
  const typed = await terminal.askSecret(`Password (${FLEET_PASSWORD.min} characters or more): `);
  if (typed === undefined) return (await Bun.stdin.text()).trim();
  if (typed !== (await terminal.askSecret("The same again: ")))
    throw new CommandFailure("expected the same password twice, got two different ones");
  return typed;
}
