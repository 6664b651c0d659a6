import { listBackups, makeRecoveryKey } from "../../../sync/restore/index.ts";
import { SCRYPT_COST_DEFAULT, verifyEd25519 } from "../../crypto/index.ts";
import { openObjects, StartRefused, systemEntropy } from "../../node/index.ts";
import { validateGenesis } from "../../protocol/index.ts";
import { isObjectsFault, type ObjectStore } from "../../storage/index.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { writeNew } from "../home.ts";
import { obtainNewPassphrase, PASSPHRASE_FLAG } from "../signer.ts";

/** Flags that say where backups are and of which network. */
export const BACKUP_FLAGS: Readonly<Record<string, FlagSpec>> = {
  objects: {
    kind: "text",
    value: "WHERE",
    doc: "Where the backups are, as the setting backup.objects names it: a folder, s3://bucket/prefix?endpoint=URL or https://aggregator:port.",
  },
  "credentials-file": {
    kind: "text",
    value: "FILE",
    doc: "File with KEY:SECRET of S3, or NAME:PASSWORD of an admin of the aggregator's console (default: BIZRA_OBJECTS_CREDENTIALS).",
  },
  "ca-file": { kind: "text", value: "FILE", doc: "PEM of the authority of an aggregator that has one of its own." },
  genesis: { kind: "text", value: "FILE", doc: "The network's genesis document, from which everything is proven." },
  from: { kind: "text", value: "ID", doc: "The node whose backups these are: its id, as status and `backup list` show it." },
};

/** `bizra backup new-key`: a key that opens backups. */
export const backupNewKey: Command = {
  name: "backup new-key",
  summary: "Makes a recovery key, sealed under a passphrase, and prints its public half for the setting backup.recipients.",
  flags: {
    ...PASSPHRASE_FLAG,
    out: { kind: "text", value: "FILE", doc: "Where to write it; keep it away from the boxes, and a copy elsewhere." },
  },
  async run(input, terminal) {
    const path = required(input, "out");
    const { text, recipient } = await makeRecoveryKey(await obtainNewPassphrase(input, terminal), SCRYPT_COST_DEFAULT, systemEntropy);
    writeNew(path, text);
    terminal.result({ file: path, recipient }, () => `Wrote ${path}\nrecipient ${recipient}`);
    return 0;
  },
};

/** `bizra backup list`: the backups that there are. */
export const backupList: Command = {
  name: "backup list",
  summary: "Lists the backups of a network, oldest first. Names only: `bizra restore --drill` shows whether one can be restored.",
  flags: BACKUP_FLAGS,
  async run(input, terminal) {
    const store = openGivenObjects(input);
    const entries = await listBackups(store, genesisOf(input).genesis.hash, input.flag("from")).catch((error: unknown) => {
      throw objectsFailure(error);
    });
    const backups = entries.map(({ node, height, takenAtMs, name }) => ({
      node,
      height,
      takenAt: new Date(takenAtMs).toISOString(),
      name,
    }));
    terminal.result({ backups }, () =>
      backups.length === 0
        ? "There are none."
        : backups.map(({ node, height, takenAt }) => `${takenAt}  height ${String(height).padStart(9)}  ${node}`).join("\n"),
    );
    return 0;
  },
};

/** The objects that `--objects` names, with the credentials that go with it. */
export function openGivenObjects(input: CommandInput): ObjectStore {
  const place = {
    objects: required(input, "objects"),
    credentialsFile: input.flag("credentials-file") ?? "",
    caFile: input.flag("ca-file") ?? "",
  };
  if (URL.parse(place.objects)?.password)
    throw new UsageError("expected --objects without a password, which everybody on the machine could read; give --credentials-file");
  try {
    return openObjects(".", { ...place, certificateFile: "", keyFile: "" });
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}

/** An error as it is for people when the objects could not be reached; any other as it came. */
export function objectsFailure(error: unknown): unknown {
  return isObjectsFault(error)
    ? new CommandFailure(`the objects cannot be reached: ${error.message}; check --objects and its credentials`)
    : error;
}

/** The checked genesis that `--genesis` names, with its text. */
export function genesisOf(input: CommandInput) {
  const path = required(input, "genesis");
  const text = readText(path);
  const { genesis } = validateGenesis(text, verifyEd25519);
  if (!genesis) throw new CommandFailure(`${path} is no valid genesis document; \`bizra genesis validate ${path}\` shows every check`);
  return { genesis, text };
}
