import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import {
  type BoxDesk,
  type BoxFacts,
  type BoxFinding,
  type BoxGlance,
  type BoxNetwork,
  type BoxView,
  maskSecrets,
} from "../../../appliance/console/index.ts";
import { findingsOf, type HardwareReport, linuxSource, readReport } from "../../../appliance/hardware/index.ts";
import { fingerprintOf, type Provisioner } from "../../../appliance/provisioning/index.ts";
import { err, type Result, toHex } from "../../kernel/index.ts";
import {
  describeSettings,
  findRunningNode,
  HOME,
  readGenesisOf,
  StartRefused,
  systemClock,
  systemTimers,
  VERSION,
} from "../../node/index.ts";
import { isJson } from "../client.ts";
import { CommandFailure } from "../command.ts";
import { findStorageFaults } from "./conditions.ts";
import { secretsOf } from "./console-secrets.ts";
import { askBox } from "./control-client.ts";
import { confirmationOf } from "./reset.ts";

/** Programs look at the hardware; its report holds for so long, ms. */
const HARDWARE_FRESH_MS = 60_000;
/** A node that is asked by its box answers within this, ms, or counts as silent. */
const ASK_LIMIT_MS = 3_000;

/** What a box's console is made of. */
export type ConsoleDeskParts = {
  readonly home: string;
  readonly medium: string;
  /** Folder of the system's settings, which a reset empties. */
  readonly system: string;
  readonly provisioner: Provisioner;
  readonly passwordHash: () => string | undefined;
};

/** The box of a home, as its console needs it. */
export class ConsoleDesk implements BoxDesk {
  readonly #parts: ConsoleDeskParts;
  #hardware: { readonly report: Promise<HardwareReport>; readonly atMs: number } | undefined;
  #genesis: string | undefined;
  #isWell = true;

  constructor(parts: ConsoleDeskParts) {
    this.#parts = parts;
  }

