import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type AccessList,
  type AccessUser,
  CERTIFICATE_ONLY,
  hashPassword,
  makeToken,
  PASSWORD_LENGTH,
  parseUser,
  ROLES,
  readAccessFile,
  writeAccessFile,
} from "../../../appliance/broker/index.ts";
import { findHome } from "../../config/index.ts";
import { HOME, systemEntropy } from "../../node/index.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import type { Terminal } from "../terminal.ts";

const HOME_FLAG: Readonly<Record<string, FlagSpec>> = {
  home: { kind: "text", value: "DIR", doc: "Home of the node (default: BIZRA_HOME)." },
};

/** `bizra mqtt user add`: lists somebody who may connect to the device broker, or replaces what is listed. */
export const mqttUserAdd: Command = {
  name: "mqtt user add",
  summary:
    "Lets a user connect to the device broker, by a password that is asked for or read from standard input, by a token that is made, or by certificate. A running node takes it up within a second.",
  arguments: "NAME",
  positionalsMin: 1,
  flags: {
    ...HOME_FLAG,
    role: { kind: "text", value: "ROLE", doc: `${ROLES.join(", ")} (default device).` },
    token: { kind: "presence", doc: "Makes a random token, printed once, to be given as the password." },
    certificate: { kind: "presence", doc: "Known by the name in a client certificate alone; for a role other than device." },
    publish: { kind: "text", value: "FILTER", isRepeatable: true, doc: "A topic filter to publish to, beyond those of the role." },
    subscribe: { kind: "text", value: "FILTER", isRepeatable: true, doc: "A topic filter to subscribe to, beyond those of the role." },
    "valid-until": { kind: "text", value: "TIME", doc: "When it ends, e.g. 2027-01-31T00:00:00Z (default: never)." },
    replace: { kind: "presence", doc: "Replaces a user of this name." },
  },
  async run(input, terminal) {
    const [name = ""] = input.positionals;
    const { path, list } = openList(input);
    if (list.has(name) && !input.has("replace"))
      throw new CommandFailure(`expected a new name, but ${name} is listed already; remove it first, or give --replace`);
    const { secret, token } = await obtainSecret(input, terminal);
    const [publish, subscribe, validUntil] = [input.flags("publish"), input.flags("subscribe"), input.flag("valid-until")];
    const user = parseUser({
      name,
      role: input.flag("role") ?? "device",
      secret,
      ...(validUntil === undefined ? {} : { validUntil }),
      ...(publish.length > 0 ? { publish } : {}),
      ...(subscribe.length > 0 ? { subscribe } : {}),
    });
    if (!user.ok) throw new UsageError(user.error);
    writeAccessFile(path, new Map([...list, [name, user.value]]));
    const shown = { ...describe(user.value), ...(token === undefined ? {} : { token }) };
    terminal.result(shown, () =>
      token === undefined ? `${name} may connect as ${user.value.role}` : `${name} may connect as ${user.value.role}\ntoken ${token}`,
    );
    return 0;
  },
};

/** `bizra mqtt user remove`: lets somebody connect no more. */
export const mqttUserRemove: Command = {
  name: "mqtt user remove",
  summary: "Lets a user connect to the device broker no more; a running node ends its connections within a second.",
  arguments: "NAME",
  positionalsMin: 1,
  flags: HOME_FLAG,
  run(input, terminal) {
    const [name = ""] = input.positionals;
    const { path, list } = openList(input);
    if (!list.has(name)) throw new CommandFailure(`expected a listed user, got ${name}; \`bizra mqtt user list\` shows who is`);
    writeAccessFile(path, new Map([...list].filter(([listed]) => listed !== name)));
    terminal.result({ name, isRemoved: true }, () => `${name} is removed`);
    return Promise.resolve(0);
  },
};

/** `bizra mqtt user list`: who may connect; never a secret. */
export const mqttUserList: Command = {
  name: "mqtt user list",
  summary: "Lists who may connect to the device broker, beside devices with a certificate and anonymous ones where these are let in.",
  flags: HOME_FLAG,
  run(input, terminal) {
    const users = [...openList(input).list.values()].map(describe);
    terminal.result({ users }, () =>
      users.length === 0
        ? "nobody is listed"
        : users
            .map(
              ({ name, role, by, validUntil }) => `${name.padEnd(24)} ${role.padEnd(8)} ${by}${validUntil ? ` until ${validUntil}` : ""}`,
            )
            .join("\n"),
    );
    return Promise.resolve(0);
  },
};

function openList(input: CommandInput): { readonly path: string; readonly list: AccessList } {
  const home = input.flag("home") ?? findHome() ?? required(input, "home");
  if (!existsSync(home)) throw new CommandFailure(`expected a home at ${home}, which does not exist`);
  const path = join(home, HOME.mqttAccess);
  const list = readAccessFile(path);
  if (!list.ok) throw new CommandFailure(`${list.error}; correct the file, or move it away and list the users anew`);
  return { path, list: list.value };
}

/** A password comes from a person or standard input, never from the command line, which others can read. */
async function obtainSecret(input: CommandInput, terminal: Terminal): Promise<{ readonly secret: string; readonly token?: string }> {
  if (input.has("token") && input.has("certificate")) throw new UsageError("expected --token or --certificate, got both");
  if (input.has("certificate")) return { secret: CERTIFICATE_ONLY };
  if (input.has("token")) return makeToken(systemEntropy);
  const typed = await terminal.askSecret("Password: ");
  if (typed !== undefined && typed !== (await terminal.askSecret("The same again: ")))
    throw new CommandFailure("expected the same password twice, got two different ones; nothing was written");
  const password = typed ?? readText("-").replace(/\r?\n$/, "");
  const { min, max } = PASSWORD_LENGTH;
  if (password.length < min || password.length > max)
    throw new CommandFailure(`expected a password of ${min} to ${max} characters, got ${password.length}; nothing was written`);
  return { secret: await hashPassword(password) };
}

function describe({ name, role, secret, validUntil, publish, subscribe }: AccessUser) {
  const by = secret === CERTIFICATE_ONLY ? "certificate" : secret.startsWith("$argon2id$") ? "password" : "token";
  return { name, role, by, ...(validUntil ? { validUntil } : {}), ...(publish ? { publish } : {}), ...(subscribe ? { subscribe } : {}) };
}
