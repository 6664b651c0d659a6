import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MEDIUM, type ProvisioningStatus, parseProvision } from "../../../appliance/provisioning/index.ts";
import { verifyEd25519 } from "../../crypto/index.ts";
import { silentLog, toHex } from "../../kernel/index.ts";
import { createLog } from "../../monitoring/index.ts";
import { systemClock } from "../../node/index.ts";
import { validateGenesis } from "../../protocol/index.ts";
import { boxHomeOf } from "../box/control-client.ts";
import { lockProvisioning, openProvisioner, PROVISION_FLAGS } from "../box/provisioning.ts";
import type { Command } from "../command.ts";
import { readBytes } from "../files.ts";
import { untilSignal } from "../signals.ts";

/** `bizra provision check`: what a box would say of a provision.json, before it is brought there. */
export const provisionCheck: Command = {
  name: "provision check",
  summary: "Judges a provision.json as a box does and says each mistake; looks at genesis.json beside it, too.",
  arguments: "FILE",
  positionalsMin: 1,
  flags: {},
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const parsed = parseProvision(readBytes(path));
    const beside = join(dirname(path), MEDIUM.genesis);
    const faults = parsed.ok ? genesisFaults(beside, parsed.value.chain.genesis) : parsed.error;
    const hint =
      parsed.ok && !existsSync(beside)
        ? `There is no ${MEDIUM.genesis} beside it; a box that belongs to no chain yet needs it there.`
        : undefined;
    terminal.result({ ok: faults.length === 0, faults, ...(hint && { hint }) }, () =>
      faults.length === 0 ? [`${path} has no mistake.`, ...(hint ? [hint] : [])].join("\n") : faults.join("\n"),
    );
    return faults.length === 0 ? 0 : 1;
  },
};

function genesisFaults(path: string, wanted: string): readonly string[] {
  if (!existsSync(path)) return [];
  const { genesis, checks } = validateGenesis(readFileSync(path, "utf8"), verifyEd25519);
  if (!genesis) return checks.filter(({ verdict }) => verdict === "fail").map(({ check, detail }) => `${path}: ${check}: ${detail}.`);
  const hash = toHex(genesis.hash);
  return hash === wanted ? [] : [`chain.genesis: expected ${hash}, which is the hash of ${path}, got ${wanted}.`];
}

/** `bizra provision status`: how far a box is. */
export const provisionStatus: Command = {
  name: "provision status",
  summary: "Shows how far a box of this machine is with its provisioning, and what is wrong with its provision.json.",
  flags: PROVISION_FLAGS,
  async run(input, terminal) {
    const provisioner = openProvisioner(resolve(boxHomeOf(input)), input, silentLog);
    provisioner.glance();
    terminal.result(provisioner.status, () => describe(provisioner.status));
    return 0;
  },
};

function describe({ state, sentences, keys, plan }: ProvisioningStatus): string {
  return [
    `state       ${state}`,
    ...(plan ? [`name        ${plan.hostname}`, `chain       ${plan.chain.genesis}`] : []),
    ...(keys ? [`node        ${keys.node}`, `validator   ${keys.validator}`, `identity    ${keys.identity}`] : []),
    ...sentences,
  ].join("\n");
}

/** `bizra provision run`: provisions a box without its console, until a signal. */
export const provisionRun: Command = {
  name: "provision run",
  summary:
    "Provisions a box until SIGINT or SIGTERM: makes its keys, takes provision.json from the medium, enrols. `bizra box console` does it too, with a page.",
  flags: PROVISION_FLAGS,
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    const lock = lockProvisioning(home);
    try {
      const log = createLog({ level: "info", clock: systemClock, destination: process.stderr, fields: { box: home } });
      const provisioner = openProvisioner(home, input, log);
      const failure = Promise.withResolvers<never>();
      provisioner.start((error) => failure.reject(error));
      await Promise.race([untilSignal(), failure.promise]);
      await provisioner.stop();
      terminal.result(provisioner.status, () => describe(provisioner.status));
      return 0;
    } finally {
      lock.release();
    }
  },
};
