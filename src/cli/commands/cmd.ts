import { COMMAND_LIMITS, type SendFault, sendCommand, signCommand, VERB_ROLES } from "../../../appliance/telemetry/index.ts";
import { verifyEd25519 } from "../../crypto/index.ts";
import { parseHex, silentLog } from "../../kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../node/ports.ts";
import { networkIdOf, validateGenesis } from "../../protocol/index.ts";
import { type Command, CommandFailure, type CommandInput, parseCount, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { openSigner, PASSPHRASE_FLAG } from "../signer.ts";

const FAULTS = {
  unreachable: (url) =>
    `expected a broker that speaks MQTT 5 at ${url}, and none let this client in; check the address, the login and the certificates`,
  refusedByBroker: (url) => `${url} does not let this client publish commands; give --user with the role fleet there`,
  noAnswer: (_url, node) =>
    `no answer of ${node} came in time; it may be offline, hear no commands (telemetry.fleetKeys), or have carried it out without the answer arriving`,
} as const satisfies Record<SendFault, (url: string, node: string) => string>;

/** `bizra cmd`: a signed command to one node over MQTT. */
export const cmd: Command = {
  name: "cmd",
  summary: `Signs a command of the fleet, sends it over MQTT and prints the answer. Verbs: ${Object.keys(VERB_ROLES).join(", ")}.`,
  arguments: "VERB [NAME=VALUE ...]",
  positionalsMin: 1,
  positionalsMax: 1 + COMMAND_LIMITS.argsMax,
  flags: {
    key: { kind: "text", value: "FILE", doc: "Key of the fleet that signs: a sealed account key, or PEM." },
    to: { kind: "text", value: "URL", doc: "A broker that the node is connected to: mqtt://, mqtts://, ws:// or wss://." },
    node: { kind: "text", value: "ID", doc: "The node's id, as in its status." },
    genesis: { kind: "text", value: "FILE", doc: "The network's genesis document." },
    network: { kind: "text", value: "HEX", doc: "Instead of --genesis: the chain id of status, 64 hex digits." },
    user: { kind: "text", value: "NAME", doc: "Login at the broker; answers come below fleet/NAME." },
    "password-file": { kind: "text", value: "FILE", doc: "File holding the password of that login." },
    "ca-file": { kind: "text", value: "FILE", doc: "PEM of the authorities that the broker's certificate must come from." },
    "certificate-file": { kind: "text", value: "FILE", doc: "PEM of a client certificate." },
    "certificate-key-file": { kind: "text", value: "FILE", doc: "PEM of its private key." },
    "valid-ms": { kind: "text", value: "MS", doc: "How long the command may be taken (default 60000, at most 300000)." },
    "timeout-ms": { kind: "text", value: "MS", doc: "How long to wait for the answer (default 10000)." },
    ...PASSPHRASE_FLAG,
  },
  async run(input, terminal) {
    const [verb = "", ...words] = input.positionals;
    if (!Object.hasOwn(VERB_ROLES, verb))
      throw new UsageError(`expected a verb: ${Object.keys(VERB_ROLES).join(", ")}; got ${JSON.stringify(verb)}`);
    const url = required(input, "to");
    const node = required(input, "node");
    const chainId = chainOf(input);
    const signer = await openSigner(required(input, "key"), "account", input, terminal);
    const signed = signCommand(signer, {
      chainId,
      node,
      verb,
      args: argsOf(words),
      issuedAtMs: systemClock.nowMs(),
      validityMs: parseCount(input.flag("valid-ms") ?? "60000", "--valid-ms", 1, COMMAND_LIMITS.validityMsMax),
      id: systemEntropy.bytes(16),
    });
    const answer = await sendCommand({
      address: { url, version: "5", clientId: `bizra-cmd-${systemClock.nowMs().toString(36)}`, ...loginOf(input) },
      timers: systemTimers,
      entropy: systemEntropy,
      log: silentLog,
      name: { network: networkIdOf(chainId), node },
      verb,
      signed,
      answersTo: input.flag("user") ?? "cmd",
      limitMs: parseCount(input.flag("timeout-ms") ?? "10000", "--timeout-ms", 100, 600_000),
    });
    if (!answer.ok) throw new CommandFailure(FAULTS[answer.error](url, node));
    terminal.result(answer.value, () => JSON.stringify(answer.value));
    return answer.value.status === "done" ? 0 : 1;
  },
};

function chainOf(input: CommandInput): Uint8Array {
  const path = input.flag("genesis");
  if (path === undefined) {
    const chainId = parseHex(required(input, "network"));
    if (chainId?.length !== 32) throw new UsageError("expected --network as 64 hex digits");
    return chainId;
  }
  const { genesis } = validateGenesis(readText(path), verifyEd25519);
  if (!genesis) throw new CommandFailure(`${path} is not a valid genesis; \`bizra genesis validate ${path}\` shows every check`);
  return genesis.hash;
}

function argsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const match = /^([A-Za-z][A-Za-z0-9]{0,31})=(.{0,256})$/s.exec(word);
      if (!match) throw new UsageError(`expected NAME=VALUE, got ${JSON.stringify(word)}`);
      return [match[1] ?? "", match[2] ?? ""];
    }),
  );
}

function loginOf(input: CommandInput) {
  const text = (flag: string): string | undefined => {
    const path = input.flag(flag);
    return path === undefined ? undefined : readText(path);
  };
  const [password, ca, certificate, key] = ["password-file", "ca-file", "certificate-file", "certificate-key-file"].map(text);
  const username = input.flag("user");
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: password.trimEnd() }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}
