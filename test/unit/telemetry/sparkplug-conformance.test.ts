/**
 * Every testable assertion of Sparkplug 3.0.0: checked here against one recorded story, named by a test of the other
 * files, or not about an edge node like this one, with the reason.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OutletMessage } from "../../../appliance/telemetry/index.ts";
import { present } from "../../../src/kernel/index.ts";
import assertions from "../../vectors/outside/sparkplug-assertions.json";
import { deviceOf, SparkplugRig } from "./sparkplug-rig.ts";
import { type DecodedPayload, decodedBy, settled } from "./telemetry-fixture.ts";

/** A message as a host sees it, and the will that stood then. */
type Told = {
  readonly kind: string;
  readonly words: readonly string[];
  readonly message: OutletMessage;
  readonly payload: DecodedPayload;
  readonly will: number;
  readonly atMs: number;
};

/** Births, data, a rebirth, devices that come and go, an outage, 300 more messages, and a stop. */
async function recordStory(): Promise<Told[]> {
  const rig = new SparkplugRig();
  const story: Told[] = [];
  const collect = (): void => {
    for (const message of rig.outlet.published.splice(0)) {
      const words = message.topic.split("/");
      const will = present(rig.wills.at(-1), "there is a will");
      story.push({ kind: words[2] ?? "", words, message, payload: decodedBy(message), will, atMs: rig.time.nowMs() });
    }
  };
  rig.devices = [deviceOf("pump", 0), deviceOf("valve", 1)];
  rig.connect();
  collect();
  await rig.tell({ height: 8 });
  rig.devices = [deviceOf("pump", 0, 2), deviceOf("gauge", 2)];
  rig.edgeNode.tellDevices();
  collect();
  rig.time.pass(10_000);
  rig.command("Node Control/Rebirth", true);
  rig.time.pass(0);
  collect();
  for (let i = 0; i < 300; i++) {
    await rig.tell({ height: 10 + i, view: i });
    collect();
  }
  rig.outlet.disconnect();
  await rig.tell({ height: 400 });
  await rig.tell({ height: 401 });
  rig.connect();
  await settled();
  collect();
  await rig.edgeNode.farewell();
  collect();
  return story;
}

const story = await recordStory();
const of = (...kinds: string[]): Told[] => story.filter(({ kind }) => kinds.includes(kind));
const number = (value: { toString(): string } | undefined): number => Number(value?.toString() ?? Number.NaN);
const all = (told: readonly Told[], holds: (one: Told) => boolean): boolean => told.length > 0 && told.every(holds);
const isQos0 = ({ message }: Told): boolean => message.qos === 0;
const isNotRetained = ({ message }: Told): boolean => !message.isRetained;
const isVolatile = (one: Told): boolean => isQos0(one) && isNotRetained(one);
const hasTime = ({ payload, atMs }: Told): boolean => Math.abs(number(payload.timestamp) - atMs) <= 10_000;
const hasTopic = (one: Told, length: number): boolean => one.words.length === length && one.words[0] === "spBv1.0";
const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;
const bdSeqOf = ({ payload }: Told): number => Number(payload.metrics.find(({ name }) => name === "bdSeq")?.value ?? Number.NaN);
/** Whether the sequence number of each message of a kind is one more than that of the one before it in its session. */
const isNext = (kind: string): boolean =>
  all(of(kind), (one) => {
    const before = story[story.indexOf(one) - 1];
    return before !== undefined && number(one.payload.seq) === (number(before.payload.seq) + 1) % 256;
  });
/** Whether births come before data after each NBIRTH. */
const isBornFirst = (): boolean =>
  of("NDATA", "DDATA").every((one) => {
    const before = story.slice(0, story.indexOf(one));
    const birth = before.map(({ kind }) => kind).lastIndexOf("NBIRTH");
    return (
      birth >= 0 && (one.kind === "NDATA" || before.slice(birth).some(({ kind, words }) => kind === "DBIRTH" && words[4] === one.words[4]))
    );
  });
const hasRebirth = ({ payload }: Told): boolean =>
  payload.metrics.some(({ name, type, value }) => name === "Node Control/Rebirth" && type === "Boolean" && value === false);
