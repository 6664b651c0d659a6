import { expect, test } from "bun:test";
import { isLoopback, sourceOf, TokenBuckets } from "../../../src/gateway/token-bucket.ts";
import { ManualTime } from "./manual-time.ts";

test("token bucket: a burst, then the rate, told in milliseconds to wait", () => {
  const time = new ManualTime();
  const buckets = new TokenBuckets(time);
  const rate = { perSecond: 4, burst: 2 };
  expect([buckets.take("a", rate), buckets.take("a", rate), buckets.take("a", rate)]).toEqual([0, 0, 250]);
  time.advance(100);
  expect(buckets.take("a", rate)).toBe(150);
  time.advance(150);
  expect([buckets.take("a", rate), buckets.take("a", rate)]).toEqual([0, 250]);
  time.advance(3_600_000);
  expect([1, 2, 3].map(() => buckets.take("a", rate))).toEqual([0, 0, 250]);
});

test("token bucket: sources, each its own; a rate of zero, no limit and nothing remembered", () => {
  const buckets = new TokenBuckets(new ManualTime());
  const rate = { perSecond: 1, burst: 1 };
  expect([buckets.take("a", rate), buckets.take("b", rate), buckets.take("a", rate)]).toEqual([0, 0, 1_000]);
  for (let i = 0; i < 100; i++) expect(buckets.take("c", { perSecond: 0, burst: 1 })).toBe(0);
  expect(buckets.size).toBe(2);
});

test("token bucket: more sources than remembered, the one unseen for longest is forgotten", () => {
  const buckets = new TokenBuckets(new ManualTime(), 2);
  const rate = { perSecond: 1, burst: 1 };
  for (const source of ["a", "b", "a", "c"]) buckets.take(source, rate);
  expect(buckets.size).toBe(2);
  expect([buckets.take("a", rate), buckets.take("b", rate)]).toEqual([1_000, 0]);
});

test("source: an IPv4 address, itself; an IPv6 one, its /64", () => {
  expect(sourceOf("192.0.2.7")).toBe("192.0.2.7");
  expect(sourceOf("::ffff:192.0.2.7")).toBe("192.0.2.7");
  expect(sourceOf("2001:DB8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(sourceOf("2001:db8:1:2::6%eth0")).toBe("2001:db8:1:2::/64");
  expect(sourceOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
  expect(sourceOf("::1")).toBe("0:0:0:0::/64");
  expect(sourceOf("unknown")).toBe("unknown");
});

test("loopback: this machine's own addresses and no others", () => {
  for (const own of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) expect([own, isLoopback(own)]).toEqual([own, true]);
  for (const other of ["128.0.0.1", "10.0.0.1", "::2", "unknown", "127.0.0.1.example"])
    expect([other, isLoopback(other)]).toEqual([other, false]);
});
