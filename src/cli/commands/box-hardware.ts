import { resolve } from "node:path";
import { findingsOf, type HardwareReport, linuxSource, readReport } from "../../../appliance/hardware/index.ts";
import { findHome } from "../../config/index.ts";
import { systemTimers } from "../../node/index.ts";
import { BOX_HOME_FLAG } from "../box/control-client.ts";
import type { Command } from "../command.ts";
import { flatten } from "./status.ts";

/** `bizra box hardware`: what the machine is like, and what is wrong with it. */
export const boxHardware: Command = {
  name: "box hardware",
  summary:
    "Shows storage life, file systems that turned read-only, heat, voltage, clock, watchdog, TPM and Secure Boot; exit code 1 when something is broken.",
  flags: BOX_HOME_FLAG,
  async run(input, terminal) {
    const home = input.flag("home") ?? findHome();
    const report = await readReport(linuxSource(systemTimers), home === undefined ? [] : [resolve(home)]);
    const findings = findingsOf(report);
    terminal.result({ ...report, findings }, () => describe(report, findings));
    return findings.some(({ severity }) => severity === "error") ? 1 : 0;
  },
};

function describe({ storage, ...rest }: HardwareReport, findings: ReturnType<typeof findingsOf>): string {
  const disks = storage.flatMap(({ device, ...life }) => flatten({ [device]: life }));
  const said = findings.map(({ severity, detail }) => `${severity.toUpperCase().padEnd(7)} ${detail}`);
  return [...flatten(rest), ...disks, ...(said.length > 0 ? said : ["Nothing wrong was found."])].join("\n");
}
