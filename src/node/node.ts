import { join } from "node:path";
import type { Notice, Round } from "../consensus/index.ts";
import { event } from "../events/index.ts";
import { type Gateway, type GatewayPorts, startGateway } from "../gateway/index.ts";
import { type Log, toHex } from "../kernel/index.ts";
import { EventLoopLag, MetricRegistry, type MetricSource, processMetrics } from "../monitoring/index.ts";
import { findValidatorIndex } from "../protocol/index.ts";
import { NodeBackup } from "./backup.ts";
import { type Contexts, openContexts } from "./contexts.ts";
import { CustodyRefusals, hasSigned, takeCustody } from "./custody.ts";
import { NodeEnrolment } from "./enrolment.ts";
import { closeFiles, journalFloorOf, type NodeFiles, named, openFiles } from "./files.ts";
import { gatewayPorts } from "./gateway-ports.ts";
import { carryHandAudit } from "./hand-audit.ts";
import { announceRunningNode, HOME, withdrawRunningNode } from "./home.ts";
import { forgetBehind, joinBySnapshot } from "./joining.ts";
import { closeContexts, runContexts, tellStop } from "./lifetime.ts";
import { DeviceBroker, type MqttUrls, planBroker, type SubmissionListener } from "./mqtt/index.ts";
import { networkMetrics } from "./network-metrics.ts";
import { NodeNetworking } from "./networking.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { systemPlatform } from "./platform.ts";
import { systemClock, systemTimers } from "./ports.ts";
import type { NodeControls } from "./remote-commands.ts";
import { isRotationDue } from "./rotation.ts";
import type { NodeSetup } from "./setup.ts";
import { distrustOlderJournal } from "./signstate.ts";
import { StartRefused } from "./start-refused.ts";
import { NodeSync, type NodeSyncParts } from "./sync.ts";
import { NodeTelemetry, type NodeTelemetryParts } from "./telemetry.ts";
import { VERSION } from "./version.ts";
import { Watch } from "./watch.ts";

/** A node that runs. */
export interface RunningNode {
  /** Where its HTTP interface answers. */
  readonly http: string;
  /** Where its device broker is, by door; empty without one. */
  readonly mqtt: MqttUrls;
  /** Resolves with the reason when the node can no longer keep its promises; the process must end at once. */
  readonly failed: Promise<unknown>;
  /** Resolves when the chain has given this validator the key that waits in its home, with what to take it up at: stop it first. */
  readonly rotated: Promise<Round>;
  /**
   * Resolves when this home is proven to be an older one or a copy (DR-9): from then on it signs nothing, its journal is a
   * recovering one, and a stop and a new start ask the others (R14).
   */
  readonly distrusted: Promise<string>;
  /** Resolves with an aggregator's address when the node has enrolled there by its settings: a stop and a new start take it up. */
  readonly enrolled: Promise<string>;
  /** Stops in good order: no new requests, running ones finish, everything accepted is on disk. */
  stop(): Promise<void>;
}

/**
 * Composition root: constructs the contexts in floor order, lets each check and recover itself, listens, and only then
 * votes. A start that is refused leaves nothing running and nothing open.
 *
 * @param controls what signed commands of the fleet may do with the process
 * @throws StartRefused when something on disk, or the address, does not let it start
 */
