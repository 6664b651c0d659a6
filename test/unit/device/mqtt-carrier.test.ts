import { expect, test } from "bun:test";
import { sha256 } from "../../../src/crypto/portable.ts";
import {
  type MqttAcknowledgement,
  MqttCarrier,
  type MqttJsClient,
  type MqttPort,
  mqttJsPort,
  type SubmitAnswer,
} from "../../../src/device/index.ts";
import { ok, toHex, utf8 } from "../../../src/kernel/index.ts";
import { JumpingTime } from "../../fuzz/device-world.ts";

const id = sha256(utf8("id"));
const transaction = { id, encoded: utf8("transaction"), nonce: 0n };
const genesisHash = Uint8Array.from({ length: 32 }, (_, i) => i);
const RECEIPT = "bizra/v1/00010203/tx/gauge-1/receipt";

/** A broker that acknowledges as told and lets the test speak. */
class Broker implements MqttPort {
  readonly version: 4 | 5;
  readonly published: string[] = [];
  readonly subscribed: string[] = [];
  tell: (topic: string, payload: Uint8Array) => void = () => {};
  readonly #answer: () => Promise<MqttAcknowledgement>;

  constructor(version: 4 | 5, answer: () => Promise<MqttAcknowledgement> = async () => ({ reasonCode: 0 })) {
    this.version = version;
    this.#answer = answer;
  }

  publish(topic: string): Promise<MqttAcknowledgement> {
    this.published.push(topic);
    return this.#answer();
  }

  async subscribe(topic: string): Promise<void> {
    this.subscribed.push(topic);
  }

  onMessage(listener: (topic: string, payload: Uint8Array) => void): void {
    this.tell = listener;
  }

  receipt(fields: object, topic = RECEIPT): void {
    this.tell(topic, utf8(JSON.stringify({ id: toHex(id), ...fields })));
  }
}

function carrierOn(broker: Broker): { readonly carrier: MqttCarrier; readonly time: JumpingTime } {
  const time = new JumpingTime();
  return { carrier: new MqttCarrier({ client: broker, genesisHash, device: "gauge-1", timers: time }), time };
}

/** Lets time pass until a promise has resolved. */
async function settled<T>(time: JumpingTime, promise: Promise<T>): Promise<T> {
  const told: T[] = [];
  void promise.then((value) => told.push(value));
  expect(await time.until(() => told.length > 0, time.nowMs() + 120_000)).toBe(true);
  return promise;
}

test("device mqtt: topics of the interface, and PUBACK with its reasons as answers", async () => {
  const broker = new Broker(5);
  expect(await carrierOn(broker).carrier.submit(transaction)).toEqual({ kind: "accepted" });
  expect(broker.published).toEqual(["bizra/v1/00010203/tx/gauge-1/submit"]);
  expect(broker.subscribed).toEqual([RECEIPT, "bizra/v1/00010203/node/+/head"]);
  const refusedWith = async (answer: MqttAcknowledgement): Promise<SubmitAnswer> =>
    carrierOn(new Broker(5, async () => answer)).carrier.submit(transaction);
  for (const [answer, code] of [
    [{ reasonCode: 0x83, reasonString: "feeTooLow" }, "feeTooLow"],
    [{ reasonCode: 0x97, reasonString: "mempoolFull" }, "mempoolFull"],
    [{ reasonCode: 0x97 }, "quotaExceeded"],
    [{ reasonCode: 0x99 }, "malformed"],
    [{ reasonCode: 0x87 }, "notAuthorized"],
    [{ reasonCode: 0x80, reasonString: "?" }, "internal"],
  ] as const)
    expect(await refusedWith(answer)).toMatchObject({ kind: "refused", code });
  expect(await refusedWith({ reasonCode: 0x97, retryAfterSeconds: 3 })).toMatchObject({ retryAfterMs: 3_000 });
});

