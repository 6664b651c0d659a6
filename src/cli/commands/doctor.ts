import { type Inventory, readHardware } from "../../../appliance/telemetry/index.ts";
import {
  type Examination,
  examineHome,
  type Finding,
  findRunningNode,
  recoverHomeJournal,
  StartRefused,
  systemTimers,
} from "../../node/index.ts";
import { isJson, NodeClient } from "../client.ts";
import { type Command, CommandFailure, required } from "../command.ts";
import { progressOf } from "../progress.ts";
import { obtainPassphrase, PASSPHRASE_FLAG } from "../signer.ts";
import { describePeers } from "./status.ts";

/** `bizra doctor`: what is wrong with a home, and how to mend it. */
export const doctor: Command = {
  name: "doctor",
  summary: "Examines every file of a stopped node's home, or the health of a running one; says what is wrong and how to mend it.",
  flags: {
    ...PASSPHRASE_FLAG,
    home: { kind: "text", value: "DIR", doc: "Home of the node." },
    reexecute: { kind: "presence", doc: "Also executes the whole chain again from genesis and compares the state roots." },
    "recover-journal": {
      kind: "presence",
      doc: "Begins a new consensus journal in place of a lost one; only when no other box runs this key.",
    },
  },
  async run(input, terminal) {
    const home = required(input, "home");
    const askPassphrase = (): Promise<string | undefined> => obtainPassphrase(input, terminal, "Passphrase of the node's keys: ");
    const running = findRunningNode(home);
    if (running && (await isAnswering(running.http))) {
      const report = { ...(await examineRunning(home, running.http)), machine: await readHardware(systemTimers) };
      terminal.result(report, () => describe(report));
      return report.ok ? 0 : 1;
    }
    if (input.has("recover-journal")) return await recover(home, askPassphrase, terminal);
    const options = { reexecutes: input.has("reexecute"), askPassphrase, onProgress: progressOf(terminal) };
    const report = { ...(await examineHome(home, options)), machine: await readHardware(systemTimers) };
    terminal.result(report, () => describe(report));
    const isSame = report.reexecutedStateRoot === undefined || report.reexecutedStateRoot === report.stateRoot;
    return report.ok && isSame ? 0 : 1;
  },
};

async function recover(
  home: string,
  askPassphrase: () => Promise<string | undefined>,
  terminal: Parameters<Command["run"]>[1],
): Promise<number> {
  try {
    const aside = await recoverHomeJournal(home, askPassphrase);
    terminal.result(
      { ok: true, setAside: aside ?? null },
      () =>
        `This validator votes again above the chain's last block.${aside ? ` The lost journal was moved to ${aside}.` : ""} Start the node now.`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}

async function isAnswering(http: string): Promise<boolean> {
  try {
    await fetch(`${http}/livez`);
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // a refused connection: it left its address there and died
    return false;
  }
}

/** The health of a running node; its files can be examined only when it is stopped. */
async function examineRunning(home: string, http: string): Promise<Examination> {
  const findings: Finding[] = [];
  const answer = await new NodeClient(http).request("/readyz", {});
  const checks: unknown = answer.ok ? [] : answer.error.body["checks"];
  for (const check of Array.isArray(checks) ? checks.filter(isJson) : []) {
    if (check["isOk"] !== true) findings.push({ severity: "error", detail: `${String(check["name"])}: ${String(check["reason"])}` });
  }
  const peers = await new NodeClient(http).get("/api/v2/peers");
  for (const { text, isTrouble } of describePeers(peers)) findings.push({ severity: isTrouble ? "warning" : "notice", detail: text });
  findings.push({
    severity: answer.ok ? "notice" : "error",
    detail: `${home} is in use by a running node at ${http}, which is ${answer.ok ? "ready" : "not ready"}; stop it and ask again to have its files examined`,
  });
  return { ok: answer.ok, findings };
}

function describeMachine({ model, board, processor, cores, memoryBytes, disks = [] }: Inventory): string {
  const parts = [
    model ?? board,
    processor,
    cores === undefined ? undefined : `${cores} cores`,
    memoryBytes === undefined ? undefined : `${inGiB(memoryBytes)} memory`,
    ...disks.map(({ device, kind, name, bytes }) => [device, kind, name, inGiB(bytes)].filter(Boolean).join(" ")),
  ];
  return `Machine: ${parts.filter(Boolean).join(", ") || "nothing is known of it"}`;
}

function inGiB(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function describe(report: Examination & { readonly machine: Inventory }): string {
  const lines = report.findings.map(({ severity, detail }) => `${severity.toUpperCase().padEnd(7)} ${detail}`);
  for (const sentence of report.custody ?? []) lines.push(`Custody: ${sentence}`);
  if (report.height !== undefined)
    lines.push(`Chain: height ${report.height}, ${report.transactions} transactions, state root ${report.stateRoot}`);
  if (report.supply) {
    const { issued, balances, staked, feePot, burned } = report.supply;
    lines.push(`Units: ${balances} in accounts, ${staked} staked, ${feePot} in fees to share, ${burned} destroyed, of ${issued} issued`);
  }
  if (report.reexecutedStateRoot !== undefined) {
    const isSame = report.reexecutedStateRoot === report.stateRoot;
    lines.push(
      isSame
        ? "Executing it again from genesis gives the same state."
        : `Executing it again from genesis gives ANOTHER state: ${report.reexecutedStateRoot}`,
    );
  }
  lines.push(describeMachine(report.machine));
  lines.push(report.ok ? "Nothing wrong was found." : "Something is wrong.");
  return lines.join("\n");
}
