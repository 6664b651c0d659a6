import { expect, test } from "bun:test";
import type { Message } from "../../../src/consensus/index.ts";
import { InputQueue } from "../../../src/consensus/input-queue.ts";

const request = (token: number): Message => ({ kind: "recoveryRequest", token });

/** What comes out, as short text. */
function drain(queue: InputQueue): string[] {
  const out: string[] = [];
  for (let input = queue.poll(); input; input = queue.poll()) {
    if (input.kind === "message") out.push(`${input.from}${input.message.kind === "recoveryRequest" ? input.message.token : ""}`);
    else out.push(input.kind);
  }
  return out;
}

test("input queue: messages of several peers, come in turns, each peer's in its order, after the node's own", () => {
  const queue = new InputQueue();
  for (const token of [1, 2, 3]) queue.offerMessage("a", request(token));
  queue.offerMessage("b", request(1));
  queue.offerMessage("c", request(1));
  queue.offerMessage("c", request(2));
  queue.offerOwn({ kind: "tick" });
  queue.offerOwn({ kind: "batchesHeld" });
  queue.offerOwn({ kind: "tick" });
  expect(queue.length).toBe(8);
  expect(drain(queue)).toEqual(["tick", "batchesHeld", "a1", "b1", "c1", "a2", "c2", "a3"]);
  expect(queue.length).toBe(0);
});

test("input queue: a peer beyond its bounds, is refused and others are not", () => {
  const queue = new InputQueue();
  let taken = 0;
  while (queue.offerMessage("a", request(taken))) taken++;
  expect(taken).toBe(1_024);
  expect(queue.offerMessage("b", request(1))).toBe(true);
  const large = new InputQueue();
  const blocks: Message = {
    kind: "finalBlocks",
    blocks: [],
    finalization: { kind: 3, epoch: 0, view: 1, bitmap: new Uint8Array(1), signatures: [] },
  };
  let largeCount = 0;
  while (large.offerMessage("a", blocks)) largeCount++;
  expect(largeCount).toBe(8);
  large.poll();
  expect(large.offerMessage("a", blocks)).toBe(true);
});

test("input queue: evidence beyond its bound, is refused; who goes up and down is always told", () => {
  const queue = new InputQueue();
  let taken = 0;
  while (queue.offerOwn({ kind: "evidence", encoded: new Uint8Array(1) })) taken++;
  expect(taken).toBe(64);
  for (let i = 0; i < 100; i++) expect(queue.offerOwn({ kind: "peerUp", peer: "a" })).toBe(true);
  queue.poll();
  expect(queue.offerOwn({ kind: "evidence", encoded: new Uint8Array(1) })).toBe(true);
});
