import { join } from "node:path";
import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { CryptoSuite, Signer } from "../../src/crypto/index.ts";
import type { CancelTimer, Clock, Entropy, Log, Timers } from "../../src/kernel/index.ts";
import { HealthModel, MetricRegistry, type MetricSource } from "../../src/monitoring/index.ts";
import { measureDiskSpace, openDatabase } from "../../src/storage/index.ts";
import { Forwarder } from "./bus/forwarder.ts";
import type { EnrolmentDesk } from "./enrolment/desk.ts";
import { Enrolment, type EnrolmentSetup } from "./enrolment/enrolment.ts";
import { UserChanges } from "./fleet/user-changes.ts";
import { makeApplication } from "./front/application.ts";
import { Front, type FrontOptions } from "./front/front.ts";
import { Ingest } from "./ingest/ingest.ts";
import { StoreRoom } from "./ingest/room.ts";
import { AGGREGATOR_APPLICATION_ID, AGGREGATOR_MIGRATIONS, AGGREGATOR_PAGE_BYTES } from "./stores/migrations.ts";
import { SqliteStore } from "./stores/sqlite-store.ts";
import type { AdmissionPolicy, AggregatorStore, EventBus } from "./types.ts";

/** What an aggregator is started with. */
export type AggregatorSetup = {
  readonly home: string;
  readonly listen: FrontOptions["listen"];
  readonly tls: FrontOptions["tls"];
  readonly policy: AdmissionPolicy;
  /** Signs acknowledgements. */
  readonly witness: Signer;
  readonly suite: Pick<CryptoSuite, "verify">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly build: Readonly<Record<string, string>>;
  readonly metrics: readonly MetricSource[];
  /** Told of errors that nothing expected; the process should end. */
  readonly onDefect: (error: unknown) => void;
  /** What a node's records may take where no administrator set others, bytes; undefined: `DEFAULT_QUOTA`. */
  readonly eventBytesMax?: number;
  /** Where everything is kept; undefined: aggregator.db in the home. */
  readonly store?: AggregatorStore;
  /** Who is handed all events; undefined: nobody. */
  readonly bus?: EventBus;
  /** Further routes by their path, given what the aggregator has. */
  readonly routes?: (
    store: AggregatorStore,
    ingest: Ingest,
    desk: EnrolmentDesk,
  ) => Readonly<Record<string, Hono<{ Bindings: HttpBindings }>>>;
  /** Its own authority: it then has its server certificate from there, and nodes get theirs. `tls` is undefined with it. */
  readonly enrolment?: EnrolmentSetup;
  /** File of changes of the console's users that commands leave for the audit; undefined: none. */
  readonly userChanges?: string;
  /** Where the desk answers commands on this machine; undefined: nowhere. */
  readonly deskSocket?: string;
};

/** An aggregator could not start; the message says why, for people. */
export class AggregatorRefused extends Error {
  override readonly name = "AggregatorRefused";
}

/** Days of heartbeats that are kept, and how often older ones go. */
const HEARTBEATS = { keptMs: 30 * 86_400_000, pruneEveryMs: 3_600_000 } as const;

/** Entries of the audit that are kept: at a thousand a day, three years. */
const AUDIT_ENTRIES_MAX = 1_000_000;

/** An aggregator that runs. */
export class Aggregator {
  readonly #front: Front;
  readonly #store: AggregatorStore;
  readonly #enrolment: Enrolment;
  readonly #forwarder: Forwarder | undefined;
  readonly #userChanges: UserChanges | undefined;
  readonly #cancelPruning: { current: CancelTimer | undefined };

  private constructor(
    front: Front,
    store: AggregatorStore,
    enrolment: Enrolment,
    forwarder: Forwarder | undefined,
    userChanges: UserChanges | undefined,
    cancelPruning: { current: CancelTimer | undefined },
  ) {
    this.#front = front;
    this.#store = store;
    this.#enrolment = enrolment;
    this.#forwarder = forwarder;
    this.#userChanges = userChanges;
    this.#cancelPruning = cancelPruning;
  }

  /**
   * Opens the store, then the doors.
   *
   * @throws AggregatorRefused when it cannot listen; StorageError when its database cannot be opened
   */
  static async start(setup: AggregatorSetup): Promise<Aggregator> {
    const { home, policy, witness, suite, clock, entropy, log, timers } = setup;
    const store = setup.store ?? new SqliteStore(openAggregatorDatabase(home));
    const { bus, onDefect } = setup;
    const forwarder = bus && new Forwarder({ store, bus, clock, timers, entropy, log, onDefect });
    const told = forwarder && { onStored: () => forwarder.wake() };
    const bounds = {
      ...(setup.eventBytesMax !== undefined && { quotaBytes: setup.eventBytesMax }),
      // The disk of a database server is its own to watch: it says when it is full.
      ...(setup.store === undefined && { room: new StoreRoom(() => measureDiskSpace(home).level, clock) }),
    };
    const ingest = new Ingest({ store, policy, witness, verify: suite.verify, clock, entropy, log, ...told, ...bounds });
    const health = new HealthModel();
    health.add({ name: "process", gates: ["live", "ready", "startup"], check: () => ({ isOk: true }) });
    const registry = new MetricRegistry();
    for (const source of [...setup.metrics, ingest.counters, ...(forwarder ? [forwarder] : [])]) registry.addSource(source);
    const { build, listen, tls } = setup;
    const enrolment = await Enrolment.open({ ...setup, store, onRevoked: (ref) => ingest.endSession(ref) });
    const routes = { ...enrolment.routes, ...setup.routes?.(store, ingest, enrolment.desk) };
    const application = makeApplication({ ingest, health, registry, build, log, onDefect, routes });
    const front = await Front.open({ application, ingest, listen, tls: tls ?? enrolment.tls, timers, log, onDefect });
    if (!front.ok) {
      enrolment.close();
      await store.close();
      throw new AggregatorRefused(front.error.detail);
    }
    enrolment.keepTls((renewed) => front.value.renewTls(renewed));
    const cancelPruning: { current: CancelTimer | undefined } = { current: undefined };
    const prune = (): void => {
      Promise.all([store.pruneHeartbeats(clock.nowMs() - HEARTBEATS.keptMs), store.pruneAudit(AUDIT_ENTRIES_MAX)]).catch((error: unknown) =>
        log.warn("aggregator.pruning", { error: String(error) }),
      );
      cancelPruning.current = timers.after(HEARTBEATS.pruneEveryMs, prune);
    };
    prune();
    forwarder?.start();
    const userChanges = setup.userChanges === undefined ? undefined : new UserChanges({ ...setup, store, path: setup.userChanges });
    userChanges?.start();
    log.info("aggregator.started", { url: front.value.url, store: store.kind, bus: bus?.kind ?? "none" });
    return new Aggregator(front.value, store, enrolment, forwarder, userChanges, cancelPruning);
  }

  /** Where it answers. */
  get url(): string {
    return this.#front.url;
  }

  /** Stops in good order. */
  async stop(): Promise<void> {
    this.#cancelPruning.current?.();
    this.#userChanges?.stop();
    this.#enrolment.close();
    await this.#front.close();
    await this.#forwarder?.stop();
    await this.#store.close();
  }
}

function openAggregatorDatabase(home: string) {
  return openDatabase({
    path: join(home, "aggregator.db"),
    applicationId: AGGREGATOR_APPLICATION_ID,
    migrations: AGGREGATOR_MIGRATIONS,
    pageBytes: AGGREGATOR_PAGE_BYTES,
    durability: "full",
    create: true,
  });
}
