/** Sessions with brokers that break their promises: none may end the node, stand still for ever, or grow in memory. */
import { afterEach, describe, expect, test } from "bun:test";
import { type Delivery, MqttConnector, type Outlet, type OutletMessage } from "../../../appliance/telemetry/index.ts";
import { silentLog, utf8 } from "../../../src/kernel/index.ts";
import { systemEntropy } from "../../../src/node/index.ts";
import { ManualTime } from "../../unit/events/event-fixture.ts";
import { RudeBroker, type Rudeness } from "./rude-broker.ts";

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A session whose time a test moves, with a rude broker. */
class Rig {
  readonly time = new ManualTime();
  readonly broker: RudeBroker;
  readonly outlet: Outlet;
  /** Connections made and lost. */
  readonly changes: boolean[] = [];
  /** Connections begun. */
  tries = 0;

  private constructor(broker: RudeBroker) {
    this.broker = broker;
    const address = { url: broker.url, version: "5", clientId: "box" } as const;
    const connector = new MqttConnector("outside", { address, timers: this.time, entropy: systemEntropy, log: silentLog });
    const will = (): OutletMessage => {
      this.tries++;
      return message("will");
    };
    this.outlet = connector.session({ name: "native", will, endsWithWill: false });
    this.outlet.subscribe("commands/+", 1, () => {});
    this.outlet.onConnectionChange((isConnected) => this.changes.push(isConnected));
    this.outlet.open();
  }

  static async make(rudeness: Rudeness): Promise<Rig> {
    const broker = await RudeBroker.start(rudeness);
    const rig = new Rig(broker);
    endings.push(
      () => broker.end(),
      async () => {
        const closed = rig.outlet.close();
        rig.time.pass(2_000);
        await closed;
      },
    );
    return rig;
  }

  /** Lets time pass until another connection is begun; gives how long that took, in milliseconds. */
  pause(): number {
    const before = this.tries;
    let passedMs = 0;
    for (; this.tries === before; passedMs += 50) this.time.pass(50);
    return passedMs;
  }

  /** Lets real input and output happen until something holds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const end = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > end) throw new Error(`expected ${what}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const message = (topic: string): OutletMessage => ({ topic, payload: utf8("x"), qos: 1, isRetained: false });

/** Pauses in milliseconds before chance shortens them. */
const PAUSES = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];

function expectPause(pauseMs: number, longestMs: number): void {
  expect(pauseMs).toBeGreaterThanOrEqual(longestMs / 2);
  expect(pauseMs).toBeLessThanOrEqual(longestMs + 50);
}

describe("rude brokers", () => {
  test("broker: takes the connection and says nothing, given up after fifteen seconds and tried again", async () => {
    const rig = await Rig.make({ isMute: true });
    await rig.until(() => rig.broker.connects === 1, "a CONNECT");
    rig.time.pass(16_000);
    rig.broker.rudeness = {};
    await rig.until(() => rig.outlet.isConnected, "a connection");
    expect(rig.broker.connects).toBe(2);
  });

  test("broker: refuses every CONNECT, tried ever more rarely", async () => {
    const rig = await Rig.make({ refuses: 0x88 });
    for (const longest of PAUSES) {
      await rig.until(() => rig.broker.connects === rig.tries && rig.broker.open === 0, "a refusal");
      expectPause(rig.pause(), longest);
    }
    expect(rig.changes).toEqual([]);
  });

  test("broker: never answers SUBSCRIBE though it answers pings, given up and tried again", async () => {
    const rig = await Rig.make({ hasNoSuback: true });
    await rig.until(() => rig.broker.subscribes === 1, "a SUBSCRIBE");
    rig.time.pass(16_000);
    rig.broker.rudeness = {};
    await rig.until(() => rig.outlet.isConnected, "a connection");
  });

  test("broker: acknowledges nothing though it answers pings, after a minute the connection is given up and everything counts as lost", async () => {
    const rig = await Rig.make({ hasNoPuback: true });
    await rig.until(() => rig.outlet.isConnected, "a connection");
    const deliveries = Array.from({ length: 40 }, (_, i) => rig.outlet.publish(message(`t/${i}`)));
    await rig.until(() => rig.broker.published.length === 16, "what may be under way");
    rig.time.pass(61_000);
    expect(new Set(await Promise.all(deliveries))).toEqual(new Set<Delivery>(["lost"]));
    expect(rig.changes).toEqual([true, false]);
    rig.broker.rudeness = {};
    await rig.until(() => rig.outlet.isConnected, "another connection");
    expect(await rig.outlet.publish(message("again"))).toBe("acknowledged");
  });

  test("broker: acknowledges nothing and ten thousand publications come, those beyond the bound are lost at once and nothing is thrown", async () => {
    const rig = await Rig.make({ hasNoPuback: true });
    await rig.until(() => rig.outlet.isConnected, "a connection");
    let lost = 0;
    for (let i = 0; i < 10_000; i++) void rig.outlet.publish(message(`t/${i}`)).then((delivery) => (lost += delivery === "lost" ? 1 : 0));
    await rig.until(() => lost > 0, "a loss");
    expect(lost).toBe(10_000 - 16 - 4_096);
  });

  test("broker: closes after each publication, the pauses between connections grow all the same", async () => {
    const rig = await Rig.make({ closesOnPublish: true });
    for (const longest of PAUSES) {
      await rig.until(() => rig.outlet.isConnected, "a connection");
      expect(await rig.outlet.publish(message("t"))).toBe("lost");
      expectPause(rig.pause(), longest);
    }
    await rig.until(() => rig.outlet.isConnected, "a connection that lasts");
    rig.time.pass(61_000);
    expect(await rig.outlet.publish(message("t"))).toBe("lost");
    expectPause(rig.pause(), 500);
  });

  test("broker: acknowledges in reverse, each publication counts as told when its own acknowledgement comes", async () => {
    const rig = await Rig.make({ reverses: 4 });
    await rig.until(() => rig.outlet.isConnected, "a connection");
    const order: number[] = [];
    const told = Array.from({ length: 8 }, async (_, i) => {
      if ((await rig.outlet.publish(message(`t/${i}`))) === "acknowledged") order.push(i);
    });
    await Promise.all(told);
    expect(order).toEqual([3, 2, 1, 0, 7, 6, 5, 4]);
  });
});
