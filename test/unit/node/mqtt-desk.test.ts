import { expect, test } from "bun:test";
import type { Ending } from "../../../appliance/broker/index.ts";
import type { SubmissionOutcome, TransactionStatus } from "../../../src/gateway/index.ts";
import { NodeDesk } from "../../../src/node/mqtt/node-desk.ts";
import type { Receipt } from "../../../src/protocol/index.ts";
import { ManualTime } from "../gateway/manual-time.ts";

const idOf = (value: number): Uint8Array => new Uint8Array(32).fill(value);
const finalAt = (height: number): TransactionStatus => ({ status: "final", receipt: { height, index: 3, code: "applied" } as Receipt });

/** A desk over a node that says what the test wants; each item's one byte is its id. */
class Rig {
  readonly time = new ManualTime();
  readonly statuses = new Map<number, TransactionStatus>();
  readonly told: Ending[] = [];
  readonly counted: string[] = [];
  readonly desk: NodeDesk;
  settle: (ids: readonly Uint8Array[]) => void = () => {};
  judge: (value: number) => SubmissionOutcome = (value) => ({ status: "accepted", id: idOf(value) });

  constructor() {
    const statusOf = (id: Uint8Array): TransactionStatus => this.statuses.get(id[0] ?? 0) ?? { status: "accepted" };
    this.desk = new NodeDesk({
      submission: {
        submit: (items) => Promise.resolve({ acknowledgement: "local", outcomes: items.map((item) => this.judge(item[0] ?? 0)) }),
      },
      transactions: {
        find: statusOf,
        findProof: () => undefined,
        subscribeSettled: (listener) => {
          this.settle = listener;
          return () => {};
        },
      },
      isPending: (id) => statusOf(id).status === "accepted",
      clock: this.time,
      timers: this.time,
    });
    this.desk.subscribeEndings((endings) => void this.told.push(...endings));
    this.desk.subscribeSubmissions((device, isAccepted) => void this.counted.push(`${device} ${isAccepted}`));
  }

  async submit(...values: readonly number[]): Promise<void> {
    await this.desk.submit([{ items: values.map((value) => Uint8Array.of(value)), source: "mqtt/pump" }]);
  }

  /** Lets slices run. */
  async pass(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      this.time.advance(1);
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    }
  }
}

test("desk: what was submitted here, told once when it ends; what others submitted, not", async () => {
  const rig = new Rig();
  await rig.submit(1, 2);
  rig.statuses.set(1, finalAt(9));
  rig.settle([idOf(1), idOf(7)]);
  rig.settle([idOf(1)]);
  await rig.pass();
  expect(rig.told).toEqual([{ id: idOf(1), status: "final", height: 9, index: 3, code: "applied" }]);
  expect([rig.desk.watchedCount, rig.counted]).toEqual([1, ["pump true", "pump true"]]);
});

test("desk: one that ended before it was looked for, and a duplicate, told all the same", async () => {
  const rig = new Rig();
  rig.statuses.set(1, { status: "expired" });
  rig.statuses.set(2, finalAt(4));
  rig.judge = (value) =>
    value === 2 ? { status: "rejected", code: "duplicate", detail: "", id: idOf(2) } : { status: "accepted", id: idOf(value) };
  await rig.submit(1, 2);
  expect(rig.told).toEqual([]); // never before the answer
  await rig.pass();
  expect(rig.told.map(({ status }) => status)).toEqual(["expired", "final"]);
});

test("desk: refused ones are not waited for, and a stopped desk tells nothing", async () => {
  const rig = new Rig();
  rig.judge = (value) => ({ status: "rejected", code: "nonceTooLow", detail: "", id: idOf(value) });
  await rig.submit(1);
  expect([rig.desk.watchedCount, rig.counted]).toEqual([0, ["pump false"]]);
  rig.judge = (value) => ({ status: "accepted", id: idOf(value) });
  await rig.submit(2);
  rig.statuses.set(2, finalAt(1));
  rig.settle([idOf(2)]);
  rig.desk.stop();
  await rig.pass();
  expect(rig.told).toEqual([]);
});
