import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { DESK_SOCKET } from "./aggregator-home.ts";
import { CommandFailure, type FlagSpec } from "./command.ts";

/** Which aggregator a command speaks to. */
export const AGGREGATOR_HOME_FLAG: Readonly<Record<string, FlagSpec>> = {
  home: { kind: "text", value: "DIR", doc: "Home of the aggregator, which runs." },
};

/** Which network's node is meant. */
export const NODE_NETWORK_FLAG: Readonly<Record<string, FlagSpec>> = {
  network: { kind: "text", value: "HASH", doc: "Genesis hash of the node's network." },
};

/** What a desk answered: its status and its JSON, when there was any. */
export type DeskAnswer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** Asks the running aggregator of a home, over the socket that only its owner may open. */
export async function askDesk(home: string, method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<DeskAnswer> {
  const unix = join(resolve(home), DESK_SOCKET);
  const notRunning = new CommandFailure(`expected an aggregator that runs on ${home}; start it with \`bizra aggregator --home ${home}\``);
  if (!existsSync(unix)) throw notRunning;
  let response: Response;
  try {
    response = await Bun.fetch(`http://desk${path}`, {
      method,
      unix,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error; // nobody listens there: the aggregator ended without taking its socket away
    throw notRunning;
  }
  const text = await response.text();
  const json: unknown = text === "" ? {} : JSON.parse(text);
  return { status: response.status, body: typeof json === "object" && json !== null ? Object.fromEntries(Object.entries(json)) : {} };
}

/** The list under a key of an answer, each entry as a record. */
export function listOf(answer: DeskAnswer, key: string): readonly Readonly<Record<string, unknown>>[] {
  const list = answer.body[key];
  return Array.isArray(list) ? list.map((entry: unknown) => (typeof entry === "object" && entry !== null ? { ...entry } : {})) : [];
}

/** What an answer holds. @throws CommandFailure when it is a refusal */
export function expectStatus(answer: DeskAnswer, status: number): DeskAnswer["body"] {
  if (answer.status === status) return answer.body;
  const { code, detail } = answer.body;
  throw new CommandFailure(`the aggregator refused: ${String(code ?? answer.status)}${detail === undefined ? "" : `: ${String(detail)}`}`);
}