  glance(): BoxGlance {
    const { state, keys, plan } = this.#parts.provisioner.status;
    const claim = keys && {
      node: keys.node,
      identity: keys.identity,
      fingerprint: fingerprintOf(keys.identity),
      genesis: this.#genesisHash(),
    };
    return { name: plan?.hostname, state, isWell: this.#isWell && findStorageFaults(this.#parts.home).length === 0, claim };
  }

  async view(): Promise<BoxView> {
    const { home, provisioner } = this.#parts;
    const { sentences, plan } = provisioner.status;
    const [report, box, update, node] = await Promise.all([
      this.#hardwareReport(),
      ask(home, "/status"),
      ask(home, "/update"),
      this.#node(),
    ]);
    const faults = findStorageFaults(home).map(({ sentence }): BoxFinding => ({ severity: "error", detail: sentence }));
    const findings = [...faults, ...this.#nodeFindings(node), ...findingsOf(report)].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
    this.#isWell = findings.every(({ severity }) => severity !== "error");
    return {
      version: VERSION.version,
      findings,
      sentences,
      node: nodeFacts(node, box),
      hardware: hardwareFacts(report),
      update: updateFacts(update),
      addresses: addressFacts(),
      network: plan?.network,
      canChangeNetwork: plan !== undefined,
    };
  }

  async logs(): Promise<readonly string[]> {
    const answer = await ask(this.#parts.home, "/node/lines");
    const lines = Array.isArray(answer?.["lines"])
      ? answer["lines"].map(String)
      : ["No supervisor runs on this home, so nobody keeps the node's lines."];
    return maskSecrets(lines.join("\n"), this.secrets()).split("\n");
  }

  async supportFiles(): Promise<Readonly<Record<string, string>>> {
    const { home, provisioner } = this.#parts;
    const running = findRunningNode(home);
    const [report, box, update, logs, metrics, status, ready] = await Promise.all([
      this.#hardwareReport(),
      ask(home, "/status"),
      ask(home, "/update"),
      this.logs(),
      ...["/metrics", "/api/v2/status", "/readyz"].map((path) => (running ? get(`${running.http}${path}`) : undefined)),
    ]);
    const shown = (value: unknown): string => `${JSON.stringify(value ?? null, null, 2)}\n`;
    return {
      "version.json": shown(VERSION),
      "time.txt": `${new Date(systemClock.nowMs()).toISOString()}\n`,
      "provisioning.json": shown(provisioner.status),
      "settings.json": shown(describeSettings(home)),
      "hardware.json": shown({ report, findings: findingsOf(report) }),
      "box.json": shown(box),
      "update.json": shown(update),
      "addresses.json": shown(addressFacts()),
      "node-status.json": status?.text ?? "",
      "node-readiness.json": ready?.text ?? "",
      "node-metrics.txt": metrics?.text ?? "",
      "node-log.txt": logs.join("\n"),
    };
  }

  propose(text: string): Result<void, readonly string[]> {
    return this.#parts.provisioner.propose(text);
  }

  changeNetwork({ method, interface: name, address, gateway, dns }: BoxNetwork): Result<void, readonly string[]> {
    const { plan } = this.#parts.provisioner.status;
    if (!plan) return err(["The box has no plan yet; give it a provision.json first."]);
    const network = {
      method,
      ...(name && { interface: name }),
      ...(address && { address }),
      ...(gateway && { gateway }),
      ...(dns && { dns }),
    };
    return this.propose(JSON.stringify({ ...plan, network }, null, 2));
  }

  async restartNode(): Promise<string | undefined> {
    try {
      const answer = await askBox(this.#parts.home, "POST", "/node/restart");
      return answer === undefined ? "No supervisor runs on this home." : undefined;
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      return error.message;
    }
  }

  async reset(tier: "settings" | "everything", confirm: string): Promise<string | undefined> {
    const { home, system } = this.#parts;
    const losesKeys = tier === "everything" && confirmationOf(home) !== undefined;
    if (!losesKeys && confirm !== "reset") return 'Type the word "reset" to say that you mean it.';
    try {
      const answer = await askBox(home, "POST", "/reset", { tier, system, confirm });
      return answer === undefined ? "The box's main process does not run, and it alone does this." : undefined;
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      return error.message.replace("give --confirm ", "type ");
    }
  }

  secrets(): readonly string[] {
    const { home, medium, provisioner, passwordHash } = this.#parts;
    return secretsOf(home, medium, [provisioner.adminCode, passwordHash()]);
  }

  #hardwareReport(): Promise<HardwareReport> {
    const nowMs = systemClock.monotonicMs();
    if (!this.#hardware || nowMs - this.#hardware.atMs > HARDWARE_FRESH_MS)
      this.#hardware = { report: readReport(linuxSource(systemTimers), [this.#parts.home, this.#parts.medium]), atMs: nowMs };
    return this.#hardware.report;
  }

  /** What the node says of itself; undefined where none runs, an empty word of one that does not answer. */
  async #node(): Promise<NodeWord | undefined> {
    const running = findRunningNode(this.#parts.home);
    if (!running) return undefined;
    const [ready, status] = await Promise.all(["/readyz", "/api/v2/status"].map((path) => get(`${running.http}${path}`)));
    return { ready: ready && parsed(ready.text), status: status?.isOk === true ? parsed(status.text) : undefined };
  }

  #nodeFindings(node: NodeWord | undefined): readonly BoxFinding[] {
    if (!node) {
      const isProvisioned = existsSync(join(this.#parts.home, HOME.genesis));
      return isProvisioned ? [{ severity: "error", detail: "the node does not run; its log says why" }] : [];
    }
    if (!node.ready) return [{ severity: "error", detail: "the node does not answer" }];
    const checks = Array.isArray(node.ready["checks"]) ? node.ready["checks"].filter(isJson) : [];
    return checks
      .filter((check) => check["isOk"] !== true)
      .map((check) => ({ severity: "error", detail: `${String(check["name"])}: ${String(check["reason"])}` }));
  }

  #genesisHash(): string | undefined {
    if (this.#genesis !== undefined || !existsSync(join(this.#parts.home, HOME.genesis))) return this.#genesis;
    try {
      this.#genesis = toHex(readGenesisOf(this.#parts.home).genesis.hash);
    } catch (error) {
      if (!(error instanceof StartRefused)) throw error; // the node says what is wrong with it
    }
    return this.#genesis;
  }
}

type Json = Readonly<Record<string, unknown>>;
type NodeWord = { readonly ready: Json | undefined; readonly status: Json | undefined };

const RANK = { error: 0, warning: 1, notice: 2 } as const;

async function ask(home: string, path: string): Promise<Json | undefined> {
  try {
    return await askBox(home, "GET", path);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { detail: error.message };
  }
}

async function get(url: string): Promise<{ readonly isOk: boolean; readonly text: string } | undefined> {
  const abort = new AbortController();
  const cancel = systemTimers.after(ASK_LIMIT_MS, () => abort.abort());
  try {
    const answer = await fetch(url, { signal: abort.signal });
    return { isOk: answer.ok, text: await answer.text() };
  } catch (error) {
    if (!(error instanceof Error)) throw error; // refused, aborted or cut: it does not answer
    return undefined;
  } finally {
    cancel();
  }
}

function parsed(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) ? value : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

function nodeFacts(node: NodeWord | undefined, box: Json | undefined): BoxFacts {
  const { status } = node ?? {};
  const supervised = isJson(box?.["node"]) ? box["node"] : {};
  const facts: [string, unknown][] = [
    ["Node", node === undefined ? "does not run" : status === undefined ? "does not answer" : "runs"],
    ["Height", status?.["height"]],
    ["Peers", isJson(status?.["peers"]) ? status["peers"]["connected"] : status?.["peers"]],
    ["Sync", isJson(status?.["sync"]) ? status["sync"]["state"] : (status?.["syncState"] ?? status?.["sync"])],
    ["Supervisor", supervised["phase"]],
    ["Restarts", supervised["restarts"]],
  ];
  return shownOf(facts);
}

function hardwareFacts({ model, storage, thermal, clock, tpm, watchdog }: HardwareReport): BoxFacts {
  const used = storage.flatMap(({ device, usedPercent }) => (usedPercent === undefined ? [] : [`${device}: ${usedPercent} % used`]));
  const isSet = clock.isSynchronized === undefined ? undefined : clock.isSynchronized ? "set over the network" : "not set";
  return shownOf([
    ["Machine", model],
    ["Temperature", thermal.celsius === undefined ? undefined : `${thermal.celsius} \u00b0C`],
    ["Storage", used.length === 0 ? undefined : used.join(", ")],
    ["Clock", isSet],
    ["Watchdog", watchdog?.name],
    ["TPM", tpm],
  ]);
}

function updateFacts(update: Json | undefined): BoxFacts {
  const row = isJson(update?.["row"]) ? update["row"] : {};
  const last = isJson(row["last"]) ? row["last"]["detail"] : undefined;
  const bundle = isJson(row["bundle"]) ? row["bundle"]["version"] : undefined;
  const waits = Array.isArray(update?.["waitsFor"]) ? update["waitsFor"].map(String).join("; ") : "";
  return shownOf([
    ["Runs", update?.["version"]],
    ["State", row["kind"] ?? update?.["detail"] ?? "no updater runs here"],
    ["Next", bundle],
    ["Waits for", waits === "" ? undefined : waits],
    ["Last time", last],
    ["Not below", update?.["floor"]],
  ]);
}

function addressFacts(): BoxFacts {
  const found = Object.entries(networkInterfaces()).filter(([, all = []]) => all.some(({ internal }) => !internal));
  return found.map(([name, all = []]): readonly [string, string] => [name, all.map(({ cidr, address }) => cidr ?? address).join(", ")]);
}

function shownOf(facts: readonly (readonly [string, unknown])[]): BoxFacts {
  return facts.flatMap(([label, value]): readonly (readonly [string, string])[] =>
    typeof value === "string" || typeof value === "number" ? [[label, String(value)]] : [],
  );
}
