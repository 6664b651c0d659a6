import { expect, test } from "bun:test";
import type { Submission } from "../../../src/gateway/index.ts";
import { present } from "../../../src/kernel/index.ts";
import { submissionPort } from "../../../src/node/queries.ts";
import { type Box, Net } from "../mempool/dissemination-world.ts";
import { keyOf, transactionOf } from "../mempool/mempool-world.ts";

/** Submits to a box that answers `local` by itself, moving time on until there is an answer. */
async function submit(net: Net, box: Box, items: readonly Uint8Array[], acknowledgement?: "local" | "replicated"): Promise<Submission> {
  const port = submissionPort(box.mempool, box.dissemination, "local");
  let answer: Submission | undefined;
  void port.submit(items, { source: "test", ...(acknowledgement === undefined ? {} : { acknowledgement }) }).then((given) => {
    answer = given;
  });
  await net.until(() => answer !== undefined, 10_000);
  return present(answer, "a submission is answered");
}

test("acknowledgement: replicated asked for, answered once another box holds it durably", async () => {
  const net = new Net(4).start();
  const [alice = keyOf(1)] = net.fund(1);
  const answer = await submit(net, net.box(0), [transactionOf(alice, 0n)], "replicated");
  expect(answer).toMatchObject({ acknowledgement: "replicated", outcomes: [{ status: "accepted" }] });
  expect(net.boxes.filter((box) => box.pending().length === 1).length).toBeGreaterThan(1);
});

test("acknowledgement: replicated asked for and no other box reachable, local after a bounded wait", async () => {
  const net = new Net(4);
  net.box(0).start();
  const [alice = keyOf(1)] = net.fund(1);
  const beforeMs = net.time.nowMs();
  expect(await submit(net, net.box(0), [transactionOf(alice, 0n)], "replicated")).toMatchObject({ acknowledgement: "local" });
  expect(net.time.nowMs() - beforeMs).toBeGreaterThanOrEqual(3_000);
  expect(net.time.nowMs() - beforeMs).toBeLessThan(3_500);
});

test("acknowledgement: replicated asked for what waits for a lower nonce, local at once; local asked for, local", async () => {
  const net = new Net(4).start();
  const [alice = keyOf(1), bob = keyOf(2)] = net.fund(2);
  const beforeMs = net.time.nowMs();
  const answer = await submit(net, net.box(0), [transactionOf(alice, 0n), transactionOf(bob, 1n)], "replicated");
  expect(answer).toMatchObject({ acknowledgement: "local", outcomes: [{ status: "accepted" }, { status: "accepted" }] });
  expect(await submit(net, net.box(0), [transactionOf(alice, 1n)])).toMatchObject({ acknowledgement: "local" });
  expect(net.time.nowMs() - beforeMs).toBeLessThan(500);
});

test("acknowledgement: replicated asked for and everything refused, nothing is waited for", async () => {
  const net = new Net(4).start();
  expect(await submit(net, net.box(0), [transactionOf(keyOf(1), 0n)], "replicated")).toMatchObject({ outcomes: [{ status: "rejected" }] });
});

test("acknowledgement: a validator alone, what is durable is replicated", async () => {
  const net = new Net(1).start();
  const [alice = keyOf(1)] = net.fund(1);
  expect(await submit(net, net.box(0), [transactionOf(alice, 0n)], "replicated")).toMatchObject({ acknowledgement: "replicated" });
  expect(net.box(0).mempool.hasIncludable()).toBe(true);
});
