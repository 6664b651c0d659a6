import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { HOME } from "../../node/index.ts";

/** What a box keeps beside its node, below the node's home. */
export const BOX = {
  folder: "box",
  /** Held by the box's main process. */
  lock: "box/lock",
  /** Where the main process answers commands of this machine. */
  control: "box/control.sock",
  /** How far an update is. */
  update: "box/update.json",
  /** What an update brought, until it is installed. */
  download: "box/download",
  /** Room that is given back when the disk is full. */
  ballast: "box/ballast",
  /** A factory reset that is under way. */
  reset: "box/reset",
} as const;

/** Settings of a box's node before anybody told it more: where its keys are opened from, and that it meets its neighbours. */
export const FIRST_SETTINGS: Readonly<Record<string, string>> = {
  "keys.passphraseFile": HOME.passphrase,
  "network.listen": "0.0.0.0:8646",
  "network.discovery": "lan",
};

/** A unix socket's name has 108 bytes of room, its end included. */
const SOCKET_PATH_BYTES_MAX = 107;

/** The path of the control socket of a home; undefined when it is longer than a socket's name may be. */
export function controlSocketOf(home: string): string | undefined {
  const path = join(home, BOX.control);
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX ? path : undefined;
}

/** Makes the folders of a box. */
export function makeBoxFolders(home: string): void {
  mkdirSync(join(home, BOX.folder), { recursive: true, mode: 0o700 });
}

/** Whether a home has what a node needs to start: a network to belong to, and a key. */
export function hasNode(home: string): boolean {
  return existsSync(join(home, HOME.genesis)) && existsSync(join(home, HOME.validatorKey));
}
