import { describe, expect, test } from "bun:test";
import { type AskServer, Attendant, type UpdateOrder, type UpdatePolicy, type UpdateStatus } from "../../../../appliance/ota/index.ts";
import { err, ok, silentLog } from "../../../../src/kernel/index.ts";
import { SetTime } from "../supervisor/set-time.ts";

const STATUS: UpdateStatus = {
  ...{ version: "1.0.0", compatible: "board", row: { kind: "idle" }, floor: "1.0.0", failed: ["1.2.0"], waitsFor: [] },
  ...{ progress: undefined, fetched: undefined },
};
const OFFER = { version: "1.1.0", compatible: "board", file: "new.raucb", sha256: "a".repeat(64) };

function rig(policy: UpdatePolicy, answer: () => Response) {
  const time = new SetTime();
  const orders: UpdateOrder[] = [];
  const asked: string[] = [];
  const defects: unknown[] = [];
  const facts = { isBusy: false, isClockTrusted: true };
  const ask: AskServer = async (url) => {
    asked.push(url);
    return answer();
  };
  const attendant = new Attendant({
    updater: {
      status: STATUS,
      order: (order) => {
        orders.push(order);
        return facts.isBusy ? err({ code: "busy", detail: "" }) : ok(undefined);
      },
    },
    policy: () => policy,
    findChannel: ({ channel }) => (channel === "none" ? undefined : `http://channel/${channel}/`),
    isClockTrusted: () => facts.isClockTrusted,
    ...{ ask, clock: time, timers: time, log: silentLog, onDefect: (error: unknown) => void defects.push(error) },
    entropy: { bytes: (count) => new Uint8Array(count) },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let past = 0; past < ms; past += 60_000) {
      await time.pass(60_000);
      await new Promise<void>((resolve) => setImmediate(resolve)); // a body is read by the runtime's own queue
    }
  };
  return { attendant, orders, asked, facts, defects, pass };
}

describe("updates without a person", () => {
  test("ota: an offer of the box's channel, ordered as one that nobody ordered", async () => {
    const { attendant, orders, asked, pass, defects } = rig({ channel: "beta" }, () => Response.json(OFFER));
    attendant.start();
    await pass(300_000);
    expect(asked).toEqual(["http://channel/beta/board.json"]);
    const source = { kind: "url", url: "http://channel/beta/new.raucb" } as const;
    expect(orders).toEqual([{ source, sha256: "a".repeat(64), isUnattended: true }]);
    expect(defects).toEqual([]);
    attendant.stop();
  });

  test("ota: what was taken back here, what is older, and what is no offer, never ordered", async () => {
    for (const body of [{ ...OFFER, version: "1.2.0" }, { ...OFFER, version: "0.9.0" }, { ...OFFER, compatible: "other" }, {}]) {
      const { attendant, orders, asked, pass, defects } = rig({ channel: "stable" }, () => Response.json(body));
      attendant.start();
      await pass(300_000);
      expect([asked.length, orders, defects]).toEqual([1, [], []]);
      attendant.stop();
    }
  });

  test("ota: told nothing, or by a clock that may be wrong, asks nobody; stopped, no more", async () => {
    const untold = rig({ channel: "none" }, () => Response.json(OFFER));
    untold.attendant.start();
    await untold.pass(300_000);
    expect(untold.asked).toEqual([]);
    const unsure = rig({ channel: "stable", window: { from: 0, to: 1_439 } }, () => Response.json(OFFER));
    unsure.facts.isClockTrusted = false;
    unsure.attendant.start();
    await unsure.pass(300_000);
    expect(unsure.asked).toEqual([]);
    expect(unsure.attendant.findReasonToWait()).toContain("clock");
    unsure.attendant.stop();
    unsure.facts.isClockTrusted = true;
    await unsure.pass(300_000);
    expect(unsure.asked).toEqual([]);
  });

  test("ota: a server that fails, asked again before the next regular look", async () => {
    const { attendant, asked, pass } = rig({ channel: "stable" }, () => new Response("", { status: 503 }));
    attendant.start();
    await pass(1_800_000);
    expect(asked.length).toBeGreaterThan(2);
    attendant.stop();
  });
});
