import { expect, test } from "bun:test";
import {
  type Ending,
  type ItemOutcome,
  type Publication,
  type Submission,
  type SubmissionGroup,
  Submissions,
} from "../../../../../appliance/broker/index.ts";
import { CborReader, concatBytes, silentLog, toHex, utf8 } from "../../../../../src/kernel/index.ts";
import { ManualTime } from "../../../gateway/manual-time.ts";

const SCOPE = { network: "0011aabb", node: "n1" };
const SUBMIT = "bizra/v1/0011aabb/tx/pump/submit";
const RECEIPT = "bizra/v1/0011aabb/tx/pump/receipt";
/** A CBOR byte string of one byte: a well-formed item that the desk below takes for a transaction. */
const item = (value: number): Uint8Array => Uint8Array.of(0x41, value);
const idOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(32).fill(bytes[1] ?? 0);

class Rig {
  readonly time = new ManualTime();
  readonly said: Publication[] = [];
  readonly groups: SubmissionGroup[][] = [];
  readonly submissions: Submissions;
  judge: (bytes: Uint8Array) => ItemOutcome = (bytes) => ({ status: "accepted", id: idOf(bytes) });
  tell: (endings: readonly Ending[]) => void = () => {};
  isStuck = false;

  constructor(receiptsMax = 100) {
    this.submissions = new Submissions({
      scope: SCOPE,
      desk: {
        submit: (groups) => {
          this.groups.push([...groups]);
          if (this.isStuck) return new Promise(() => {});
          return Promise.resolve(groups.map(({ items }) => items.map((bytes) => this.judge(bytes))));
        },
        subscribeEndings: (listener) => {
          this.tell = listener;
          return () => {};
        },
      },
      access: {
        mayPublish: (_principal, topic) => topic === SUBMIT || topic.startsWith("lab/"),
        maySubscribe: (_principal, filter) => filter.startsWith(RECEIPT) || filter.startsWith("lab/") || filter.startsWith("public/"),
      },
      publish: (publication) => void this.said.push(publication),
      timers: this.time,
      log: silentLog,
      limits: { itemsMax: 3, receiptsMax },
    });
  }

  take(payload: Uint8Array, change: Partial<Submission> = {}) {
    const answer = this.submissions.take({
      principal: { name: "pump", role: "device" },
      clientId: "c",
      protocolVersion: 5,
      topic: SUBMIT,
      payload,
      properties: {},
      qos: 1,
      isDuplicate: false,
      isRetain: false,
      ...change,
    });
    this.time.advance(1);
    return answer;
  }

  refuseWith(code: Extract<ItemOutcome, { status: "rejected" }>["code"], more: object = {}): void {
    this.judge = (bytes) => ({ status: "rejected", code, detail: "why", id: idOf(bytes), ...more });
  }

  get receipts(): unknown[] {
    return this.said.map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)));
  }
}

const hex = (value: number): string => toHex(new Uint8Array(32).fill(value));

test("submissions: their own topic alone is claimed", () => {
  const { submissions } = new Rig();
  const topics = [SUBMIT, RECEIPT, `${SUBMIT}/x`, "bizra/v1/ffffffff/tx/pump/submit", "bizra/v1/0011aabb/tx/submit"];
  expect(topics.map((topic) => submissions.claims(topic))).toEqual([true, false, false, false, false]);
});

test("submissions: accepted, then final with height, index and proof", async () => {
  const rig = new Rig();
  expect(await rig.take(item(5))).toEqual({ reasonCode: 0 });
  expect(rig.groups).toEqual([[{ items: [item(5)], source: "mqtt/pump" }]]);
  rig.tell([{ id: idOf(item(5)), status: "final", height: 7, index: 2, code: "applied", proof: utf8("P") }]);
  rig.tell([{ id: idOf(item(5)), status: "final", height: 7, index: 2, code: "applied", proof: utf8("P") }]);
  expect(rig.receipts).toEqual([
    { id: hex(5), status: "accepted" },
    { id: hex(5), status: "final", code: "applied", index: 2, height: 7, proof: "UA==" },
  ]);
  expect(rig.said.map(({ topic, qos }) => [topic, qos])).toEqual([
    [RECEIPT, 1],
    [RECEIPT, 1],
  ]);
});

test("submissions: Response Topic, Correlation Data and CBOR, honoured in every receipt", async () => {
  const rig = new Rig();
  const correlationData = utf8("c1");
  await rig.take(item(5), { properties: { responseTopic: `${RECEIPT}/a`, correlationData, contentType: "application/cbor" } });
  rig.tell([{ id: idOf(item(5)), status: "expired" }]);
  expect(rig.said.map(({ topic, properties }) => [topic, properties?.contentType, properties?.correlationData])).toEqual([
    [`${RECEIPT}/a`, "application/cbor", correlationData],
    [`${RECEIPT}/a`, "application/cbor", correlationData],
  ]);
  const reader = new CborReader(rig.said[1]?.payload ?? new Uint8Array(0));
  expect([reader.map(9), reader.text(0, 9), reader.bytes(32), reader.text(0, 9), reader.text(0, 9), reader.isComplete]).toEqual([
    2,
    "id",
    idOf(item(5)),
    "status",
    "expired",
    true,
  ]);
});

