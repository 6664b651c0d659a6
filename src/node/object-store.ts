import { formatFault, loadObjectCredentials } from "../config/index.ts";
import { type ObjectStore, ObjectsRefused, openObjects as openObjectsAt } from "../storage/index.ts";
import { systemEntropy } from "./ports.ts";
import { StartRefused } from "./start-refused.ts";
import { readSyncTls, type SyncFiles } from "./sync-tls.ts";

/** Where objects are and with what they are reached: addresses and names of files, never a secret. */
export type ObjectsPlace = SyncFiles & {
  /** A folder, s3://bucket/prefix?endpoint=URL, or https://aggregator:port. */
  readonly objects: string;
  /** File with KEY:SECRET of S3, or NAME:PASSWORD of an aggregator's console; empty for none. */
  readonly credentialsFile: string;
};

/**
 * Opens the objects of a setting or a flag.
 *
 * @param base where names of files that are not absolute begin
 * @throws StartRefused in words when the address or the file of credentials cannot be used
 */
export function openObjects(base: string, { objects, credentialsFile, ...files }: ObjectsPlace): ObjectStore {
  const credentials = loadObjectCredentials(base, credentialsFile);
  if (!credentials.ok) throw new StartRefused(formatFault(credentials.error));
  const tls = () => {
    try {
      return readSyncTls(base, files);
    } catch (error) {
      if (!(error instanceof StartRefused)) throw error;
      throw new ObjectsRefused(error.message); // by now the node runs: the store is out of reach, and comes back with the file
    }
  };
  const opened = openObjectsAt(objects, { base, entropy: systemEntropy, credentials: credentials.value, tls });
  if (!opened.ok) throw new StartRefused(`the objects at ${JSON.stringify(objects)}: ${opened.error.detail}`);
  return opened.value;
}
