import { join, resolve } from "node:path";
import { MachineReader } from "../../appliance/telemetry/index.ts";
import {
  AckTable,
  CertificateRenewal,
  EitherCarrier,
  type ForkHandler,
  type NodeFacts,
  PostCarrier,
  SYNC_APPLICATION_ID,
  SYNC_MIGRATIONS,
  SYNC_PAGE_BYTES,
  SyncAgent,
  type SyncStatus,
  WebSocketCarrier,
} from "../../sync/agent/index.ts";
import { compareCursors, event, type LaneCursor } from "../events/index.ts";
import { type Log, Prng, parseHex } from "../kernel/index.ts";
import type { Alert, EventLoopLag, MetricFamily, MetricSource } from "../monitoring/index.ts";
import { EPOCH_KEY, networkIdOf } from "../protocol/index.ts";
import type { Database } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import { named, tellNotices } from "./files.ts";
import { healthOf } from "./gateway-ports.ts";
import { hardwareReader } from "./hardware.ts";
import { HOME } from "./home.ts";
import { provesOtherHistory } from "./later-history.ts";
import type { NodeNetworking } from "./networking.ts";
import { systemPlatform } from "./platform.ts";
import { pause } from "./ports.ts";
import type { NodeSetup } from "./setup.ts";
import { NodeEscrow } from "./sync-escrow.ts";
import { readSyncTls } from "./sync-tls.ts";
import { nodeReader } from "./telemetry-facts.ts";
import { VERSION } from "./version.ts";
import type { Watch } from "./watch.ts";

/** How often it is looked whether the aggregators have answered. */
const LOOK_MS = 20;

/** What event sync stands on. */
export type NodeSyncParts = {
  readonly setup: NodeSetup;
  readonly contexts: Contexts;
  readonly networking: NodeNetworking | undefined;
  readonly lag: EventLoopLag;
  readonly watch: Watch;
  readonly log: Log;
  /** Called when it is proven that this node signed another history than lies here: it must not vote by its journal. */
  readonly onLaterHistory: (detail: string) => void;
};

/** Brings the node's events to its aggregators, one agent for each, over one database of acknowledgements. */
export class NodeSync implements MetricSource {
  readonly #agents: readonly SyncAgent[];
  readonly #database: Database;
  readonly #renewal: CertificateRenewal | undefined;
  readonly #escrow: NodeEscrow | undefined;

  /** Whether there is an aggregator. */
  static isWanted({ configuration }: NodeSetup): boolean {
    return configuration.sync.aggregators.length > 0;
  }

