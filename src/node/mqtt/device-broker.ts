import type { LocalBroker } from "../../../appliance/telemetry/index.ts";
import type { GatewayPorts } from "../../gateway/index.ts";
import type { Log } from "../../kernel/index.ts";
import type { HealthModel, MetricFamily, MetricSource } from "../../monitoring/index.ts";
import type { Contexts } from "../contexts.ts";
import { systemClock, systemTimers } from "../ports.ts";
import { StartRefused } from "../start-refused.ts";
import { BrokerThread } from "./broker-thread.ts";
import { localBrokerOf } from "./local-broker.ts";
import type { ServicePlan } from "./mqtt-service.ts";
import { NodeDesk, type SubmissionListener } from "./node-desk.ts";
import type { MqttUrls } from "./thread-messages.ts";

/** What a node's broker stands on. */
export type DeviceBrokerParts = {
  readonly ports: GatewayPorts & { readonly health: HealthModel };
  readonly contexts: Pick<Contexts, "mempool">;
  readonly log: Log;
  /** Called when the broker can no longer keep its promises: the process must end. */
  readonly fail: (error: unknown) => void;
};

/** The device broker of a running node: its thread, and the desk in this one that takes what devices submit. */
export class DeviceBroker implements MetricSource {
  /** The broker as telemetry speaks to it. */
  readonly local: LocalBroker;
  readonly #thread: BrokerThread;
  readonly #desk: NodeDesk;

  private constructor(thread: BrokerThread, desk: NodeDesk) {
    this.#thread = thread;
    this.#desk = desk;
    this.local = localBrokerOf(thread);
  }

  /**
   * Starts it; its doors are open when this resolves.
   *
   * @throws StartRefused when an address, a file or a certificate does not let it
   */
  static async start(plan: ServicePlan, { ports, contexts, log, fail }: DeviceBrokerParts): Promise<DeviceBroker> {
    const desk = new NodeDesk({
      submission: ports.submission,
      transactions: ports.transactions,
      isPending: (id) => contexts.mempool.status(id) === "accepted",
      clock: systemClock,
      timers: systemTimers,
    });
    const thread = await BrokerThread.start(plan, { desk, clock: systemClock, log, onFailure: fail });
    if (!thread.ok) {
      desk.stop();
      throw new StartRefused(thread.error);
    }
    ports.health.add({ name: "broker", gates: ["live"], check: () => thread.value.health() });
    log.info("mqtt.started", { ...thread.value.urls });
    return new DeviceBroker(thread.value, desk);
  }

  /** Tells what devices hand in; the function ends it. */
  subscribeSubmissions(listener: SubmissionListener): () => void {
    return this.#desk.subscribeSubmissions(listener);
  }

  /** Where its doors are. */
  get urls(): MqttUrls {
    return this.#thread.urls;
  }

  collect(): readonly MetricFamily[] {
    const watched: MetricFamily = {
      name: "bizra_mqtt_endings_awaited",
      help: "Transactions submitted over MQTT whose ending the node has not told its broker yet.",
      kind: "gauge",
      samples: [{ value: this.#desk.watchedCount }],
    };
    return [...this.#thread.collect(), watched];
  }

  /** Tells every client, closes the doors, and ends the thread when what must survive is on disk. */
  async stop(): Promise<void> {
    await this.#thread.stop();
    this.#desk.stop();
  }
}
