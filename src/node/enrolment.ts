import { closeSync, existsSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { formatFault, loadEnrolmentToken } from "../config/index.ts";
import { type EventLog, event } from "../events/index.ts";
import { type CancelTimer, type Entropy, type Log, parseHex, type Timers } from "../kernel/index.ts";
import type { Alert, MetricFamily, MetricSource } from "../monitoring/index.ts";
import { type EnrollingFault, enrolHome, isEnrolledAt } from "./enrolling.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";

/** How far a node's own enrolment is. */
export type EnrolmentState =
  | { readonly kind: "enrolled" }
  /** There is no certificate, and no token to ask for one. */
  | { readonly kind: "noToken" }
  /** It asks; with the reason of the last try that found nobody. */
  | { readonly kind: "asking"; readonly reason?: string }
  /** The aggregator waits for a person's approval. */
  | { readonly kind: "pending" }
  /** Turned away, by the aggregator's code, `wrongPin`, `settings`, or `tokenFile`. */
  | { readonly kind: "refused"; readonly code: EnrollingFault["code"] | "tokenFile"; readonly detail: string };

/** What an enrolment by settings stands on. */
export type NodeEnrolmentParts = {
  readonly setup: Pick<NodeSetup, "home" | "nodeId" | "genesis" | "identity" | "configuration">;
  readonly events: Pick<EventLog, "appendCrit">;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Told of what nothing expected; the process must end. */
  readonly fail: (error: unknown) => void;
};

/** Milliseconds: between two looks for a token, between two tries of a server with another authority, of a link at most. */
const TIMES = { lookMs: 30_000, wrongPinMs: 300_000, retryMsMax: 300_000 } as const;
const KINDS = ["enrolled", "noToken", "asking", "pending", "refused"] as const satisfies readonly EnrolmentState["kind"][];

/**
 * Enrols a node by its settings, while it runs: a token that lies in `sync.enrolTokenFile` is used, once, at `sync.enrolAt`, and wiped when
 * the certificate and the settings that go with it are durable. A refusal is told, and the same token is not shown again; another
 * one in the file is taken up within half a minute. Never holds the node up, and shows the token to nobody but the pinned authority's servers.
 */
export class NodeEnrolment implements MetricSource {
  readonly #parts: NodeEnrolmentParts;
  readonly #pin: Uint8Array;
  readonly #tokenFile: string;
  readonly #abort = new AbortController();
  readonly #enrolled = Promise.withResolvers<string>();
  #state: EnrolmentState = { kind: "noToken" };
  #refusedToken: string | undefined;
  #cancel: CancelTimer | undefined;

  /** Whether the settings ask for it. */
  static isWanted({ configuration }: Pick<NodeSetup, "configuration">): boolean {
    return configuration.sync.enrolAt !== "";
  }

  /** @throws StartRefused without a pin */
  constructor(parts: NodeEnrolmentParts) {
    const { home, configuration } = parts.setup;
    const { enrolPin, enrolTokenFile } = configuration.sync;
    const pin = parseHex(enrolPin);
    if (pin?.length !== 32) {
      throw new StartRefused(
        "sync.enrolPin: expected the fingerprint of the aggregator's authority beside sync.enrolAt, got nothing; the aggregator prints it when it starts",
      );
    }
    this.#parts = parts;
    this.#pin = pin;
    this.#tokenFile = resolve(home, enrolTokenFile);
  }

  /** Resolves with the aggregator's address once the node is enrolled: a new start takes it up. */
  get enrolled(): Promise<string> {
    return this.#enrolled.promise;
  }

  get state(): EnrolmentState {
    return this.#state;
  }

  /** Begins to look for a token. */
  start(): void {
    void this.#look();
  }

  /** Ends: what was asked is asked again by the next start. */
  stop(): void {
    this.#abort.abort();
    this.#cancel?.();
  }

  /** What people should do something about. */
  alerts(): readonly Alert[] {
    const { enrolAt, enrolTokenFile } = this.#parts.setup.configuration.sync;
    const alertOf = (reason: string, remedy: string): Alert => ({ name: "not-enrolled", severity: "warning", reason, remedy });
    const state = this.#state;
    const newToken = `make a claim there (\`bizra aggregator claim\`) and put its token into ${enrolTokenFile}, mode 600`;
    switch (state.kind) {
      case "enrolled":
        return [];
      case "noToken":
        return [alertOf(`not enrolled at ${enrolAt}, and there is no token in ${enrolTokenFile}`, newToken)];
      case "asking":
        return state.reason === undefined
          ? []
          : [alertOf(`${enrolAt} does not answer: ${state.reason}`, "look at the link and at sync.enrolAt")];
      case "pending":
        return [alertOf(`${enrolAt} waits for an approval`, `run \`bizra aggregator approve ${this.#parts.setup.nodeId}\` there`)];
      case "refused": {
        const { code, detail } = state;
        const byCode = { wrongPin: "correct sync.enrolPin, or find out who answers there", settings: detail, tokenFile: detail };
        const remedy = code === "wrongPin" || code === "settings" || code === "tokenFile" ? byCode[code] : newToken;
        return [alertOf(`${enrolAt} refused: ${code}: ${detail}`, remedy)];
      }
    }
  }

  collect(): readonly MetricFamily[] {
    const state = this.#state;
    const samples = KINDS.map((kind) => {
      const labels = { state: kind, ...(state.kind === "refused" && kind === "refused" && { code: state.code }) };
      return { labels, value: kind === state.kind ? 1 : 0 };
    });
    return [{ name: "bizra_sync_enrolment", help: "How far the enrolment by sync.enrolAt is.", kind: "gauge", samples }];
  }

  async #look(): Promise<void> {
    const waitMs = await this.#step().catch((error: unknown) => this.#waitOut(error));
    if (waitMs === undefined || this.#abort.signal.aborted) return;
    this.#cancel = this.#parts.timers.after(waitMs, () => void this.#look());
  }

  /** A disk that is full or cannot be written may be so for a while; what was asked is asked again, and answered, later. */
  #waitOut(error: unknown): number | undefined {
    if (error instanceof Error && "code" in error && typeof error.code === "string") {
      this.#state = { kind: "asking", reason: error.message };
      this.#parts.log.error("sync.enrolmentWaits", { reason: error.message });
      return TIMES.retryMsMax;
    }
    this.#parts.fail(error);
    return undefined;
  }

  /** @returns when to look again, ms from now; undefined: never */
  async #step(): Promise<number | undefined> {
    const { home, configuration } = this.#parts.setup;
    const { enrolAt, enrolPin, enrolTokenFile } = configuration.sync;
    const token = loadEnrolmentToken(home, enrolTokenFile);
    if (!token.ok) {
      this.#refused({ code: "tokenFile", detail: formatFault(token.error) });
      return TIMES.lookMs;
    }
    if (token.value === undefined) {
      // A token that is there is used even by a node that has a certificate: one that was revoked, say, and is let in again.
      const isDone = isEnrolledAt(home, enrolAt, enrolPin);
      if (isDone || this.#state.kind !== "refused") this.#state = { kind: isDone ? "enrolled" : "noToken" };
      return isDone ? undefined : TIMES.lookMs;
    }
    const text = token.value.trim();
    return text === this.#refusedToken ? TIMES.lookMs : this.#ask(text);
  }

  async #ask(token: string): Promise<number | undefined> {
    const { setup, timers, entropy, log } = this.#parts;
    const { home, nodeId: node, genesis, identity, configuration } = setup;
    const url = configuration.sync.enrolAt;
    this.#state = { kind: "asking" };
    log.info("sync.enrolling", { url, node });
    const plan = { home, node, network: genesis.hash, identity, url, token, pin: this.#pin };
    const outcome = await enrolHome(plan, {
      timers,
      entropy,
      signal: this.#abort.signal,
      retryMsMax: TIMES.retryMsMax,
      onSettled: () => wipe(this.#tokenFile),
      onPending: () => {
        this.#state = { kind: "pending" };
        log.info("sync.enrolmentPending", { url, node });
      },
      onLost: (reason) => {
        if (this.#state.kind === "pending") return; // it waits, whether or not somebody answers just now
        const isNews = this.#state.kind !== "asking" || this.#state.reason !== reason;
        this.#state = { kind: "asking", reason };
        if (isNews) log.warn("sync.enrolmentWaits", { url, reason });
      },
    });
    if (!outcome.ok && outcome.error.code === "wrongPin") {
      this.#refused(outcome.error);
      return TIMES.wrongPinMs; // the token was shown to nobody
    }
    if (!outcome.ok) this.#refusedToken = token;
    if (!outcome.ok) {
      this.#refused(outcome.error);
      return TIMES.lookMs;
    }
    this.#state = { kind: "enrolled" };
    this.#audit("done", `certificate until ${new Date(outcome.value.notAfterMs).toISOString()}`);
    log.info("sync.enrolled", { url, node, notAfterMs: outcome.value.notAfterMs });
    this.#enrolled.resolve(url);
    return undefined;
  }

  /** Told once for the same refusal. */
  #refused({ code, detail }: { readonly code: EnrollingFault["code"] | "tokenFile"; readonly detail: string }): void {
    const isNews = this.#state.kind !== "refused" || this.#state.code !== code || this.#state.detail !== detail;
    this.#state = { kind: "refused", code, detail };
    if (!isNews) return;
    this.#parts.log.error("sync.enrolmentRefused", { url: this.#parts.setup.configuration.sync.enrolAt, code, detail });
    this.#audit("refused", code);
  }

  #audit(outcome: "done" | "refused", detail: string): void {
    const target = this.#parts.setup.configuration.sync.enrolAt;
    this.#parts.events.appendCrit(event("audit.recorded", { actor: "node", action: "enrol", target, outcome, detail }));
  }
}

/** Overwrites a file, as far as a disk does so in place, and removes it, durably. */
function wipe(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, "r+");
  try {
    writeSync(file, new Uint8Array(statSync(path).size), 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  rmSync(path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