export async function startNode(setup: NodeSetup, log: Log, controls: NodeControls = {}): Promise<RunningNode> {
  const startedAtMs = systemClock.monotonicMs();
  const failure = Promise.withResolvers<unknown>();
  await joinBySnapshot(setup, systemPlatform, log, () => journalFloorOf(setup, systemPlatform));
  named(setup.home, () => distrustOlderJournal(setup, log));
  const files = openFiles(setup, systemPlatform, log);
  const replay = files.journal.replay();
  if (replay.kind === "lost") log.error("journal.lost", { file: join(setup.home, HOME.journal), loss: replay.loss, detail: replay.detail });
  const networking = NodeNetworking.isWanted(setup) ? new NodeNetworking(setup, systemPlatform, log, failure.resolve) : undefined;
  const refusals = new CustodyRefusals(() => setup.journal === undefined && contexts.loop.standing().voting === "voting");
  const contexts = openOrClose(setup, files, networking, log, failure.resolve, (notice) => {
    if (notice.kind === "recovering") refusals.count(replay.kind === "lost" ? "journalLost" : "ownVoteShown");
  });
  forgetBehind(systemPlatform.fs, setup.home, contexts.blocks.queries.tipHeight);
  const stranger = findStranger(setup, contexts);
  if (stranger !== undefined) {
    await closeContexts(contexts, files);
    throw new StartRefused(stranger);
  }
  carryHandAudit(setup.home, contexts.events);
  takeCustody(setup.home, setup.custody, setup.validator, contexts.events, log, refusals, hasSigned(replay));
  const lag = new EventLoopLag(systemClock, systemTimers);
  const distrust = Promise.withResolvers<string>();
  const onLaterHistory = (detail: string): void => {
    refusals.count("laterHistory");
    stopSigning(setup, contexts, files, detail, log);
    distrust.resolve(detail);
  };
  const watch = new Watch(setup, contexts, lag, log, () => networking?.sharedKey);
  const enrolment = NodeEnrolment.isWanted(setup)
    ? new NodeEnrolment({ ...systemPlatform, setup, events: contexts.events, log, fail: failure.resolve })
    : undefined;
  if (enrolment) watch.watchAlso(() => enrolment.alerts());
  const { gateway, telemetry, broker, sync, backup } = await openServices(
    { setup, contexts, networking, lag, watch, controls, log, onLaterHistory, enrolment },
    files,
    startedAtMs,
    failure.resolve,
    refusals,
  );
  const rotation = Promise.withResolvers<Round>();
  watchRotation(setup, contexts, rotation.resolve);
  lag.start();
  watch.start();
  telemetry?.start();
  backup?.start();
  enrolment?.start();
  const mqtt = broker?.urls ?? {};
  announceRunningNode(setup.home, { pid: process.pid, http: gateway.url, ...(mqtt.tcp === undefined ? {} : { mqtt: mqtt.tcp }) });
  const { queries } = contexts.blocks;
  log.info("node.started", { height: queries.tipHeight, http: gateway.url, ms: Math.round(systemClock.monotonicMs() - startedAtMs) });
  const stop = async (): Promise<void> => {
    withdrawRunningNode(setup.home);
    enrolment?.stop();
    await gateway.stop();
    await networking?.stop();
    await telemetry?.stop();
    await broker?.stop();
    await backup?.stop();
    sync?.stop();
    watch.stop();
    lag.stop();
    tellStop(contexts);
    await closeContexts(contexts, files);
    log.info("node.stopped", { height: queries.tipHeight });
  };
  const enrolled = (enrolment?.enrolled ?? new Promise<string>(() => {})).then((aggregator) => {
    watch.lookNow(); // what was raised of it is cleared before the new start, which would not know of it
    return aggregator;
  });
  return { http: gateway.url, mqtt, failed: failure.promise, rotated: rotation.promise, distrusted: distrust.promise, enrolled, stop };
}

/** Aggregators are heard for so long before the first vote (DR-9); what they say later stops the next one. */
const AGGREGATOR_WAIT_MS = 1_000;

/** Ends voting for good in this process, and makes the journal a recovering one, durably: a start goes on by R14. */
function stopSigning({ home, validator }: NodeSetup, { loop, events }: Contexts, { journal }: NodeFiles, detail: string, log: Log): void {
  loop.stop();
  if (journal.recovery.kind !== "recovering") {
    journal.append({ kind: "recovery", status: { kind: "recovering" } });
    journal.syncNow();
  }
  log.error("custody.laterHistory", { home, detail });
  const target = toHex(validator.publicKey);
  events.appendCrit(event("audit.recorded", { actor: "node", action: "sign", target, outcome: "refused", detail }));
}

/** Tells when an epoch's set has the key that waits in the home; asked at the start and at each epoch. */
function watchRotation({ home, validator }: NodeSetup, { blocks }: Contexts, tell: (floor: Round) => void): void {
  let known = -1;
  const look = (): void => {
    const { epoch, validatorSet } = blocks.reader.currentEpoch();
    if (epoch === known) return;
    known = epoch;
    if (isRotationDue(home, validatorSet, validator.publicKey)) tell(blocks.tip());
  };
  look();
  blocks.subscribe(look);
}

/** What a node offers to others; a refusal closes what is open. */
type Services = {
  readonly gateway: Gateway;
  readonly telemetry: NodeTelemetry | undefined;
  readonly broker: DeviceBroker | undefined;
  readonly sync: NodeSync | undefined;
  readonly backup: NodeBackup | undefined;
};

