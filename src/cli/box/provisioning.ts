import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { linuxFiles, Provisioner } from "../../../appliance/provisioning/index.ts";
import type { Log } from "../../kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../node/index.ts";
import { acquireFileLock, type FileLock, isStorageError } from "../../storage/index.ts";
import { CommandFailure, type CommandInput, type FlagSpec } from "../command.ts";
import { makeBoxFolders } from "./box-files.ts";
import { conditionsOf } from "./conditions.ts";
import { BOX_HOME_FLAG, layPlaceApart, SIGNSTATE_FLAG } from "./control-client.ts";
import { ProvisionedNode } from "./provisioned-node.ts";

/** How far provisioning is, below the node's home. */
export const PROVISIONING_RECORD = "box/provisioning.json";
/** Held by the process that provisions. */
const LOCK = "box/provisioning.lock";

/** Where a box's parts are. */
export const PROVISION_FLAGS: Readonly<Record<string, FlagSpec>> = {
  ...BOX_HOME_FLAG,
  medium: { kind: "text", value: "DIR", doc: "Folder of the partition with provision.json and status.txt (default /provision)." },
  ...SIGNSTATE_FLAG,
  system: { kind: "text", value: "DIR", doc: "Folder that host name, network, time and ssh keys are written to (default /data/system)." },
};

/** The medium that a command names. */
export function mediumOf(input: CommandInput): string {
  return input.flag("medium") ?? "/provision";
}

/** The folder of the system's settings that a command names. */
export function systemOf(input: CommandInput): string {
  return input.flag("system") ?? "/data/system";
}

/** Makes the provisioner of a home; nothing is done before it looks. */
export function openProvisioner(
  home: string,
  input: CommandInput,
  log: Log,
  page: { readonly urls?: () => readonly string[]; readonly onForgotten?: () => void } = {},
): Provisioner {
  layPlaceApart(home, input);
  makeBoxFolders(home);
  return new Provisioner({
    files: linuxFiles,
    node: new ProvisionedNode(home, log),
    paths: { medium: mediumOf(input), system: systemOf(input), record: join(home, PROVISIONING_RECORD) },
    consoleUrls: page.urls ?? (() => []),
    conditions: () => conditionsOf(home),
    ...(page.onForgotten && { onForgotten: page.onForgotten }),
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    log,
  });
}

/** One process provisions a box at a time. */
export function lockProvisioning(home: string): FileLock {
  makeBoxFolders(home);
  try {
    return acquireFileLock(join(home, LOCK));
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new CommandFailure(`${error.message}; \`bizra box console\` or \`bizra provision run\` runs there already`);
  }
}

/** Addresses at which this machine answers others on a port: those of its networks, without its own. */
export function urlsOf(host: string, port: number): readonly string[] {
  const shown = (address: string): string => `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  if (host !== "0.0.0.0" && host !== "::") return [shown(host)];
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.filter(({ internal, family }) => !internal && family === "IPv4").map(({ address }) => shown(address));
}