test("submissions: a Response Topic that is public, another's or a filter, refused before the node is asked", async () => {
  const rig = new Rig();
  for (const responseTopic of ["public/board", "bizra/v1/0011aabb/tx/other/receipt", `${RECEIPT}/#`, SUBMIT]) {
    expect(await rig.take(item(5), { properties: { responseTopic } })).toEqual({ reasonCode: 0x87, reasonString: "notAuthorized" });
  }
  expect(rig.groups).toEqual([]);
  expect(new Set(rig.said.map(({ topic }) => topic))).toEqual(new Set([RECEIPT]));
  expect(await rig.take(item(5), { properties: { responseTopic: "lab/mine" } })).toEqual({ reasonCode: 0 });
});

test("submissions: refusals that stand, told by MQTT 5's reason and to every version by a receipt", async () => {
  const rig = new Rig();
  rig.refuseWith("nonceTooLow");
  expect(await rig.take(item(1))).toEqual({ reasonCode: 0x83, reasonString: "nonceTooLow" });
  expect(await rig.take(item(1), { protocolVersion: 4 })).toEqual({ reasonCode: 0 });
  expect(rig.receipts).toEqual(Array.from({ length: 2 }, () => ({ id: hex(1), status: "rejected", code: "nonceTooLow", detail: "why" })));
  expect(await rig.take(new Uint8Array(0))).toEqual({ reasonCode: 0x99, reasonString: "malformed" });
  expect(await rig.take(Uint8Array.of(0x5f))).toEqual({ reasonCode: 0x99, reasonString: "malformed" });
  expect(await rig.take(concatBytes(item(1), item(2), item(3), item(4)))).toEqual({ reasonCode: 0x83, reasonString: "tooLarge" });
});

test("submissions: refusals that may pass, told with a time to MQTT 5, by closing to 3.1.1, by receipt to QoS 0", async () => {
  const rig = new Rig();
  rig.refuseWith("mempoolFull", { retryAfterMs: 2_500 });
  expect(await rig.take(item(1))).toEqual({ reasonCode: 0x97, reasonString: "mempoolFull", retryAfterMs: 2_500 });
  expect(await rig.take(item(1), { protocolVersion: 4 })).toBe("close");
  expect(rig.said).toEqual([]);
  await rig.take(item(1), { qos: 0 });
  expect(rig.receipts).toEqual([{ id: hex(1), status: "rejected", code: "mempoolFull", detail: "why", retryAfterMs: 2_500 }]);
});

test("submissions: a duplicate, success, and its ending follows", async () => {
  const rig = new Rig();
  rig.refuseWith("duplicate");
  expect(await rig.take(item(1))).toEqual({ reasonCode: 0 });
  expect(rig.said).toEqual([]);
  rig.tell([{ id: idOf(item(1)), status: "final", height: 1, index: 0, code: "applied" }]);
  expect(rig.receipts).toEqual([{ id: hex(1), status: "final", code: "applied", index: 0, height: 1 }]);
});

test("submissions: a sequence, one receipt each with its position; success when one of them is taken", async () => {
  const rig = new Rig();
  rig.judge = (bytes) =>
    bytes[1] === 1 ? { status: "accepted", id: idOf(bytes) } : { status: "rejected", code: "badSignature", detail: "why" };
  expect(await rig.take(concatBytes(item(2), item(1), Uint8Array.of(0xff)))).toEqual({ reasonCode: 0 });
  expect(rig.receipts).toEqual([
    { status: "rejected", code: "badSignature", detail: "why", position: 0 },
    { id: hex(1), status: "accepted", position: 1 },
    { status: "rejected", code: "malformed", detail: expect.stringContaining("from byte 4"), position: 2 },
  ]);
});

test("submissions: the same one handed in again, one last receipt", async () => {
  const rig = new Rig();
  await rig.take(item(1));
  await rig.take(item(1), { isDuplicate: true });
  rig.tell([{ id: idOf(item(1)), status: "superseded" }]);
  expect(rig.receipts.filter((receipt) => (receipt as { status: string }).status === "superseded").length).toBe(1);
});

test("submissions: more receipts owed than there is room for, told to come again; room comes back with the endings", async () => {
  const rig = new Rig(2);
  await rig.take(concatBytes(item(1), item(2)));
  expect(await rig.take(item(3))).toMatchObject({ reasonCode: 0x97, reasonString: "quotaExceeded" });
  rig.tell([{ id: idOf(item(1)), status: "expired" }]);
  expect(await rig.take(item(3))).toEqual({ reasonCode: 0 });
});

test("submissions: many connections at once, handed in together", async () => {
  const rig = new Rig();
  const answers = [1, 2, 3].map((value) => rig.submissions.take(submissionOf(item(value))));
  rig.time.advance(1);
  expect(await Promise.all(answers)).toEqual([{ reasonCode: 0 }, { reasonCode: 0 }, { reasonCode: 0 }]);
  expect(rig.groups.map((groups) => groups.length)).toEqual([3]);
});

test("submissions: a node that does not answer, the device is told to come again", async () => {
  const rig = new Rig();
  rig.isStuck = true;
  const [five, four] = [rig.take(item(1)), rig.take(item(2), { protocolVersion: 4 })];
  rig.time.advance(30_001);
  expect(await five).toMatchObject({ reasonCode: 0x97, reasonString: "quotaExceeded" });
  expect(await four).toBe("close");
});

function submissionOf(payload: Uint8Array): Submission {
  const principal = { name: "pump", role: "device" };
  return {
    principal,
    clientId: "c",
    protocolVersion: 5,
    topic: SUBMIT,
    payload,
    properties: {},
    qos: 1,
    isDuplicate: false,
    isRetain: false,
  };
}