/** Opens the broker, telemetry and the gateway, and sets the contexts and the network going. */
async function openServices(
  parts: Omit<NodeTelemetryParts, "broker" | "submissions"> & NodeSyncParts & { readonly enrolment: NodeEnrolment | undefined },
  files: NodeFiles,
  startedAtMs: number,
  fail: (error: unknown) => void,
  refusals: CustodyRefusals,
): Promise<Services> {
  const { setup, contexts, networking, lag, log } = parts;
  const opened: { stop(): unknown }[] = [{ stop: () => closeContexts(contexts, files) }];
  try {
    let urls: MqttUrls = {};
    const ports = gatewayPorts(setup, contexts, networking, startedAtMs, () => urls);
    const plan = planBroker(setup);
    const broker = plan && (await DeviceBroker.start(plan, { ports, contexts, log, fail }));
    if (broker) opened.push(broker);
    urls = broker?.urls ?? urls;
    const submissions = broker && ((listener: SubmissionListener) => broker.subscribeSubmissions(listener));
    const told = { ...parts, broker: broker?.local, submissions };
    const telemetry = NodeTelemetry.isWanted(setup, broker?.local) ? new NodeTelemetry(told) : undefined;
    if (telemetry) opened.push(telemetry);
    const sync = NodeSync.isWanted(setup) ? new NodeSync(parts) : undefined;
    if (sync) opened.push(sync);
    const backup = NodeBackup.isWanted(setup) ? new NodeBackup(setup, systemPlatform, contexts, log) : undefined;
    if (backup) opened.push(backup);
    const sources = [
      lag,
      refusals,
      nodeMetrics(contexts),
      networking && networkMetrics(networking),
      telemetry?.metrics,
      broker,
      sync,
      parts.enrolment,
      backup,
    ];
    const gateway = listen(setup, ports, sources, log, fail);
    if (!gateway.ok) throw new StartRefused(gateway.error.detail);
    opened.push(gateway.value);
    sync?.start();
    await sync?.heard(AGGREGATOR_WAIT_MS);
    runContexts(contexts);
    await networking?.start(contexts);
    return { gateway: gateway.value, telemetry, broker, sync, backup };
  } catch (error) {
    for (const part of opened.reverse()) await part.stop();
    throw error;
  }
}

/** Why a node without peers cannot go on with its chain: the only member of the set has another key, which does not wait here either. */
function findStranger({ home, configuration, validator }: NodeSetup, { blocks }: Contexts): string | undefined {
  const { epoch, validatorSet } = blocks.reader.currentEpoch();
  const isAlone = validatorSet.validators.length === 1 && configuration.network.peers.length === 0;
  if (!isAlone || findValidatorIndex(validatorSet, validator.publicKey) !== undefined) return undefined;
  if (isRotationDue(home, validatorSet, validator.publicKey)) return undefined;
  const [member] = validatorSet.validators;
  return (
    `${join(home, HOME.validatorKey)}: the key ${toHex(validator.publicKey)} does not sign for the chain of ` +
    `${join(home, HOME.genesis)} in epoch ${epoch}, ` +
    `${toHex(member?.publicKey ?? new Uint8Array(0))} does; put that key and its journal in place, or name peers (network.peers) to follow`
  );
}

function openOrClose(
  setup: NodeSetup,
  files: NodeFiles,
  networking: NodeNetworking | undefined,
  log: Log,
  fail: (error: unknown) => void,
  witness: (notice: Notice) => void,
): Contexts {
  const platform = networking ? { ...systemPlatform, network: networking.outward } : systemPlatform;
  try {
    const tell = (notice: Notice): void => {
      witness(notice);
      networking?.onNotice(notice);
    };
    return named(setup.home, () => openContexts(setup, files, platform, log, fail, tell));
  } catch (error) {
    closeFiles(files);
    throw error;
  }
}

function listen(
  setup: NodeSetup,
  ports: GatewayPorts,
  sources: readonly (MetricSource | undefined)[],
  log: Log,
  fail: (error: unknown) => void,
): ReturnType<typeof startGateway> {
  const registry = new MetricRegistry();
  registry.addSource(processMetrics(VERSION, systemClock.nowMs()));
  for (const source of sources) if (source) registry.addSource(source);
  return startGateway({
    ports,
    limits: setup.configuration.http,
    listen: setup.configuration.http.listen,
    build: { name: "bizra", version: VERSION.version, runtime: VERSION.runtime, commit: VERSION.commit },
    clock: systemClock,
    timers: systemTimers,
    log,
    registry,
    onDefect: fail,
  });
}
