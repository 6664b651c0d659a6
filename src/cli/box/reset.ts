import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ENROLMENT_FILES } from "../../../sync/agent/index.ts";
import { parseKeyFile } from "../../identity/index.ts";
import { toHex, utf8 } from "../../kernel/index.ts";
import { changeSettings, HOME } from "../../node/index.ts";
import { nodeFileSystem, replaceFile } from "../../storage/index.ts";
import { CommandFailure } from "../command.ts";
import { BOX, FIRST_SETTINGS, makeBoxFolders } from "./box-files.ts";

/** How much a factory reset takes: what a box was told, or everything that made it this box. */
export type ResetTier = "settings" | "everything";

/** A reset as it is written down before it begins. */
export type ResetOrder = {
  readonly tier: ResetTier;
  /** Folder of the system's settings, which both tiers empty. */
  readonly system: string;
};

/** What a box was told, and what belongs to those it was told to speak with. The validator and its chain are not among it. */
const SETTINGS = [
  HOME.configuration,
  HOME.mqttAccess,
  ...Object.values(ENROLMENT_FILES),
  "box/provisioning.json",
  "box/console.json",
  BOX.download,
] as const;

/** Databases of the same kind: each with everything that its name begins, such as its log and its page sums. */
const DATABASES = [HOME.telemetry, HOME.broker] as const;

/**
 * Stays in both tiers: locks of those who run, the door, the order itself, what is true of the machine's slots, and what keys have
 * signed where that has a place apart. It is no secret, and a copy of a key that comes back must find it.
 */
const KEPT: ReadonlySet<string> = new Set([
  HOME.signstate,
  BOX.lock,
  BOX.control,
  BOX.reset,
  BOX.update,
  "box/provisioning.lock",
  "home.lock",
]);

/** What a tier removes from a home, as paths below it; folders stand for all that is in them. */
export function planReset(home: string, tier: ResetTier): readonly string[] {
  const inFolder = (folder: string): string[] =>
    existsSync(join(home, folder)) ? readdirSync(join(home, folder)).map((name) => (folder === "" ? name : `${folder}/${name}`)) : [];
  if (tier === "settings") {
    const ofDatabases = inFolder("").filter((name) =>
      DATABASES.some((database) => name === database || name.startsWith(`${database}-`) || name.startsWith(`${database}.`)),
    );
    return [...SETTINGS.filter((name) => existsSync(join(home, name))), ...ofDatabases];
  }
  const ours = ["", "-journal"].flatMap((end) => [...KEPT].map((name) => `${name}${end}`));
  return [...inFolder("").filter((name) => name !== BOX.folder), ...inFolder(BOX.folder)].filter((name) => !ours.includes(name)).sort();
}

/** Writes the order down: from here on it is done, whatever happens to the power. */
export function orderReset(home: string, order: ResetOrder): void {
  makeBoxFolders(home);
  replaceFile(nodeFileSystem, join(home, BOX.reset), utf8(JSON.stringify(order)));
}

/** The order that a home is under. */
export function findResetOrder(home: string): ResetOrder | undefined {
  const path = join(home, BOX.reset);
  if (!existsSync(path)) return undefined;
  const order: unknown = JSON.parse(readFileSync(path, "utf8")); // replaced whole, so it is whole
  if (typeof order !== "object" || order === null || !("tier" in order) || !("system" in order)) return undefined;
  const { tier, system } = order;
  return (tier === "settings" || tier === "everything") && typeof system === "string" ? { tier, system } : undefined;
}

/**
 * Does what was ordered, or goes on with it; nothing where nothing was. Nobody may have the home open.
 *
 * @returns the tier that was done
 */
export function finishReset(home: string): ResetTier | undefined {
  const order = findResetOrder(home);
  if (!order) return undefined;
  for (const name of planReset(home, order.tier)) emptyPlace(join(home, name));
  if (existsSync(order.system)) for (const name of readdirSync(order.system)) emptyPlace(join(order.system, name));
  // The validator goes on: its settings are those of a box that was told nothing yet.
  if (order.tier === "settings" && existsSync(join(home, HOME.passphrase))) {
    const fault = changeSettings(home, FIRST_SETTINGS);
    if (fault !== undefined) throw new CommandFailure(`${fault} (settingsRefused)`);
  }
  nodeFileSystem.syncDirectory(home);
  rmSync(join(home, BOX.reset));
  nodeFileSystem.syncDirectory(join(home, BOX.folder));
  return order.tier;
}

/** Removes a file or a folder. A folder that lies elsewhere, by a link or because something is mounted there, is emptied and stays. */
export function emptyPlace(path: string): void {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  if (!isFolder) {
    rmSync(path, { force: true });
    return;
  }
  for (const name of readdirSync(path)) emptyPlace(join(path, name));
  if (lstatSync(path).isSymbolicLink()) return;
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EBUSY")) throw error; // a place where something is mounted
  }
}

/** What must be said to lose a box's keys: the beginning of its validator's public key; undefined when it has none. */
export function confirmationOf(home: string): string | undefined {
  const path = join(home, HOME.validatorKey);
  if (!existsSync(path)) return undefined;
  const key = parseKeyFile(readFileSync(path, "utf8"));
  return key.ok ? toHex(key.value.publicKey).slice(0, 8) : "damaged";
}

/** Why a reset of everything wants to be confirmed, and how. */
export function lossOf(confirmation: string): string {
  return (
    "this removes the validator's keys and what it signed: with them goes its place among the validators, for good. Rotate the key or leave " +
    `the set first. To do it, give --confirm ${confirmation}`
  );
}
