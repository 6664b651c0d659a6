import { expect, test } from "bun:test";
import { OutgoingBudget } from "../../../../../appliance/broker/doors/outgoing-budget.ts";
import { Outlet } from "../../../../../appliance/broker/doors/outlet.ts";
import { concatBytes } from "../../../../../src/kernel/index.ts";

/** A sink that takes so many bytes and then no more until told, alone in a budget. */
function makeSink(room: number, bytesMax = 1_000_000) {
  const sink = { room, pieces: [] as Uint8Array[], relieved: 0, ended: 0 };
  const budget = new OutgoingBudget(bytesMax);
  const account = budget.open(() => {
    sink.ended++;
    outlet.close();
  });
  const outlet: Outlet = new Outlet(
    (bytes) => {
      const taken = Math.min(sink.room, bytes.length);
      sink.room -= taken;
      if (taken > 0) sink.pieces.push(bytes.slice(0, taken));
      return taken;
    },
    () => void sink.relieved++,
    account,
  );
  return { sink, outlet, budget };
}

const bytesOf = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff);

test("doors: writes of one turn, one piece", async () => {
  const { sink, outlet } = makeSink(1_000_000);
  for (let i = 0; i < 5; i++) expect(outlet.write(bytesOf(3, i))).toBe(true);
  expect(sink.pieces.length).toBe(0);
  await Promise.resolve();
  expect(sink.pieces.map(({ length }) => length)).toEqual([15]);
});

test("doors: a sink that takes little, everything in order, and the writer told to wait and to go on", async () => {
  const { sink, outlet, budget } = makeSink(10);
  const parts = Array.from({ length: 40 }, (_, i) => bytesOf(10_000, i));
  const mayGoOn = parts.map((part) => outlet.write(part));
  expect([mayGoOn[0], mayGoOn.at(-1)]).toEqual([true, false]);
  await Promise.resolve();
  while (outlet.waitingBytes > 0) {
    expect(budget.usedBytes).toBe(outlet.waitingBytes);
    sink.room = 7_001;
    outlet.onWritable();
  }
  expect(budget.usedBytes).toBe(0);
  expect(concatBytes(...sink.pieces)).toEqual(concatBytes(...parts));
  expect(sink.relieved).toBe(1);
  expect(outlet.write(bytesOf(1))).toBe(true);
});

test("doors: a connection that is gone, nothing held and nobody told", async () => {
  const { sink, outlet } = makeSink(0);
  outlet.write(bytesOf(200_000));
  outlet.close();
  outlet.write(bytesOf(10));
  await Promise.resolve();
  outlet.onWritable();
  expect([outlet.waitingBytes, sink.pieces.length, sink.relieved]).toEqual([0, 0, 0]);
});

test("doors: a connection that the budget ends in the midst of a write, nothing held and nothing asserted", async () => {
  const { sink, outlet, budget } = makeSink(10, 150_000);
  for (let i = 0; i < 4; i++) outlet.write(bytesOf(60_000));
  await Promise.resolve();
  outlet.onWritable();
  expect([sink.ended, outlet.waitingBytes, budget.usedBytes, outlet.write(bytesOf(1))]).toEqual([1, 0, 0, true]);
});
