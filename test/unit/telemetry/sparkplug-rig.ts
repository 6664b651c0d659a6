import { get } from "sparkplug-payload";
import { EdgeNode, type MetricValues, type SparkplugDevice, type TelemetryStore } from "../../../appliance/telemetry/index.ts";
import { present, silentLog, utf8 } from "../../../src/kernel/index.ts";
import { ManualTime } from "../events/event-fixture.ts";
import { type DecodedPayload, decodedBy, FakeOutlet, memoryStore, NODE, reportOf, sampleOf, settled } from "./telemetry-fixture.ts";

/** Topics of the edge node under test. */
export const TOPIC = {
  nbirth: "spBv1.0/plant/NBIRTH/box-1",
  ndata: "spBv1.0/plant/NDATA/box-1",
  ndeath: "spBv1.0/plant/NDEATH/box-1",
  ncmd: "spBv1.0/plant/NCMD/box-1",
  state: "spBv1.0/STATE/scada",
} as const;

/** A device as the box tells of it. */
export function deviceOf(name: string, index: number, submissions = 1): SparkplugDevice {
  return { name, index, submissions, accepted: submissions, rejected: 0, lastSubmissionMs: 1_000 };
}

/** An edge node on an outlet that a test connects and breaks. */
export class SparkplugRig {
  readonly time = new ManualTime();
  readonly outlet = new FakeOutlet();
  readonly edgeNode: EdgeNode;
  devices: SparkplugDevice[] = [];
  values: MetricValues = { height: 7, voting: "voting", isReady: true, temperatureCelsius: 41.5 };
  /** bdSeq of each will. */
  readonly wills: number[] = [];
  readonly store: TelemetryStore;

  constructor(primaryHost = "", store = memoryStore().store) {
    this.store = store;
    this.edgeNode = new EdgeNode({
      name: { group: "plant", node: NODE.node },
      primaryHost,
      sample: () => sampleOf(this.time.nowMs(), this.values),
      devices: () => this.devices,
      queue: store.queue("outside/sparkplug", 100),
      bdSeq: { read: () => store.number("bdSeq"), write: (value) => store.putNumber("bdSeq", value) },
      clock: this.time,
      timers: this.time,
      log: silentLog,
    });
    this.edgeNode.attach(this.outlet);
  }

  /** A new connection, with the will that goes with it. */
  connect(): void {
    const will = decodedBy(this.edgeNode.will());
    this.wills.push(Number(will.metrics[0]?.value));
    this.outlet.connect();
  }

  /** Figures that changed. */
  async tell(values: MetricValues): Promise<void> {
    this.time.pass(10_000);
    await this.edgeNode.tell(reportOf(this.time.nowMs(), values));
    await settled();
  }

  /** What was published on topics of a kind since the start, decoded by the outside library. */
  all(kind: string): DecodedPayload[] {
    return this.outlet.published.filter(({ topic }) => topic.includes(`/${kind}/`)).map(decodedBy);
  }

  /** The last of a kind. */
  last(kind: string): DecodedPayload {
    return present(this.all(kind).at(-1), `there was ${kind}`);
  }

  /** Sequence numbers of everything but NDEATH, in order. */
  sequence(): number[] {
    return this.outlet.published.filter(({ topic }) => !topic.includes("NDEATH")).map((message) => Number(decodedBy(message).seq));
  }

  /** A host commands, with a payload that the outside library encoded. */
  command(name: string, value: boolean, isRetained = false): void {
    const codec = present(get("spBv1.0"), "the outside encoder knows Sparkplug B");
    const payload = codec.encodePayload({ timestamp: this.time.nowMs(), metrics: [{ name, value, type: "Boolean" }] });
    this.outlet.receive(TOPIC.ncmd, { topic: TOPIC.ncmd, payload, isRetained });
  }

  /** The primary host speaks. */
  host(online: boolean, timestamp: number): void {
    this.outlet.receive(TOPIC.state, { topic: TOPIC.state, payload: utf8(JSON.stringify({ online, timestamp })) });
  }
}
