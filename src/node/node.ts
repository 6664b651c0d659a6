import { join } from "node:path";
import type { LocalBroker } from "../../appliance/telemetry/index.ts";
import { startGateway } from "../gateway/index.ts";
import { type Log, toHex } from "../kernel/index.ts";
import { EventLoopLag, MetricRegistry, type MetricSource, processMetrics } from "../monitoring/index.ts";
import { findValidatorIndex } from "../protocol/index.ts";
import { type Contexts, openContexts } from "./contexts.ts";
import { closeFiles, journalFloorOf, type NodeFiles, named, openFiles } from "./files.ts";
import { gatewayPorts } from "./gateway-ports.ts";
import { announceRunningNode, HOME, withdrawRunningNode } from "./home.ts";
import { joinBySnapshot } from "./joining.ts";
import { closeContexts, runContexts, tellStop } from "./lifetime.ts";
import { networkMetrics } from "./network-metrics.ts";
import { NodeNetworking } from "./networking.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { systemPlatform } from "./platform.ts";
import { systemClock, systemTimers } from "./ports.ts";
import type { NodeControls } from "./remote-commands.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";
import { NodeTelemetry, type NodeTelemetryParts } from "./telemetry.ts";
import { VERSION } from "./version.ts";
import { Watch } from "./watch.ts";

/** A node that runs. */
export interface RunningNode {
  /** Where its HTTP interface answers. */
  readonly http: string;
  /** Resolves with the reason when the node can no longer keep its promises; the process must end at once. */
  readonly failed: Promise<unknown>;
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
  const files = openFiles(setup, systemPlatform, log);
  const replay = files.journal.replay();
  if (replay.kind === "lost") log.error("journal.lost", { file: join(setup.home, HOME.journal), loss: replay.loss, detail: replay.detail });
  const networking = NodeNetworking.isWanted(setup) ? new NodeNetworking(setup, systemPlatform, log) : undefined;
  const contexts = openOrClose(setup, files, networking, log, failure.resolve);
  const stranger = findStranger(setup, contexts);
  if (stranger !== undefined) {
    await closeContexts(contexts, files);
    throw new StartRefused(stranger);
  }
  const lag = new EventLoopLag(systemClock, systemTimers);
  const watch = new Watch(setup, contexts, lag, log, () => networking?.sharedKey);
  const broker: LocalBroker | undefined = undefined;
  const telemetry = await openTelemetry({ setup, contexts, networking, lag, watch, controls, log, broker }, files);
  const gateway = listen(setup, contexts, networking, lag, startedAtMs, log, failure.resolve, telemetry?.metrics);
  if (!gateway.ok) {
    await telemetry?.stop();
    await closeContexts(contexts, files);
    throw new StartRefused(gateway.error.detail);
  }
  runContexts(contexts);
  try {
    await networking?.start(contexts);
  } catch (error) {
    await gateway.value.stop();
    await telemetry?.stop();
    await closeContexts(contexts, files);
    throw error;
  }
  lag.start();
  watch.start();
  telemetry?.start();
  announceRunningNode(setup.home, { pid: process.pid, http: gateway.value.url });
  const { queries } = contexts.blocks;
  log.info("node.started", { height: queries.tipHeight, http: gateway.value.url, ms: Math.round(systemClock.monotonicMs() - startedAtMs) });
  const stop = async (): Promise<void> => {
    withdrawRunningNode(setup.home);
    await gateway.value.stop();
    await networking?.stop();
    await telemetry?.stop();
    watch.stop();
    lag.stop();
    tellStop(contexts);
    await closeContexts(contexts, files);
    log.info("node.stopped", { height: queries.tipHeight });
  };
  return { http: gateway.value.url, failed: failure.promise, stop };
}

/** Telemetry, where there is a broker to tell; a refusal closes what is open. */
async function openTelemetry(parts: NodeTelemetryParts, files: NodeFiles): Promise<NodeTelemetry | undefined> {
  if (!NodeTelemetry.isWanted(parts.setup, parts.broker)) return undefined;
  try {
    return new NodeTelemetry(parts);
  } catch (error) {
    await closeContexts(parts.contexts, files);
    throw error;
  }
}

/** Why a node without peers cannot go on with its chain: the only member of the set has another key. */
function findStranger({ home, configuration, validator }: NodeSetup, { blocks }: Contexts): string | undefined {
  const { epoch, validatorSet } = blocks.reader.currentEpoch();
  const isAlone = validatorSet.validators.length === 1 && configuration.network.peers.length === 0;
  if (!isAlone || findValidatorIndex(validatorSet, validator.publicKey) !== undefined) return undefined;
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
): Contexts {
  const platform = networking ? { ...systemPlatform, network: networking.outward } : systemPlatform;
  try {
    return named(setup.home, () => openContexts(setup, files, platform, log, fail, (notice) => networking?.onNotice(notice)));
  } catch (error) {
    closeFiles(files);
    throw error;
  }
}

function listen(
  setup: NodeSetup,
  contexts: Contexts,
  networking: NodeNetworking | undefined,
  lag: EventLoopLag,
  startedAtMs: number,
  log: Log,
  fail: (error: unknown) => void,
  telemetry: MetricSource | undefined,
): ReturnType<typeof startGateway> {
  const registry = new MetricRegistry();
  registry.addSource(processMetrics(VERSION, systemClock.nowMs()));
  registry.addSource(lag);
  registry.addSource(nodeMetrics(contexts));
  if (networking) registry.addSource(networkMetrics(networking));
  if (telemetry) registry.addSource(telemetry);
  return startGateway({
    ports: gatewayPorts(setup, contexts, networking, startedAtMs),
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