test("device mqtt: a broker that never acknowledges, and one that cannot be reached, say nothing; both are asked again", async () => {
  const silent = carrierOn(new Broker(5, () => new Promise(() => {})));
  expect((await settled(silent.time, silent.carrier.submit(transaction))).kind).toBe("noAnswer");
  const broken = new Broker(5, () => Promise.reject(new Error("connection lost")));
  const { carrier } = carrierOn(broken);
  expect(await carrier.submit(transaction)).toEqual({ kind: "noAnswer", detail: "connection lost" });
  await carrier.submit(transaction);
  expect(broken.subscribed).toHaveLength(4); // subscribed anew
});

test("device mqtt: over 3.1.1 the receipt says what the acknowledgement cannot", async () => {
  for (const [receipt, kind] of [
    [{ status: "accepted" }, "accepted"],
    [{ status: "final", proof: "AAAA" }, "accepted"],
    [{ status: "rejected", code: "insufficientFunds" }, "refused"],
    [undefined, "noAnswer"],
  ] as const) {
    const broker = new Broker(4);
    const { carrier, time } = carrierOn(broker);
    if (receipt) time.after(500, () => broker.receipt(receipt));
    expect((await settled(time, carrier.submit(transaction))).kind).toBe(kind);
  }
});

test("device mqtt: receipts end a wait, a proof is told once, and what others say on other topics is not heard", async () => {
  const broker = new Broker(5);
  const { carrier, time } = carrierOn(broker);
  await carrier.submit(transaction);
  time.after(700, () => broker.receipt({ status: "final", proof: "AQID", height: 4 }));
  expect(await settled(time, carrier.lookUp(id, 10_000))).toEqual({ kind: "proof", bundle: Uint8Array.of(1, 2, 3) });
  expect(time.nowMs()).toBe(700);
  expect(await carrier.lookUp(id, 0)).toEqual({ kind: "unproven" });
  broker.receipt({ status: "expired" }, RECEIPT.replace("gauge-1", "gauge-2"));
  for (const payload of ["", "[]", "{", '{"id":7}', '{"id":"00","status":"expired"}']) broker.tell(RECEIPT, utf8(payload));
  broker.receipt({ status: "final", proof: "not base64!" });
  expect(await carrier.lookUp(id, 0)).toEqual({ kind: "unproven" });
  broker.receipt({ status: "superseded" });
  expect(await carrier.lookUp(id, 0)).toEqual({ kind: "superseded" });
});

test("device mqtt: the height of a node's retained head", async () => {
  const broker = new Broker(5);
  const { carrier } = carrierOn(broker);
  expect(await carrier.terms()).toEqual(ok({ height: 0n }));
  broker.tell("bizra/v1/00010203/node/a1/head", utf8('{"height":77}'));
  broker.tell("bizra/v1/ffffffff/node/a1/head", utf8('{"height":99}'));
  expect(await carrier.terms()).toEqual(ok({ height: 77n }));
});

test("device mqtt: mqtt.js's callbacks as acknowledgements", async () => {
  const client = (error: Error | null, packet?: unknown): MqttJsClient => ({
    options: { protocolVersion: 5 },
    publish: (_topic, _payload, _options, done) => done(error, packet),
    subscribe: (_topic, _options, done) => done(null),
    on: () => {},
  });
  const refusal = Object.assign(new Error("Publish error: Quota exceeded"), { code: 0x97 });
  const packet = { properties: { reasonString: "quotaExceeded", userProperties: { "retry-after": "5" } } };
  expect(await mqttJsPort(client(refusal, packet)).publish("t", utf8(""))).toEqual({
    reasonCode: 0x97,
    reasonString: "quotaExceeded",
    retryAfterSeconds: 5,
  });
  expect(await mqttJsPort(client(null)).publish("t", utf8(""))).toEqual({ reasonCode: 0 });
  await expect(mqttJsPort(client(new Error("offline"))).publish("t", utf8(""))).rejects.toThrow("offline");
  expect(mqttJsPort({ ...client(null), options: {} }).version).toBe(4);
});
