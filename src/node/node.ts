import { event } from "../events/index.ts";
import { startGateway } from "../gateway/index.ts";
import type { Log } from "../kernel/index.ts";
import { EventLoopLag, MetricRegistry, processMetrics } from "../monitoring/index.ts";
import { openContexts } from "./contexts.ts";
import { closeFiles, named, openFiles } from "./files.ts";
import { gatewayPorts } from "./gateway-ports.ts";
import { announceRunningNode, withdrawRunningNode } from "./home.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { systemClock, systemTimers } from "./ports.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";
import { VERSION } from "./version.ts";

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
 * Composition root: constructs the contexts in floor order, lets each check and recover itself, and only then votes and
 * admits.
 *
 * @throws StartRefused when something on disk, or the address, does not let it start
 */
export async function startNode(setup: NodeSetup, log: Log): Promise<RunningNode> {
  const startedAtMs = systemClock.monotonicMs();
  const failure = Promise.withResolvers<unknown>();
  const fail = (error: unknown): void => failure.resolve(error);
  const files = openFiles(setup, log);
  const contexts = named(setup.home, () => openContexts(setup, files, log, fail));
  const { state, blocks, mempool, loop, settlements, events } = contexts;
  const registry = new MetricRegistry();
  const lag = new EventLoopLag(systemClock, systemTimers);
  registry.addSource(processMetrics(VERSION, systemClock.nowMs()));
  registry.addSource(lag);
  registry.addSource(nodeMetrics(contexts));
  const ports = gatewayPorts(setup, contexts, startedAtMs);
  loop.start();
  lag.start();
  const gateway = startGateway({
    ports,
    limits: setup.configuration.http,
    listen: setup.configuration.http.listen,
    build: { name: "bizra", version: VERSION.version, runtime: VERSION.runtime },
    clock: systemClock,
    timers: systemTimers,
    log,
    registry,
    onDefect: fail,
  });
  if (!gateway.ok) throw new StartRefused(gateway.error.detail);
  announceRunningNode(setup.home, { pid: process.pid, http: gateway.value.url });
  blocks.subscribe((outcome) => {
    settlements.onBlock(outcome);
    state.checkpointIfDue();
  });
  log.info("node.started", {
    height: blocks.queries.tipHeight,
    http: gateway.value.url,
    ms: Math.round(systemClock.monotonicMs() - startedAtMs),
  });
  events.appendOps(event("service.started", { service: "node", version: VERSION.version, height: blocks.queries.tipHeight }));
  const stop = async (): Promise<void> => {
    withdrawRunningNode(setup.home);
    await gateway.value.stop();
    await mempool.stop();
    loop.stop();
    lag.stop();
    await state.checkpoint();
    await contexts.index.settle();
    contexts.index.close();
    events.appendOps(event("service.stopped", { service: "node", reason: "asked to" }));
    events.close();
    closeFiles(files);
    log.info("node.stopped", { height: blocks.queries.tipHeight });
  };
  return { http: gateway.value.url, failed: failure.promise, stop };
}