const isChronological = (kind: string): boolean =>
  all(of(kind), ({ payload }) => {
    const times = payload.metrics.filter(({ isHistorical }) => isHistorical !== true).map(({ timestamp }) => number(timestamp));
    return times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0));
  });
const births = of("NBIRTH", "DBIRTH");
const isComplete = ({ payload }: Told): boolean =>
  payload.metrics.every(({ name, type, value }) => name !== undefined && type !== undefined && value !== undefined);
const bornNames = new Set(of("NBIRTH").flatMap(({ payload }) => payload.metrics.map(({ alias }) => String(alias))));
const bornOfDevices = new Set(of("DBIRTH").flatMap(({ words, payload }) => payload.metrics.map(({ alias }) => `${words[4]} ${alias}`)));

/** What is checked of the story, by assertion. */
const CHECKS: Readonly<Record<string, () => boolean>> = {
  "topic-structure": () => all(story, ({ words }) => words.length === 4 || words.length === 5),
  "topic-structure-namespace-a": () => all(story, ({ words }) => words[0] === "spBv1.0"),
  "topic-structure-namespace-device-id-associated-message-types": () => all(of("DBIRTH", "DDATA", "DDEATH"), (one) => hasTopic(one, 5)),
  "topic-structure-namespace-device-id-non-associated-message-types": () => all(of("NBIRTH", "NDATA", "NDEATH"), (one) => hasTopic(one, 4)),
  "principles-birth-certificates-order": () => story[0]?.kind === "NBIRTH",
  "message-flow-edge-node-birth-publish-nbirth-topic": () => all(of("NBIRTH"), (one) => hasTopic(one, 4)),
  "message-flow-edge-node-birth-publish-nbirth-payload": () => all(of("NBIRTH"), ({ payload }) => payload.metrics.length > 0),
  "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq": () => all(of("NBIRTH"), (one) => bdSeqOf(one) === one.will),
  "message-flow-edge-node-birth-publish-nbirth-payload-seq": () => all(of("NBIRTH"), ({ payload }) => isByte(number(payload.seq))),
  "message-flow-edge-node-birth-publish-nbirth-qos": () => all(of("NBIRTH"), isQos0),
  "message-flow-edge-node-birth-publish-nbirth-retained": () => all(of("NBIRTH"), isNotRetained),
  "message-flow-device-birth-publish-dbirth-topic": () => all(of("DBIRTH"), (one) => hasTopic(one, 5)),
  "message-flow-device-birth-publish-dbirth-match-edge-node-topic": () =>
    all(of("DBIRTH"), ({ words }) => words[1] === "plant" && words[3] === "box-1"),
  "message-flow-device-birth-publish-dbirth-payload": () => all(of("DBIRTH"), ({ payload }) => payload.metrics.length > 0),
  "message-flow-device-birth-publish-dbirth-payload-seq": () => isNext("DBIRTH"),
  "message-flow-device-birth-publish-dbirth-qos": () => all(of("DBIRTH"), isQos0),
  "message-flow-device-birth-publish-dbirth-retained": () => all(of("DBIRTH"), isNotRetained),
  "operational-behavior-data-publish-nbirth": () =>
    all(of("NDATA"), ({ payload }) => payload.metrics.every(({ alias }) => bornNames.has(String(alias)))),
  "operational-behavior-data-publish-dbirth": () =>
    all(of("DDATA"), ({ words, payload }) => payload.metrics.every(({ alias }) => bornOfDevices.has(`${words[4]} ${alias}`))),
  "operational-behavior-data-publish-nbirth-change": () => all(of("NDATA"), ({ payload }) => payload.metrics.length <= 40),
  "operational-behavior-data-publish-nbirth-order": () => isChronological("NBIRTH") && isChronological("NDATA"),
  "operational-behavior-data-publish-dbirth-order": () => isChronological("DBIRTH") && isChronological("DDATA"),
  "operational-behavior-data-publish-dbirth-values": () => all(of("DBIRTH"), isComplete),
  "operational-behavior-data-commands-rebirth-value": () => all(of("NBIRTH"), hasRebirth),
  "operational-behavior-data-commands-rebirth-datatype": () => all(of("NBIRTH"), hasRebirth),
  "payloads-nbirth-timestamp": () => all(of("NBIRTH"), hasTime),
  "payloads-nbirth-seq": () => all(of("NBIRTH"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-nbirth-bdseq": () => all(of("NBIRTH"), (one) => isByte(bdSeqOf(one))),
  "payloads-nbirth-bdseq-repeat": () => all(of("NBIRTH"), (one) => bdSeqOf(one) === one.will) && of("NBIRTH").length === 3,
  "payloads-nbirth-rebirth-req": () => all(of("NBIRTH"), hasRebirth),
  "payloads-nbirth-qos": () => all(of("NBIRTH"), isQos0),
  "payloads-nbirth-retain": () => all(of("NBIRTH"), isNotRetained),
  "payloads-dbirth-timestamp": () => all(of("DBIRTH"), hasTime),
  "payloads-dbirth-seq": () => all(of("DBIRTH"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-dbirth-seq-inc": () => isNext("DBIRTH"),
  "payloads-dbirth-qos": () => all(of("DBIRTH"), isQos0),
  "payloads-dbirth-retain": () => all(of("DBIRTH"), isNotRetained),
  "payloads-ndata-timestamp": () => all(of("NDATA"), hasTime),
  "payloads-ndata-seq": () => all(of("NDATA"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-ndata-seq-inc": () => isNext("NDATA"),
  "payloads-ndata-order": isBornFirst,
  "payloads-ndata-qos": () => all(of("NDATA"), isQos0),
  "payloads-ndata-retain": () => all(of("NDATA"), isNotRetained),
  "payloads-ddata-timestamp": () => all(of("DDATA"), hasTime),
  "payloads-ddata-seq": () => all(of("DDATA"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-ddata-seq-inc": () => isNext("DDATA"),
  "payloads-ddata-order": isBornFirst,
  "payloads-ddata-qos": () => all(of("DDATA"), isQos0),
  "payloads-ddata-retain": () => all(of("DDATA"), isNotRetained),
  "payloads-ddeath-seq": () => all(of("DDEATH"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-ddeath-seq-inc": () => isNext("DDEATH"),
  "payloads-ddeath-seq-number": () => all(of("DDEATH"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-ndeath-seq": () => all(of("NDEATH"), ({ payload }) => payload.seq === undefined || payload.seq === null),
  "payloads-sequence-num-incrementing": () => isNext("NDATA") && isNext("DDATA"),
  "payloads-sequence-num-req-nbirth": () => all(of("NBIRTH"), ({ payload }) => isByte(number(payload.seq))),
  "payloads-metric-datatype-value": () =>
    all(births, ({ payload }) =>
      payload.metrics.every(({ type }) => ["Int64", "UInt64", "Double", "Boolean", "String"].includes(String(type))),
    ),
  "payloads-metric-datatype-value-type": () => all(births, isComplete),
  "payloads-metric-propertyvalue-type-type": () => all(of("NBIRTH"), ({ payload }) => unitsOf(payload).length > 0),
  "payloads-metric-propertyvalue-type-value": () =>
    all(of("NBIRTH"), ({ payload }) => unitsOf(payload).every(({ type, value }) => type === "String" && typeof value === "string")),
  "payloads-metric-propertyvalue-type-req": () =>
    all(of("NBIRTH"), ({ payload }) => unitsOf(payload).every(({ type }) => type === "String")),
  "payloads-propertyset-keys-array-size": () => all(of("NBIRTH"), ({ payload }) => unitsOf(payload).length > 0),
  "payloads-propertyset-values-array-size": () => all(of("NBIRTH"), ({ payload }) => unitsOf(payload).length > 0),
  "payloads-name-requirement": () => all(births, isComplete),
  "payloads-name-birth-data-requirement": () =>
    all(of("NBIRTH", "DBIRTH", "NDATA", "DDATA"), ({ payload }) => payload.metrics.every(({ timestamp }) => number(timestamp) > 0)),
  "payloads-timestamp-in-UTC": () => all(of("NBIRTH", "NDATA", "DBIRTH", "DDATA"), hasTime),
  "payloads-metric-timestamp-in-UTC": () =>
    all(of("NBIRTH"), ({ payload, atMs }) => payload.metrics.every(({ timestamp }) => Math.abs(number(timestamp) - atMs) <= 10_000)),
  "topics-dbirth-metric-reqs": () =>
    all(of("DDATA"), ({ words, payload }) => payload.metrics.every(({ alias }) => bornOfDevices.has(`${words[4]} ${alias}`))),
  "topics-nbirth-mqtt": () => all(of("NBIRTH"), isVolatile),
  "topics-nbirth-timestamp": () => all(of("NBIRTH"), hasTime),
  "topics-nbirth-metrics": () => all(of("NBIRTH"), isComplete),
  "topics-nbirth-bdseq-matching": () => all(of("NBIRTH"), (one) => bdSeqOf(one) === one.will),
  "topics-dbirth-mqtt": () => all(of("DBIRTH"), isVolatile),
  "topics-dbirth-seq": () => isNext("DBIRTH"),
  "topics-dbirth-timestamp": () => all(of("DBIRTH"), hasTime),
  "topics-dbirth-metrics": () => all(of("DBIRTH"), isComplete),
  "topics-ndata-mqtt": () => all(of("NDATA"), isVolatile),
  "topics-ndata-timestamp": () => all(of("NDATA"), hasTime),
  "topics-ndata-payload": () => all(of("NDATA"), ({ payload }) => payload.metrics.length > 0),
  "topics-ddata-mqtt": () => all(of("DDATA"), isVolatile),
  "topics-ddata-seq-num": () => isNext("DDATA"),
  "topics-ddata-timestamp": () => all(of("DDATA"), hasTime),
  "topics-ddata-payload": () => all(of("DDATA"), ({ payload }) => payload.metrics.length > 0),
  "topics-ddeath-mqtt": () => all(of("DDEATH"), isVolatile),
  "topics-ddeath-seq-num": () => isNext("DDEATH"),
  "topics-ndeath-payload": () => all(of("NDEATH"), (one) => bdSeqOf(one) === one.will),
  "topics-ndeath-seq": () => all(of("NDEATH"), ({ payload }) => payload.seq === undefined || payload.seq === null),
};

function unitsOf(payload: DecodedPayload): readonly { readonly value: unknown; readonly type: string }[] {
  return payload.metrics.flatMap(({ properties }) => Object.values(properties ?? {}));
}

/** Checked elsewhere than by their names in a title: where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "message-flow-edge-node-birth-publish-connect": "sparkplug-births.test.ts: an outlet without a connection takes nothing",
  "message-flow-edge-node-birth-publish-will-message": "test/integration/telemetry/outage.test.ts: will",
  "message-flow-edge-node-birth-publish-will-message-payload": "sparkplug-births.test.ts: the will",
  "message-flow-edge-node-birth-publish-will-message-payload-bdSeq": "sparkplug-births.test.ts: the will",
  "message-flow-edge-node-birth-publish-will-message-qos": "sparkplug-births.test.ts: the will",
  "message-flow-edge-node-birth-publish-will-message-topic": "sparkplug-births.test.ts: the will",
  "message-flow-edge-node-birth-publish-will-message-will-retained": "sparkplug-births.test.ts: the will",
  "payloads-ndeath-will-message": "test/integration/telemetry/outage.test.ts: will",
  "payloads-ndeath-will-message-retain": "sparkplug-births.test.ts: the will",
  "payloads-ndeath-will-message-publisher-disconnect-mqtt311": "outage.test.ts: stop over MQTT 3.1.1",
  "payloads-ndeath-will-message-publisher-disconnect-mqtt50": "outage.test.ts: stop over MQTT 5",
  "operational-behavior-edge-node-intentional-disconnect-packet": "outage.test.ts: stop",
  "principles-persistence-clean-session-311": "outage.test.ts: a session that mosquitto forgets",
  "principles-persistence-clean-session-50": "outage.test.ts: a session that mosquitto forgets",
  "principles-rbe-recommended": "reports.test.ts: dead bands",
  "payloads-alias-birth-requirement": "sparkplug-births.test.ts: aliases",
  "operational-behavior-data-commands-rebirth-action-2": "sparkplug-sessions.test.ts: rebirth",
  "operational-behavior-data-commands-rebirth-action-3": "sparkplug-sessions.test.ts: rebirth",
  "message-flow-edge-node-birth-publish-phid-wait-online": "sparkplug-sessions.test.ts: the primary host",
  "operational-behavior-edge-node-termination-host-offline-reconnect":
    "sparkplug-sessions.test.ts: the primary host, with a list of one server",
};

/** Not about this edge node: why. */
const NOT_HERE: readonly (readonly [RegExp, string])[] = [
  [/^conformance-mqtt-/, "of MQTT servers"],
  [/^(host-topic|components-ph|conformance-primary-host|intro-sparkplug-host)/, "of host applications"],
  [/^message-flow-(phid|hid)-/, "of host applications"],
  [/^operational-behavior-host-/, "of host applications"],
  [/termination-host-action-/, "of host applications"],
  [/^payloads-state-/, "of host applications"],
  [/^operational-behavior-data-commands-(ncmd|dcmd)-/, "of hosts that send commands"],
  [/^(payloads|topics)-(ncmd|dcmd)-/, "of hosts that send commands"],
  [/^payloads-name-cmd-requirement$/, "of hosts that send commands"],
  [/^message-flow-device-dcmd-subscribe$/, "no device has outputs that can be written"],
  [/primary-application-state-with-multiple-servers/, "there is one MQTT server"],
  [/template/, "no templates are used"],
  [/dataset/, "no data sets are used"],
  [/^payloads-propertyset-quality-/, "no property Quality is used"],
  [/^payloads-metric-datatype-not-req$/, "a SHOULD NOT that is not followed: docs/telemetry.md says why"],
  [/^(intro-(group|edge-node|device)-id|topic-structure-namespace-valid-)/, "the settings and the broker take no other names: settings.ts"],
  [/unique-edge-node-descriptor|edge-node-id-uniqueness|nbirth-edge-node-descriptor/, "of who names the nodes of a plant"],
  [/unique-device-id|duplicate-device-id/, "the broker has one session of each client id"],
  [/^case-sensitivity-sparkplug-ids$/, "of who names the devices of a plant; a SHOULD NOT"],
];

describe("sparkplug: a story of two sessions", () => {
  for (const [id, holds] of Object.entries(CHECKS)) test(`tck-id-${id}`, () => expect(holds()).toBe(true));

  test("sparkplug: every testable assertion of the specification, checked here or elsewhere, or not about this edge node", () => {
    const others = ["sparkplug-births.test.ts", "sparkplug-sessions.test.ts"].map((file) =>
      readFileSync(join(import.meta.dir, file), "utf8"),
    );
    const isNamed = (id: string): boolean =>
      others.some((text) => new RegExp(`tck-id-${id}\\b(?!-[a-z])`).test(text) || shortened(text).has(id));
    const open = assertions.assertions.filter(
      (id) => !(id in CHECKS) && !(id in ELSEWHERE) && !isNamed(id) && !NOT_HERE.some(([rule]) => rule.test(id)),
    );
    expect(open).toEqual([]);
    const known = new Set(assertions.assertions);
    expect([...Object.keys(CHECKS), ...Object.keys(ELSEWHERE)].filter((id) => !known.has(id))).toEqual([]);
  });
});

/** Ids of a title that names several by their last words: `tck-id-a-b-c, -d` is also a-b-d. */
function shortened(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, first = "", rest = ""] of text.matchAll(/tck-id-([A-Za-z0-9-]+)((?:, -[A-Za-z0-9-]+)*)/g)) {
    found.add(first);
    for (const [, tail = ""] of rest.matchAll(/, -([A-Za-z0-9-]+)/g)) {
      const words = first.split("-");
      for (let i = 1; i < words.length; i++) found.add(`${words.slice(0, i).join("-")}-${tail}`);
    }
  }
  return found;
}
