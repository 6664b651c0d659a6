import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { publicKeyOf, type SignatureClaim, signEd25519, VerifyThreads, verifyEd25519 } from "../../../src/crypto/index.ts";
import { Prng } from "../../../src/kernel/index.ts";
import { systemTimers } from "../../../src/node/ports.ts";
import { ManualTime } from "../mempool/mempool-world.ts";

const prng = new Prng(7);
const seeds = Array.from({ length: 3 }, () => prng.bytes(32));
const threads = new VerifyThreads(2, systemTimers);
afterAll(() => threads.stop());

/** Claims by several keys; every third has a flipped bit somewhere. */
function claims(count: number): SignatureClaim[] {
  return Array.from({ length: count }, (_, i) => {
    const seed = seeds[i % seeds.length] as Uint8Array;
    const message = prng.bytes(1 + (i % 300));
    const claim = { key: publicKeyOf(seed), message, signature: signEd25519(seed, message) };
    const spoiled = [claim.signature, claim.message, claim.key][Math.floor(i / 3) % 3] ?? claim.key;
    if (i % 3 === 1) spoiled[i % spoiled.length] = (spoiled[i % spoiled.length] ?? 0) ^ (1 << (i % 8));
    return claim;
  });
}

const expected = (all: readonly SignatureClaim[]): boolean[] =>
  all.map(({ key, message, signature }) => verifyEd25519(key, message, signature));

/** A thread that runs this for each parcel. */
function workerOf(action: string): () => Worker {
  const url = URL.createObjectURL(new Blob([`addEventListener("message", () => { ${action} })`], { type: "text/javascript" }));
  return () => new Worker(url, { smol: true, ref: false });
}

/** Lets threads and the pool work until something holds; the test's own limit ends what never does. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Empty for a thread that ended meanwhile. */
function statOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}

describe("verifying threads", () => {
  for (const count of [0, 1, 31, 32, 33, 64, 65, 300]) {
    test(`verifyMany: ${count} claims, a third of them spoiled, the verdicts of the one rule in their order`, async () => {
      const all = claims(count);
      expect(await threads.verifyMany(all)).toEqual(expected(all));
    });
  }

  test("verifyMany: many rounds at a time, each gets its own verdicts", async () => {
    const rounds = Array.from({ length: 6 }, (_, i) => claims(40 + 17 * i));
    const verdicts = await Promise.all(rounds.map((round) => threads.verifyMany(round)));
    expect(verdicts).toEqual(rounds.map(expected));
  });

  test("verifyMany: a key or signature of another length among many, false for that one alone", async () => {
    const all = claims(60).map((claim, i) =>
      i === 5 ? { ...claim, key: claim.key.subarray(1) } : i === 9 ? { ...claim, signature: new Uint8Array(65) } : claim,
    );
    expect(await threads.verifyMany(all)).toEqual(expected(all));
  });

  test.if(process.platform === "linux")(
    "threads: verifying, less urgent than the thread that asked them, which stays as it was",
    async () => {
      const niceness = (line: string): number => Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[16]);
      const before = getPriority(0);
      await threads.verifyMany(claims(64));
      const lines = readdirSync("/proc/self/task").map(statOf);
      const verifying = lines.filter((line) => line.includes("(verify)")).map(niceness);
      expect(verifying.length).toBeGreaterThan(0);
      for (const each of verifying) expect(each).toBe(Math.min(19, before + 5));
      expect(getPriority(0)).toBe(before);
    },
  );

  for (const [what, answer] of [
    ["ends", "process.exit(0)"],
    ["throws", "throw new Error('gone')"],
    ["answers fewer verdicts", "postMessage(new Uint8Array(3).fill(1))"],
    ["answers more verdicts", "postMessage(new Uint8Array(4096).fill(1))"],
    ["answers something else", "postMessage({ length: 64 })"],
    ["answers nothing for a parcel", "postMessage(new Uint8Array(0))"],
  ] as const) {
    test(`verifyMany: a thread that ${what}, the verdicts come all the same and are right`, async () => {
      const failing = new VerifyThreads(2, systemTimers, workerOf(answer));
      const all = claims(200);
      expect(await failing.verifyMany(all)).toEqual(expected(all));
      expect(await failing.verifyMany(all)).toEqual(expected(all));
      failing.stop();
    }, 5_000);
  }

  test("verifyMany: a thread that hangs, given up after two looks and replaced, the verdicts come all the same and are right", async () => {
    const time = new ManualTime();
    const [hanging, sound] = [workerOf("for (;;);"), workerOf("postMessage(new Uint8Array(64).fill(1))")];
    let started = 0;
    const one = new VerifyThreads(1, time, () => (started++ === 0 ? hanging() : sound()));
    const all = claims(64);
    const verdicts = one.verifyMany(all);
    await time.advance(10_500);
    expect(one.health).toEqual({ running: 1, failed: { hung: 0, ended: 0, garbled: 0 }, isGivenUp: false });
    await time.advance(500);
    expect(one.health).toEqual({ running: 1, failed: { hung: 1, ended: 0, garbled: 0 }, isGivenUp: false });
    expect(await verdicts).toEqual(expected(all)); // from the pool, for the parcel that broke one thread is not given to the next
    expect(await one.verifyMany(all)).toEqual(all.map(() => true)); // the word of the thread that took its place
    expect(started).toBe(2);
    one.stop();
  }, 10_000);

  test("verifyMany: a thread that answers all the time, is left alone however long it is busy", async () => {
    const time = new ManualTime();
    const one = new VerifyThreads(1, time, workerOf("postMessage(new Uint8Array(64).fill(1))"));
    for (let round = 0; round < 20; round++) {
      const verdicts = one.verifyMany(claims(128));
      await time.advance(5_000);
      expect(await verdicts).toHaveLength(128);
    }
    expect(one.health.failed).toEqual({ hung: 0, ended: 0, garbled: 0 });
    one.stop();
  }, 10_000);

  test("verifyMany: threads that all fail before they answer anything, a few are tried, then the pool takes over for good", async () => {
    let started = 0;
    const ending = workerOf("process.exit(0)");
    const failing = new VerifyThreads(1, systemTimers, () => {
      started++;
      return ending();
    });
    const all = claims(40);
    for (let round = 0; !failing.health.isGivenUp; round++) {
      expect(await failing.verifyMany(all)).toEqual(expected(all));
      await until(() => failing.health.failed.ended > round || failing.health.isGivenUp);
    }
    expect(started).toBe(4);
    expect(failing.health).toEqual({ running: 0, failed: { hung: 0, ended: 4, garbled: 0 }, isGivenUp: true });
    expect(await failing.verifyMany(all)).toEqual(expected(all));
  }, 10_000);

  test("verifyMany: threads end while it works, the verdicts come all the same", async () => {
    const shortLived = new VerifyThreads(2, systemTimers);
    const all = claims(200);
    const verdicts = shortLived.verifyMany(all);
    shortLived.stop();
    expect(await verdicts).toEqual(expected(all));
    expect(await shortLived.verifyMany(all)).toEqual(expected(all));
  });
});
