import { describe, expect, test } from "bun:test";
import { type FollowerSample, Following } from "../../../src/node/following.ts";
import { syncStateOf } from "../../../src/node/sync-state.ts";
import { ManualTime } from "../mempool/mempool-world.ts";

const level: FollowerSample = { height: 100, isLagging: false, peerCount: 1, provenHeight: 100 };

describe("node: readiness of a follower", () => {
  test("following: not ready before it was level with a peer, ready from then on", () => {
    const following = new Following(new ManualTime(), 60_000);
    expect(following.obstacle).toContain("since its start");
    following.observe({ ...level, peerCount: 0, provenHeight: undefined });
    expect(following.obstacle).toContain("since its start");
    following.observe({ ...level, height: 3 });
    expect(following.obstacle).toContain("since its start");
    following.observe({ ...level, height: 92 });
    expect(following.obstacle).toBeUndefined();
  });

  test("following: a few blocks behind, or far behind for a moment, ready; far behind for more than ten seconds, not", async () => {
    const time = new ManualTime();
    const following = new Following(time, 60_000);
    following.observe(level);
    for (let second = 1; second <= 60; second++) {
      await time.advance(1_000);
      following.observe({ ...level, height: 100 + second, provenHeight: 101 + second });
      expect(following.obstacle).toBeUndefined();
    }
    for (let second = 1; second <= 10; second++) {
      await time.advance(1_000);
      following.observe({ ...level, height: 160, isLagging: true, provenHeight: 300 });
      expect(following.obstacle).toBeUndefined();
    }
    await time.advance(1_000);
    following.observe({ ...level, height: 161, isLagging: true, provenHeight: 300 });
    expect(following.obstacle).toContain("behind for 11 s");
    following.observe({ ...level, height: 300, provenHeight: 300 });
    expect(following.obstacle).toBeUndefined();
  });

  test("following: without a peer for more than ten seconds, not ready", async () => {
    const time = new ManualTime();
    const following = new Following(time, 60_000);
    following.observe(level);
    await time.advance(10_001);
    following.observe({ ...level, peerCount: 0, provenHeight: undefined });
    expect(following.obstacle).toContain("without a peer");
  });

  test("following: three idle intervals without a block, not ready although it knows of no more", async () => {
    const time = new ManualTime();
    const following = new Following(time, 60_000);
    following.observe(level);
    await time.advance(180_000);
    following.observe(level);
    expect(following.obstacle).toBeUndefined();
    await time.advance(1);
    following.observe(level);
    expect(following.obstacle).toContain("no block came for 180 s");
    following.observe({ ...level, height: 101 });
    expect(following.obstacle).toBeUndefined();
  });

  test("sync state: a follower is synced and not recovering, and catching up while it lags", () => {
    expect(syncStateOf({ voting: "following", isLagging: false })).toBe("synced");
    expect(syncStateOf({ voting: "following", isLagging: true })).toBe("catchingUp");
    expect(syncStateOf({ voting: "voting", isLagging: false })).toBe("synced");
    expect(syncStateOf({ voting: "outdated", isLagging: true })).toBe("outdated");
    for (const voting of ["greeting", "recovering", "mute", "halted"] as const)
      expect(syncStateOf({ voting, isLagging: false })).toBe("recovering");
  });
});
