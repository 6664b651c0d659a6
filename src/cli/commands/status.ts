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
    const client = NodeClient.of(input);
    const answer = await client.get("/api/v2/status");
    const peers = await client.get("/api/v2/peers");
    terminal.result({ ...answer, connections: peers }, () =>
      [...flatten(answer), ...describePeers(peers).map(({ text }) => text)].join("\n"),
    );
    return 0;
  },
};

/** A line on a node that is connected or should be, and whether somebody should see to it. */
export type PeerLine = { readonly text: string; readonly isTrouble: boolean };

/** A line for each node that is connected or should be. */
export function describePeers(peers: Readonly<Record<string, unknown>>): PeerLine[] {
  const listOf = (name: string): Readonly<Record<string, unknown>>[] => (Array.isArray(peers[name]) ? peers[name].filter(isJson) : []);
  const connected = listOf("connected").map(({ peer, isValidator, rttMs, behind, silentSeconds, address }) => {
    const standing =
      behind === undefined ? "has proven no block yet" : behind === 0 ? "level with us" : `${printable(behind)} blocks behind us`;
    const trip = rttMs === undefined ? "" : `, ${printable(rttMs)} ms away`;
    const isTrouble = Number(silentSeconds) > 15;
    const silence = isTrouble ? `, silent for ${printable(silentSeconds)} s` : "";
    const who = `${isValidator ? "validator" : "observer"} ${printable(peer).slice(0, 16)} at ${printable(address)}`;
    return { text: `${who}: ${standing}${trip}${silence}`, isTrouble };
  });
  const absent = listOf("absent").map(({ address, failures, reason }) => {
    const why = reason === undefined ? "not tried yet" : `${printable(reason)}, ${printable(failures)} tries`;
    return { text: `absent ${printable(address)}: ${why}`, isTrouble: true };
  });
  const missing = Array.isArray(peers["missingValidators"]) ? peers["missingValidators"] : [];
  const shared = peers["sharedKey"];
  const where = isJson(shared) && shared["address"] !== undefined ? ` at ${printable(shared["address"])}` : "";
  const twin = isJson(shared) ? [{ text: `another box${where} runs this node's key: stop one of the two`, isTrouble: true }] : [];
  const text = `validators not connected: ${missing.map((key) => printable(key).slice(0, 16)).join(", ")}`;
  return [...twin, ...connected, ...absent, ...(missing.length > 0 ? [{ text, isTrouble: true }] : [])];
}

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
