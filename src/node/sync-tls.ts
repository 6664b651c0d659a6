import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TlsClient } from "../../sync/agent/index.ts";
import { StartRefused } from "./start-refused.ts";

/** The files, by settings of the section `sync`, with which a node knows its aggregators and they know it; empty for none. */
export type SyncFiles = { readonly caFile: string; readonly certificateFile: string; readonly keyFile: string };

/**
 * What those files hold now: a certificate is renewed while a node runs.
 *
 * @throws StartRefused in words when one cannot be read
 */
export function readSyncTls(home: string, { caFile, certificateFile, keyFile }: SyncFiles): TlsClient {
  const read = (setting: keyof SyncFiles, path: string): string => {
    try {
      return readFileSync(resolve(home, path), "utf8");
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      throw new StartRefused(
        `sync.${setting}: expected a readable file at ${resolve(home, path)}, got ${String(error.code)}; correct it in node.toml`,
      );
    }
  };
  return {
    ...(caFile && { ca: read("caFile", caFile) }),
    ...(certificateFile && { cert: read("certificateFile", certificateFile) }),
    ...(keyFile && { key: read("keyFile", keyFile) }),
  };
}
