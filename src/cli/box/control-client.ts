import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { findHome } from "../../config/index.ts";
import { laySignstate } from "../../node/index.ts";
import { isJson } from "../client.ts";
import { CommandFailure, type CommandInput, type FlagSpec, required } from "../command.ts";
import { controlSocketOf } from "./box-files.ts";

/** The home whose box is meant. */
export const BOX_HOME_FLAG: Readonly<Record<string, FlagSpec>> = {
  home: { kind: "text", value: "DIR", doc: "Home of the box's node (default: BIZRA_HOME)." },
};

/** Where what keys have signed is kept, apart from the home. */
export const SIGNSTATE_FLAG: Readonly<Record<string, FlagSpec>> = {
  signstate: { kind: "text", value: "DIR", doc: "Folder on another disk for what binds keys and how far they have signed; kept for ever." },
};

/** Gives the home the place apart that a command names, before a key is made or used there. */
export function layPlaceApart(home: string, input: CommandInput): void {
  const target = input.flag("signstate");
  if (target !== undefined) laySignstate(home, resolve(target));
}

/** The home that a command names. */
export function boxHomeOf(input: CommandInput): string {
  return input.flag("home") ?? findHome() ?? required(input, "home");
}

/**
 * Asks the main process of a box on this machine.
 *
 * @returns undefined when none runs there
 * @throws CommandFailure with the stable code in the sentence when it refuses
 */
export async function askBox(
  home: string,
  method: "GET" | "POST",
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const unix = controlSocketOf(home);
  if (unix === undefined || !existsSync(unix)) return undefined;
  const answer = await reach(unix, method, path, body);
  if (answer === undefined) return undefined;
  const value: unknown = await answer.json();
  const known = isJson(value) ? value : {};
  if (answer.ok) return known;
  throw new CommandFailure(`${String(known["detail"])} (${String(known["code"])})`);
}

async function reach(unix: string, method: string, path: string, body: unknown): Promise<Response | undefined> {
  try {
    return await fetch(`http://box${path}`, { unix, method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // ECONNREFUSED and its like: a socket that was left over
    return undefined;
  }
}

/** As `askBox`, where there must be one. */
export async function requireBox(
  home: string,
  method: "GET" | "POST",
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await askBox(home, method, path, body);
  if (answer) return answer;
  throw new CommandFailure(`no box runs on ${home}; start it with \`bizra box run --home ${home}\` (boxNotRunning)`);
}
