import { toHex } from "../../kernel/index.ts";
import { bindHomeKey, exportHomeHistory, importHomeHistory, StartRefused } from "../../node/index.ts";
import { isStorageError } from "../../storage/index.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { obtainPassphrase, PASSPHRASE_FLAG } from "../signer.ts";
import type { Terminal } from "../terminal.ts";

const HOME_FLAGS = { ...PASSPHRASE_FLAG, home: { kind: "text", value: "DIR", doc: "Home of the stopped node." } } as const;

/** `bizra keys bind`: the operator's word that the machine which had the key is off. */
export const keysBind: Command = {
  name: "keys bind",
  summary: "Binds the validator key of a stopped home to this machine, when the one that had it is off for good. It is audited.",
  flags: {
    ...HOME_FLAGS,
    "old-box-is-off": { kind: "presence", doc: "Says that no other machine runs this key, now or later." },
  },
  async run(input, terminal) {
    const home = required(input, "home");
    if (!input.has("old-box-is-off"))
      throw new UsageError(
        "expected --old-box-is-off: two machines that sign with one key are convicted. In doubt rotate to a new key (`bizra keys rotate`)",
      );
    const bound = await inWords(() => bindHomeKey(home, asking(input, terminal)));
    const publicKey = toHex(bound.publicKey);
    terminal.result({ publicKey, changed: bound.isChanged, recovers: bound.recovers }, () => {
      if (!bound.isChanged) return `${publicKey} is bound to this machine already; nothing was changed.`;
      if (!bound.recovers) return `${publicKey} is bound to this machine.`;
      const how = bound.isAlone
        ? `its journal may be an older copy, so it votes after \`bizra doctor --home ${home} --recover-journal\``
        : "its journal may be an older copy, so the node asks the other validators before it votes again";
      return `${publicKey} is bound to this machine; ${how}.`;
    });
    return 0;
  },
};

/** `bizra keys history export`: what a key signed, for the one box that signs with it from now on. */
export const keysHistoryExport: Command = {
  name: "keys history export",
  summary: "Writes what a stopped home's validator key signed to a file, for another box. The key never signs in this home again.",
  flags: { ...HOME_FLAGS, out: { kind: "text", value: "FILE", doc: "Where to write it; it is for one box alone." } },
  async run(input, terminal) {
    const [home, out] = [required(input, "home"), required(input, "out")];
    const { publicKey, records, floor } = await inWords(() => exportHomeHistory(home, out, asking(input, terminal)));
    terminal.result({ file: out, publicKey: toHex(publicKey), records, floor }, () =>
      [
        `Wrote ${out}: ${records} records above view ${floor.view} of epoch ${floor.epoch}.`,
        `${toHex(publicKey)} never signs in ${home} again; a node there only follows.`,
      ].join("\n"),
    );
    return 0;
  },
};

/** `bizra keys history import`: the other half. */
export const keysHistoryImport: Command = {
  name: "keys history import",
  summary: "Takes what a validator key signed elsewhere into a stopped home that has the key, and binds the key to this machine.",
  arguments: "FILE",
  positionalsMin: 1,
  flags: HOME_FLAGS,
  async run(input, terminal) {
    const [home, [path = ""]] = [required(input, "home"), input.positionals];
    const { publicKey, added, isGated, recovers } = await inWords(() => importHomeHistory(home, path, asking(input, terminal)));
    terminal.result({ publicKey: toHex(publicKey), added, gated: isGated, recovers }, () =>
      [
        `${added} records were taken in; ${toHex(publicKey)} is bound to this machine.`,
        ...(isGated ? ["It votes once the chain here has passed what was signed before."] : []),
        ...(recovers ? ["The key was recovering: the node asks the other validators before it votes."] : []),
      ].join("\n"),
    );
    return 0;
  },
};

function asking(input: CommandInput, terminal: Terminal): () => Promise<string | undefined> {
  return () => obtainPassphrase(input, terminal, "Passphrase of the node's keys: ");
}

async function inWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StartRefused || isStorageError(error)) throw new CommandFailure(error.message);
    throw error;
  }
}
