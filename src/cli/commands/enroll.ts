import { findHome } from "../../config/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { enrolHome, findRunningNode, systemEntropy, systemTimers } from "../../node/index.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { openEnrolmentHome } from "../enrolment.ts";
import { readText } from "../files.ts";

/** `bizra enroll`: gets a node its certificate at an aggregator, and has it bring its events there. */
export const enroll: Command = {
  name: "enroll",
  summary: "Enrols a node at an aggregator: asks for a certificate with a token, waits for the approval, and sets the node up.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Home of the node (default: BIZRA_HOME)." },
    aggregator: { kind: "text", value: "URL", doc: "https://host:port of the aggregator." },
    token: { kind: "text", value: "TOKEN", doc: "What `bizra aggregator claim` printed; or:" },
    "token-file": { kind: "text", value: "FILE", doc: "A file that holds the token, - for standard input." },
    "ca-pin": { kind: "text", value: "SHA256", doc: "Fingerprint of the aggregator's authority, which it prints when it starts." },
  },
  async run(input, terminal) {
    const home = input.flag("home") ?? findHome();
    if (!home) throw new UsageError("expected --home, or BIZRA_HOME, which was not given");
    const url = urlOf(input);
    const pin = parseHex(required(input, "ca-pin").replaceAll(":", ""));
    if (pin?.length !== 32) throw new UsageError(`expected --ca-pin as 64 hex digits, got ${JSON.stringify(input.flag("ca-pin"))}`);
    const token = tokenOf(input);
    const { identity, nodeId, genesis } = await openEnrolmentHome(home, () => terminal.askSecret("Passphrase of the node's keys: "));
    let said = "";
    const enrolled = await enrolHome(
      { home, node: nodeId, network: genesis.hash, identity, url, token, pin },
      {
        timers: systemTimers,
        entropy: systemEntropy,
        onPending: () => terminal.note(`Waiting for \`bizra aggregator approve ${nodeId}\`; identity ${toHex(identity.publicKey)}`),
        onLost: (reason) => {
          if (said !== reason) terminal.note(`No answer from ${url} (${reason}); trying again`);
          said = reason;
        },
      },
    );
    if (!enrolled.ok) {
      const { code, detail } = enrolled.error;
      throw new CommandFailure(code === "settings" ? detail : `${url} refused: ${code}: ${detail}`);
    }
    const { notAfterMs, witnessKey } = enrolled.value;
    const isRunning = findRunningNode(home) !== undefined;
    const shown = {
      node: nodeId,
      aggregator: url,
      notAfter: new Date(notAfterMs).toISOString(),
      witnessKey: toHex(witnessKey),
      restart: isRunning,
    };
    terminal.result(shown, () =>
      [
        `${nodeId} is enrolled at ${url}; its certificate lasts until ${shown.notAfter} and is renewed by the node`,
        isRunning ? "restart the node, which then brings its events there" : "the node brings its events there from its next start on",
      ].join("\n"),
    );
    return 0;
  },
};

function urlOf(input: CommandInput): string {
  const text = required(input, "aggregator").replace(/\/$/, "");
  if (!/^https:\/\/[^\s@,/]{1,255}$/.test(text))
    throw new UsageError(`expected --aggregator as https://host:port, got ${JSON.stringify(text)}`);
  return text;
}

function tokenOf(input: CommandInput): string {
  const file = input.flag("token-file");
  if ((file === undefined) === (input.flag("token") === undefined)) throw new UsageError("expected one of --token and --token-file");
  return (file === undefined ? required(input, "token") : readText(file)).trim();
}