  /**
   * Opens sync.db and prepares; nothing is sent yet. From now on, and so from before the first step of pruning, nothing of the
   * chain lane goes before every aggregator holds it.
   *
   * @throws StartRefused when a file of the settings, or sync.db, cannot be used
   */
  constructor(parts: NodeSyncParts) {
    const { setup, contexts, log } = parts;
    const { clock, timers, entropy, suite, openDatabase } = systemPlatform;
    const { aggregators, profile, witnessKeys } = setup.configuration.sync;
    const renewal = renewalOf(parts);
    const tls = renewal ? () => renewal.tls : readSyncTls(setup.home, setup.configuration.sync);
    this.#renewal = renewal;
    this.#database = named(setup.home, () =>
      openDatabase({
        path: join(setup.home, HOME.sync),
        applicationId: SYNC_APPLICATION_ID,
        migrations: SYNC_MIGRATIONS,
        pageBytes: SYNC_PAGE_BYTES,
        durability: "normal", // an acknowledgement lost in a power cut is asked for again; a sync for each would hold up the thread
        create: true,
      }),
    );
    tellNotices(this.#database, contexts.events, log);
    const acks = new AckTable(this.#database);
    const facts = factsOf(parts, renewal, () =>
      this.status().reduce((sum, { sentBytes, receivedBytes }) => sum + sentBytes + receivedBytes, 0),
    );
    const common = {
      source: contexts.events,
      acks,
      facts,
      forks: forkHandler(parts),
      identity: setup.identity,
      suite,
      clock,
      timers,
      entropy,
      log,
      profile,
    };
    this.#agents = aggregators.map((url, index) => {
      const witnessKey = parseHex(witnessKeys[index] ?? "");
      const carrier = new EitherCarrier(new WebSocketCarrier(url, tls), new PostCarrier(url, tls));
      const prng = new Prng(new DataView(entropy.bytes(4).buffer).getUint32(0));
      return new SyncAgent({ ...common, carrier, prng, ...(witnessKey?.length === 32 ? { witnessKey } : {}) });
    });
    const { networking } = parts;
    const isEscrowed = setup.configuration.sync.escrow === "on" && networking !== undefined;
    this.#escrow = isEscrowed ? new NodeEscrow({ ...parts, networking, database: this.#database }, this.#agents) : undefined;
    parts.watch.watchAlso(() => this.#alerts());
    contexts.pruning.holdBack((_height, place) => this.#agents.every((agent) => isHeld(agent.acknowledged("chain"), place)));
  }

  /** Begins to send. */
  start(): void {
    for (const agent of this.#agents) agent.start();
    this.#renewal?.start();
    this.#escrow?.start();
  }

  /** Stops; what is not acknowledged is sent by the next start. */
  stop(): void {
    this.#renewal?.stop();
    this.#escrow?.stop();
    for (const agent of this.#agents) agent.stop();
    this.#database.close();
  }

  /**
   * Resolves once every aggregator has said what it holds of this node, or after so many milliseconds: one that does not answer
   * holds nothing up for longer.
   */
  async heard(waitMs: number): Promise<void> {
    const endMs = systemPlatform.clock.monotonicMs() + waitMs;
    while (!this.status().every(({ isUp }) => isUp) && systemPlatform.clock.monotonicMs() < endMs)
      await pause(systemPlatform.timers, LOOK_MS);
  }

  /** How each aggregator's agent stands. */
  status(): readonly SyncStatus[] {
    return this.#agents.map((agent) => agent.status());
  }

  /** An aggregator without room for this node's records: nothing is lost before this disk is full, so people have time, and must know. */
  #alerts(): readonly Alert[] {
    const full = this.status().flatMap(({ url, lanes }) => lanes.flatMap((lane) => (lane.full === undefined ? [] : [{ url, ...lane }])));
    const [first] = full;
    if (!first) return [];
    const reason = `${first.url} takes no ${full.map(({ lane }) => lane).join(", ")} for now: ${first.full}`;
    return [
      { name: "aggregator-full", severity: "warning", reason, remedy: "raise the node's quota there, or give the aggregator more disk" },
    ];
  }

  collect(): readonly MetricFamily[] {
    const states = this.status();
    const gauge = (name: string, help: string, figureOf: (status: SyncStatus) => number): MetricFamily => ({
      name,
      help,
      kind: "gauge",
      samples: states.map((status, index) => ({ labels: { aggregator: String(index + 1) }, value: figureOf(status) })),
    });
    const certificate: MetricFamily = {
      name: "bizra_sync_certificate_seconds",
      help: "Time until the certificate of this node at its aggregators ends.",
      kind: "gauge",
      samples: this.#renewal ? [{ value: this.#renewal.daysLeft * 86_400 }] : [],
    };
    return [
      ...(this.#escrow?.collect() ?? []),
      certificate,
      gauge("bizra_sync_up", "Whether the aggregator is connected.", ({ isUp }) => (isUp ? 1 : 0)),
      gauge(
        "bizra_sync_unacknowledged_seconds",
        "Age of the oldest event without an acknowledgement: the live RPO.",
        (s) => s.unacknowledgedMs / 1_000,
      ),
      {
        name: "bizra_sync_lane_unacknowledged_seconds",
        help: "The same for each lane.",
        kind: "gauge",
        samples: states.flatMap(({ lanes }, index) =>
          lanes.map(({ lane, unacknowledgedMs }) => ({
            labels: { aggregator: String(index + 1), lane },
            value: unacknowledgedMs / 1_000,
          })),
        ),
      },
      gauge("bizra_sync_sent_bytes", "Bytes of sync messages sent since the start.", ({ sentBytes }) => sentBytes),
      gauge("bizra_sync_received_bytes", "Bytes of sync messages received since the start.", ({ receivedBytes }) => receivedBytes),
      gauge(
        "bizra_sync_held_lanes",
        "Lanes of which the aggregator holds another history.",
        ({ lanes }) => lanes.filter(({ isHeld }) => isHeld).length,
      ),
      gauge(
        "bizra_sync_full_lanes",
        "Lanes that the aggregator has no room for.",
        ({ lanes }) => lanes.filter(({ full }) => full !== undefined).length,
      ),
    ];
  }
}

/** Whether an acknowledgement covers a place. */
function isHeld(acknowledged: LaneCursor | undefined, { epoch, sequence }: LaneCursor): boolean {
  return acknowledged !== undefined && compareCursors(acknowledged, { epoch, sequence }) >= 0;
}

/** @param traffic bytes of sync messages since the start, both ways */
function factsOf(
  { setup, contexts, networking, lag, watch }: NodeSyncParts,
  renewal: CertificateRenewal | undefined,
  traffic: () => number,
): NodeFacts {
  const reader = nodeReader({ setup, contexts, lag, watch, networking });
  const machine = new MachineReader(systemPlatform.clock);
  const hardware = hardwareReader(setup.home);
  const health = healthOf(setup, contexts, networking);
  return {
    hello: () => {
      const validatorKey = contexts.loop.status().self === undefined ? undefined : setup.validator.publicKey;
      return { node: setup.nodeId, network: setup.genesis.hash, software: VERSION.version, ...(validatorKey && { validatorKey }) };
    },
    heartbeat: () => {
      const { epoch, view, voting, isLagging, peerCount } = contexts.loop.status();
      const ready = health.report("ready");
      const reason = ready.checks.find(({ isOk }) => !isOk)?.reason ?? "";
      const figures = {
        ...reader.read(),
        ...machine.read(),
        ...hardware.read(),
        ...attendance(contexts),
        syncBytes: traffic(),
        certificateDays: renewal?.daysLeft,
      };
      const metrics = Object.entries(figures).flatMap(([name, value]) => metricOf(name, value));
      const state = isLagging ? "catchingUp" : voting;
      return { height: contexts.blocks.queries.tipHeight, epoch, view, state, isReady: ready.isOk, reason, peers: peerCount, metrics };
    },
  };
}

/** What final headers of the running epoch hold of this validator; null where it is none. */
function attendance({ state, loop }: Contexts): Readonly<Record<string, number | null>> {
  const { self } = loop.status();
  const entry = state.viewOn(undefined).find(EPOCH_KEY);
  const epoch = entry?.kind === "epoch" ? entry : undefined;
  const tally = self === undefined ? undefined : epoch?.tallies[self];
  return {
    epochCertificates: epoch?.certificates ?? null,
    epochVotes: tally?.votes ?? null,
    epochProposed: tally?.proposed ?? null,
    epochMissedTurns: tally?.missed ?? null,
  };
}

/** A figure in thousandths; texts and what is not known are left out. */
function metricOf(name: string, value: unknown): { readonly name: string; readonly value: number }[] {
  const number = typeof value === "boolean" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return [];
  const thousandths = Math.round(number * 1_000);
  return Number.isSafeInteger(thousandths) ? [{ name, value: thousandths }] : [];
}

/**
 * Two histories of a lane: people are told, and what this box says from now on goes into a new incarnation. A chain lane
 * that an aggregator holds more of grows back with the chain. An aggregator's word alone never silences a validator:
 * whoever could speak for it would stop the network. A checkpoint of the vital lane that this node's own identity signed
 * does: the home is an older one or a copy, and its journal may be, too (DR-9).
 */
function forkHandler({ setup, contexts: { events }, onLaterHistory }: NodeSyncParts): ForkHandler {
  const owner = { network: networkIdOf(setup.genesis.hash), node: setup.nodeId, identityKey: setup.identity.publicKey };
  return {
    onFork(lane, cursor, verdict, vital) {
      if (lane === "chain" && verdict === "ahead") return false;
      const detail =
        verdict === "ahead"
          ? `an aggregator holds record ${cursor.epoch}/${cursor.sequence} of the ${lane} lane, which is not here: this home is an older copy, or another box runs its identity`
          : `an aggregator holds another record ${cursor.epoch}/${cursor.sequence} of the ${lane} lane: this home was restored or copied`;
      if (lane === "chain") {
        events.appendCrit(event("alert.raised", { alert: "syncFork", severity: "critical", detail }));
        return false;
      }
      const isProven = lane === "crit" && vital !== undefined && provesOtherHistory(events, vital, owner, systemPlatform.suite.verify);
      if (isProven) onLaterHistory(detail); // durable before the lane goes on as if nothing had been
      events.reopen(lane, cursor.epoch, verdict === "ahead" ? "restore" : "clone");
      events.appendCrit(event("alert.raised", { alert: "syncFork", severity: "critical", detail }));
      return true;
    },
  };
}

/** Looks after the certificate where it came by enrolment: it then lies with its key in one file. */
function renewalOf({ setup, contexts, log }: NodeSyncParts): CertificateRenewal | undefined {
  const { home, configuration, identity, genesis, nodeId } = setup;
  const { certificateFile, keyFile, aggregators } = configuration.sync;
  const authority = readSyncTls(home, configuration.sync).ca;
  if (certificateFile === "" || certificateFile !== keyFile || authority === undefined) return undefined;
  const { clock, timers, entropy } = systemPlatform;
  const alert = "certificateExpiring";
  let isRaised = false;
  return CertificateRenewal.open({
    path: resolve(home, certificateFile),
    authority,
    urls: aggregators,
    node: nodeId,
    network: genesis.hash,
    identity,
    clock,
    timers,
    entropy,
    log,
    onExpiring(notAfterMs) {
      isRaised = true;
      const detail = `the certificate at the aggregators ends at ${new Date(notAfterMs).toISOString()} and could not be renewed`;
      contexts.events.appendCrit(event("alert.raised", { alert, severity: "warning", detail }));
    },
    onRenewed() {
      if (isRaised) contexts.events.appendCrit(event("alert.cleared", { alert }));
      isRaised = false;
    },
  });
}
