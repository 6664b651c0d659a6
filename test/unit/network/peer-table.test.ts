import { expect, test } from "bun:test";
import { Budget } from "../../../src/network/budget.ts";
import type { Link } from "../../../src/network/link.ts";
import { type Peer, PeerTable } from "../../../src/network/peer-table.ts";

const [low, high] = [Uint8Array.of(1), Uint8Array.of(2)];
let connections = 0;

/** A link as far as the table looks at it. */
function linkFrom(dialler: Uint8Array, instance = 0): Link {
  const connection = { id: String(connections++) };
  return { connection, isClosed: false, pair: { dialler, instance: Uint8Array.of(instance) } } as unknown as Link;
}

function peerBy(link: Link): Peer {
  const reaches = new Budget({ perSecond: 1, burst: 1 }, 0);
  return {
    id: "p",
    link,
    isValidator: true,
    provenHeight: undefined,
    lowestHeight: undefined,
    isBeyondUs: false,
    reaches,
    tipJudgedAtMs: 0,
  };
}

test("peer table: two links of a pair that come up in either order, the same one is redundant at both ends", () => {
  const [better, worse] = [linkFrom(low), linkFrom(high)];
  const here = new PeerTable();
  here.raise(peerBy(better));
  expect(here.isRedundant(worse, "p")).toBe(true);
  const there = new PeerTable();
  there.raise(peerBy(worse));
  expect(there.isRedundant(better, "p")).toBe(false);
  expect(there.raise(peerBy(better))?.link).toBe(worse);
  expect(there.isRedundant(worse, "p")).toBe(true);
});

test("peer table: a link that was replaced is dropped, the peer stays up; its last one is dropped, the peer is down", () => {
  const table = new PeerTable();
  const [first, second] = [linkFrom(high), linkFrom(low)];
  for (const link of [first, second]) {
    table.add(link);
    table.raise(peerBy(link));
  }
  expect(table.drop(first)).toBeUndefined();
  expect(table.find("p")?.link).toBe(second);
  expect(table.drop(second)?.id).toBe("p");
  expect(table.find("p")).toBeUndefined();
});
