import { localSigner, parsePkcs8Pem } from "../../crypto/index.ts";
import { parseKeyFile } from "../../identity/index.ts";
import { formatAddress, parseAddress } from "../../protocol/index.ts";
import { isJson, NODE_FLAGS, NodeClient } from "../client.ts";
import { type Command, UsageError } from "../command.ts";
import { readText } from "../files.ts";

/** `bizra status`: what is true now at a node. */
export const status: Command = {
  name: "status",
  summary: "Shows what a running node says of itself: height, sync, peers, version, limits.",
  flags: NODE_FLAGS,
  async run(input, terminal) {
    const answer = await NodeClient.of(input).get("/api/v2/status");
    terminal.result(answer, () => flatten(answer).join("\n"));
    return 0;
  },
};

/** `bizra account`: balance and nonce of an address or key file. */
export const account: Command = {
  name: "account",
  summary: "Shows balance and nonces of an account, by address or by key file.",
  arguments: "ADDRESS|FILE",
  positionalsMin: 1,
  flags: NODE_FLAGS,
  async run(input, terminal) {
    const address = addressOf(input.positionals[0] ?? "");
    const answer = await NodeClient.of(input).get(`/api/v2/accounts/${address}`);
    terminal.result(answer, () => flatten(answer).join("\n"));
    return 0;
  },
};

function addressOf(text: string): string {
  if (parseAddress(text).ok) return text;
  if (text.startsWith("bz1"))
    throw new UsageError(`expected an address, got ${text}, whose checksum does not fit; check for a mistyped character`);
  const content = readText(text);
  const seed = parsePkcs8Pem(content);
  if (seed.ok) return formatAddress(localSigner(seed.value).publicKey);
  const file = parseKeyFile(content);
  if (!file.ok) throw new UsageError(`expected an address or a key file, got ${text}: ${file.error.detail}`);
  return formatAddress(file.value.publicKey);
}

/** Lines "key  value" of a JSON object, nested keys dotted. */
export function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): string[] {
  return Object.entries(value).flatMap(([key, item]) =>
    isJson(item) ? flatten(item, `${prefix}${key}.`) : [`${`${prefix}${key}`.padEnd(28)} ${printable(item)}`],
  );
}

function printable(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
