import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AskServer, NO_POLICY, parseUpdatePolicy, type UpdatePolicy } from "../../../appliance/ota/index.ts";
import { ENROLMENT_FILES } from "../../../sync/agent/index.ts";
import { RELEASES_PATH } from "../../../sync/protocol/index.ts";
import { loadConfiguration } from "../../config/index.ts";
import type { Log } from "../../kernel/index.ts";
import { readSyncTls } from "../../node/index.ts";

/** What a home is told about its aggregators. */
type Aggregator = { readonly origin: string; readonly files: Parameters<typeof readSyncTls>[1] };

/** Where a box finds releases, by what it was told and where it is enrolled. Everything is read when it is asked for. */
export class ReleaseSource {
  readonly #home: string;
  readonly #policyFile: string;
  readonly #log: Log;
  #told = "";

  /** @param policyFile what provisioning wrote of updates; it need not be there */
  constructor(home: string, policyFile: string, log: Log) {
    this.#home = home;
    this.#policyFile = policyFile;
    this.#log = log;
  }

  /** What the box takes by itself; nothing, where it was told nothing that can be read. */
  policy(): UpdatePolicy {
    if (!existsSync(this.#policyFile)) return NO_POLICY;
    const parsed = parseUpdatePolicy(readFileSync(this.#policyFile, "utf8"));
    if (parsed.ok) return parsed.value;
    if (parsed.error !== this.#told) this.#log.warn("update.policyUnread", { file: this.#policyFile, detail: parsed.error });
    this.#told = parsed.error;
    return NO_POLICY;
  }

  /** The folder of a channel: where the box was told, or at the aggregator that it is enrolled at. */
  findChannel({ channel, url }: UpdatePolicy): string | undefined {
    if (channel === "none") return undefined;
    const aggregator = this.#findAggregator();
    const base = url ?? (aggregator && `${aggregator.origin}${RELEASES_PATH}`);
    return base && `${base.replace(/\/+$/, "")}/${channel}/`;
  }

  /** Asks a server: an aggregator by the certificates of the enrolment, any other one as it is. */
  readonly ask: AskServer = async (url, init) => {
    const aggregator = this.#findAggregator();
    if (aggregator?.origin !== new URL(url).origin) return await fetch(url, init);
    return await fetch(url, { ...init, redirect: "error", tls: readSyncTls(this.#home, aggregator.files) });
  };

  #findAggregator(): Aggregator | undefined {
    if (!existsSync(join(this.#home, ENROLMENT_FILES.bundle))) return undefined;
    const loaded = loadConfiguration({ home: this.#home, flags: {} });
    if (!loaded.ok) return undefined;
    const { aggregators, caFile, certificateFile, keyFile } = loaded.value.values.sync;
    const [url] = aggregators;
    return url === undefined ? undefined : { origin: new URL(url).origin, files: { caFile, certificateFile, keyFile } };
  }
}
