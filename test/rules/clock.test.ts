import { expect, test } from "bun:test";
import { LAN_TIMERS } from "../../src/consensus/index.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { Rig } from "./rig.ts";

const { finalize, notarize } = VOTE_KIND;
const DRIFT_MS = LAN_TIMERS.clockDriftMs;

/** The last committed block as a parent; undefined at genesis. */
function tipOf(rig: Rig): Parameters<Rig["propose"]>[1] {
  const certificate = rig.core.tip.finalization;
  return certificate?.proposal && { proposal: certificate.proposal, certificate };
}

/** How far ahead of the wall clock the chain's time gets in 20 views of leaders that stamp late, by the chain's time and by the clock's. */
function pushTime(rig: Rig): number {
  for (let block = 0; block < 20; block++) {
    const { view } = rig.status;
    const leader = rig.leaderOf(view);
    const timeMs = Math.floor(Math.max(rig.wallMs, block % 2 === 0 ? rig.core.tip.timeMs : 0)) + DRIFT_MS;
    if (leader !== rig.self) {
      const made = rig.propose(view, tipOf(rig), { timeMs });
      rig.from(leader, made.message);
      if (rig.cast.at(-1) === `NOTARIZE 0:${view}`) {
        rig.show(rig.certificate([1, 2, 3], finalize, view, made.proposal));
        continue;
      }
    }
    rig.show(rig.nullification(view));
  }
  return rig.core.tip.timeMs - rig.wallMs;
}

test("R16: leaders that stamp as late as allowed, gain the drift once and not with every block", () => {
  const rig = new Rig();
  for (let round = 0; round < 3; round++) {
    const aheadMs = pushTime(rig);
    expect(aheadMs).toBeGreaterThan(DRIFT_MS - 2);
    expect(aheadMs).toBeLessThanOrEqual(DRIFT_MS);
    rig.pass(5_000);
  }
});

test("R16: a wall clock that is behind by more than the drift, is not believed until it is set", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(1);
  const first = rig.propose(view, undefined, { timeMs: rig.wallMs + 1 });
  rig.from(1, first.message);
  rig.show(rig.certificate([1, 2, 3], finalize, view, first.proposal));
  rig.wallMs -= 60_000;
  rig.pass(10_000);
  const next = rig.status.view;
  const made = rig.propose(next, tipOf(rig), { timeMs: first.block.header.timeMs + 10_000 });
  rig.from(rig.leaderOf(next), made.message);
  expect(rig.cast.at(-1)).toBe(`NOTARIZE 0:${next}`);
});

test("R16: a block that a quorum of wrong clocks notarized, is followed by one a millisecond later and by none that is far ahead", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(1);
  const early = rig.propose(view, undefined, { timeMs: rig.wallMs + 31_536_000_000 });
  rig.from(1, early.message);
  expect(rig.cast).toEqual([]);
  const certificate = rig.certificate([1, 2, 3], notarize, view, early.proposal);
  rig.show(certificate);
  const parent = { proposal: early.proposal, certificate };
  const next = rig.status.view;
  expect(next).toBe(view + 1);
  rig.from(rig.leaderOf(next), rig.propose(next, parent, { timeMs: early.block.header.timeMs + 2 }).message);
  expect(rig.cast).not.toContain(`NOTARIZE 0:${next}`);
  const other = new Rig();
  other.from(1, early.message);
  other.show(certificate);
  other.from(other.leaderOf(next), other.propose(next, parent, { timeMs: early.block.header.timeMs + 1 }).message);
  expect(other.cast).toContain(`NOTARIZE 0:${next}`);
});
