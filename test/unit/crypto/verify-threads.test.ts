import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { publicKeyOf, type SignatureClaim, signEd25519, VerifyThreads, verifyEd25519 } from "../../../src/crypto/index.ts";
import { Prng } from "../../../src/kernel/index.ts";

const prng = new Prng(7);
const seeds = Array.from({ length: 3 }, () => prng.bytes(32));
const threads = new VerifyThreads(2);
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
      const source = `addEventListener("message", () => { ${answer} })`;
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const failing = new VerifyThreads(2, () => new Worker(url, { smol: true, ref: false }));
      const all = claims(200);
      expect(await failing.verifyMany(all)).toEqual(expected(all));
      expect(await failing.verifyMany(all)).toEqual(expected(all));
      failing.stop();
    }, 5_000);
  }

  test("verifyMany: threads end while it works, the verdicts come all the same", async () => {
    const shortLived = new VerifyThreads(2);
    const all = claims(200);
    const verdicts = shortLived.verifyMany(all);
    shortLived.stop();
    expect(await verdicts).toEqual(expected(all));
    expect(await shortLived.verifyMany(all)).toEqual(expected(all));
  });
});
