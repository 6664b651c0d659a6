import type { CancelTimer, Clock, Log, Timers } from "../../src/kernel/index.ts";
import { EventPump, type EventReader } from "./event-pump.ts";
import type { DeviceIdentity } from "./home-assistant.ts";
import type { MetricName } from "./metrics.ts";
import { NativeView, type NodeFacts, statusMessage } from "./native-view.ts";
import type { Connector, Outlet } from "./outlet.ts";
import type { BandwidthProfile } from "./profiles.ts";
import { planReport, type Report, type ReportState, type Sample } from "./report.ts";
import { SamplePump } from "./sample-pump.ts";
import { EdgeNode } from "./sparkplug/edge-node.ts";
import type { SparkplugDevice } from "./sparkplug/messages.ts";
import type { TelemetryStore } from "./store.ts";
import type { NodeName } from "./topics.ts";

/** What one broker is told, and how. */
export type LinkOptions = {
  readonly connector: Connector;
  readonly profile: BandwidthProfile;
  /** Group id of the Sparkplug edge node; empty: none. */
  readonly sparkplugGroup: string;
  /** Id of the Sparkplug host without which nothing is told; empty: none. */
  readonly sparkplugHost: string;
  /** Discovery prefix of Home Assistant; empty: none. */
  readonly homeAssistantPrefix: string;
};

/** What every link of a node shares. */
export type LinkParts = {
  readonly name: NodeName;
  readonly identity: DeviceIdentity;
  readonly facts: NodeFacts;
  readonly events: EventReader;
  readonly store: TelemetryStore;
  readonly sample: () => Sample;
  readonly devices: () => readonly SparkplugDevice[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Reports that wait for a broker that cannot be reached: a day and more at one every ten seconds, about 3 MB. */
const WAITING_REPORTS_MAX = 10_000;
/** Records of a lane that wait for a broker. */
const WAITING_EVENTS_MAX = 100_000;

/** Telemetry to one broker: its native session with the retained topics, events and reports, and its Sparkplug session. */
export class Link {
  readonly #parts: LinkParts;
  readonly #options: LinkOptions;
  readonly #native: Outlet;
  readonly #view: NativeView;
  readonly #events: EventPump;
  readonly #samples: SamplePump;
  readonly #edgeNode: EdgeNode | undefined;
  readonly #sparkplug: Outlet | undefined;
  #state: ReportState | undefined;
  #cancel: CancelTimer = () => {};

  constructor(parts: LinkParts, options: LinkOptions) {
    const { name, store, clock, timers, log } = parts;
    const { connector, profile } = options;
    this.#parts = parts;
    this.#options = options;
    this.#native = connector.session({ name: "native", will: () => statusMessage(name, "offline"), endsWithWill: false });
    this.#samples = new SamplePump(name, this.#native, store.queue(`${connector.name}/metrics`, WAITING_REPORTS_MAX));
    this.#view = new NativeView({ ...parts, profile, outlet: this.#native, homeAssistantPrefix: options.homeAssistantPrefix });
    this.#events = new EventPump({ ...parts, broker: connector.name, outlet: this.#native, profile, waitingMax: WAITING_EVENTS_MAX });
    if (options.sparkplugGroup === "") return;
    const bdSeq = `${connector.name}/bdSeq`;
    const edgeNode = new EdgeNode({
      name: { group: options.sparkplugGroup, node: name.node },
      primaryHost: options.sparkplugHost,
      sample: parts.sample,
      devices: parts.devices,
      queue: store.queue(`${connector.name}/sparkplug`, WAITING_REPORTS_MAX),
      bdSeq: { read: () => store.number(bdSeq), write: (value) => store.putNumber(bdSeq, value) },
      clock,
      timers,
      log,
    });
    this.#edgeNode = edgeNode;
    this.#sparkplug = connector.session({ name: "sparkplug", will: () => edgeNode.will(), endsWithWill: true });
    edgeNode.attach(this.#sparkplug);
  }

  /** Where commands are heard and answered. */
  get native(): Outlet {
    return this.#native;
  }

  /** Whether a report or record waits for this broker. */
  get waiting(): { readonly reports: number; readonly events: number } {
    return { reports: this.#samples.waiting, events: this.#events.waiting };
  }

  /** Connects, and looks at the figures from now on. */
  start(): void {
    this.#events.start();
    this.#native.open();
    this.#sparkplug?.open();
    this.#look();
  }

  /** Tells anew what the node is. */
  tellInfo(): void {
    this.#view.tellInfo();
  }

  /** Tells everything at once, as a heartbeat. */
  tellAll(): void {
    this.#state = undefined;
    this.#view.tellAll();
    this.#tell();
  }

  /** Asks the Sparkplug edge node for a birth; whether there is one to be born. */
  requestRebirth(): boolean {
    this.#edgeNode?.requestRebirth();
    return this.#edgeNode !== undefined;
  }

  /** Says goodbye and ends the sessions; what did not arrive is on disk. */
  async stop(): Promise<void> {
    this.#cancel();
    this.#events.close();
    await this.#edgeNode?.farewell();
    await this.#sparkplug?.close();
    await this.#view.farewell();
    this.#samples.close();
    await this.#native.close();
  }

  #look(): void {
    this.#tell();
    this.#cancel = this.#parts.timers.after(this.#options.profile.sampleMs, () => this.#look());
  }

  #tell(): void {
    const sample = this.#parts.sample();
    const { state, report } = planReport(this.#state, sample, this.#options.profile);
    this.#state = state;
    this.#edgeNode?.tellDevices();
    if (report === undefined) return;
    if (this.#options.profile.isHealthFrequent || isAboutHealth(report)) this.#view.tellHealth(sample);
    void this.#samples.tell(report);
    void this.#edgeNode?.tell(report);
  }
}

/** What the node can do, rather than how much. */
const HEALTH: readonly MetricName[] = ["voting", "isCatchingUp", "isReady", "alerts", "isAdmitting", "isThrottled"];

function isAboutHealth({ isHeartbeat, values }: Report): boolean {
  return isHeartbeat || HEALTH.some((name) => values[name] !== undefined);
}
