import { expect, test } from "bun:test";
import { nobleSigner, sha256 } from "../../src/crypto/portable.ts";
import { anchorBody, DeviceClient, type DeviceEvent, memoryStorage, type Submission, transferBody } from "../../src/device/index.ts";
import { Prng, toHex, utf8 } from "../../src/kernel/index.ts";
import type { TransactionBody } from "../../src/protocol/index.ts";
import { JumpingTime, lossyCarrier, lyingCarrier, World, worldChain } from "./device-world.ts";

const signer = nobleSigner(sha256(utf8("a device")));
const ORDERS = 6;
const HOURS_MS = 6 * 3_600_000;

/** What became of the orders of one run. */
type Outcome = {
  readonly world: World;
  readonly finals: ReadonlyMap<number, string>;
  readonly others: readonly DeviceEvent[];
  readonly isDone: boolean;
  readonly kept: number;
};

/** Runs a client with orders until they have ended, with restarts at any moment. */
async function run(seed: number, lies: boolean, bodyOf: (i: number, prng: Prng) => TransactionBody): Promise<Outcome> {
  const prng = new Prng(seed);
  const time = new JumpingTime();
  const world = new World();
  const storage = memoryStorage();
  const finals = new Map<number, string>();
  const ended = new Set<number>();
  const others: DeviceEvent[] = [];
  const beat = (): void => {
    world.tick();
    if (prng.chance(0.01) && !lies) world.spendNonce(signer.publicKey);
    time.after(1_000, beat);
  };
  beat();
  const onEvent = (event: DeviceEvent): void => {
    if (event.kind !== "ended" || event.end.kind === "closed") return;
    ended.add(event.sequence);
    if (event.end.kind === "final") finals.set(event.sequence, toHex(event.end.id));
    else others.push(event);
  };
  const start = (): Promise<DeviceClient> => {
    const honest = [0.05, 0.4].map((loss) => lossyCarrier(world, time, prng, loss));
    return DeviceClient.open({
      signer,
      chain: worldChain,
      carriers: lies ? [lyingCarrier(world, prng), ...honest] : honest,
      storage,
      ports: { clock: time, timers: time, entropy: prng },
      validForBlocks: 60n,
      waitMs: 1_000,
      onEvent,
    });
  };
  let client = await start();
  const taken: Submission[] = [];
  for (let i = 0; i < ORDERS; i++) {
    const submission = await client.submit(bodyOf(i, prng));
    if (submission.ok) taken.push(submission.value);
    await time.until(() => false, time.nowMs() + prng.below(2_000));
    if (!prng.chance(0.3)) continue;
    void client.close();
    await time.until(() => false, time.nowMs() + prng.below(30_000));
    client = await start();
  }
  const isDone = await time.until(() => ended.size === ORDERS, time.nowMs() + HOURS_MS);
  await client.close();
  return { world, finals, others, isDone, kept: (await storage.load()).length };
}

const anchor = (i: number): TransactionBody => anchorBody("fuzz", `reading ${i}`);
const transfer = (i: number): TransactionBody => transferBody(sha256(utf8("bob")), BigInt(i + 1));

/** How often each amount was paid. */
function payments(world: World): Map<bigint, number> {
  const paid = new Map<bigint, number>();
  for (const { body } of world.executed.values()) if (body.type === 1) paid.set(body.amount, (paid.get(body.amount) ?? 0) + 1);
  return paid;
}

test("device fuzz: ways that lose, repeat and delay, and restarts: every anchor final, none of it twice unless its nonce was taken", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const { world, finals, others, isDone, kept } = await run(seed, false, anchor);
    expect({ seed, isDone, others, finals: finals.size, kept }).toEqual({ seed, isDone: true, others: [], finals: ORDERS, kept: 1 });
    for (const id of finals.values()) expect(world.executed.has(id)).toBe(true);
  }
}, 120_000);

test("device fuzz: a node that lies about everything: nothing false is final, nothing is paid twice", async () => {
  let finalCount = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { world, finals } = await run(seed, true, seed % 2 === 0 ? anchor : transfer);
    for (const id of finals.values()) expect({ seed, isExecuted: world.executed.has(id) }).toEqual({ seed, isExecuted: true });
    for (const [amount, times] of payments(world)) expect({ seed, amount, times }).toEqual({ seed, amount, times: 1 });
    finalCount += finals.size;
  }
  expect(finalCount).toBeGreaterThan(60); // the honest ways are still of use
}, 120_000);
