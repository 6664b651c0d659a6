import { afterEach, expect, test } from "bun:test";
import { type Member, type MemberOptions, startMember, until, validatorsOf } from "./world.ts";

const running: Member[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ network }) => network.stop()));
});

async function start(options: MemberOptions): Promise<Member> {
  const member = await startMember(options);
  running.push(member);
  return member;
}

/** Time passes on the real clock here: what is counted is what happens in it. */
const pass = (ms: number): Promise<void> => Bun.sleep(ms);

test("twins: two boxes with one key at two others, the first is kept, the second backs off, both are told where the other is", async () => {
  const validators = validatorsOf(1, 2, 3);
  const others = [await start({ seed: 1, validators }), await start({ seed: 2, validators })];
  const peers = others.map((other) => other.address());
  const times = { helloMs: 20_000, pingMs: 10_000, guestMs: 500, firstMs: 20, maxMs: 200, refusedMs: 400 };
  const first = await start({ seed: 3, validators, peers, options: { times } });
  await until("the first is up", () => first.up.length === 2);
  const copy = await start({ seed: 3, validators, peers, options: { times } });
  await until("both know", () => first.network.sharedKey !== undefined && copy.network.sharedKey !== undefined);
  await until("the first is kept", () => first.up.length === 2 && copy.up.length === 0);
  expect(first.network.sharedKey?.address).toContain("/ip4/127.0.0.1/tcp/");
  expect(copy.network.sharedKey?.address).toContain("/ip4/127.0.0.1/tcp/");
  const [ups, downs] = [copy.downs.length, first.downs.length];
  await pass(2_000);
  expect(first.up).toHaveLength(2);
  expect([copy.downs.length, first.downs.length]).toEqual([ups, downs]);
  expect(downs).toBeLessThanOrEqual(4);
  running.splice(running.indexOf(first), 1);
  await first.network.stop();
  await until("the copy takes its place once the first is gone", () => copy.up.length === 2);
}, 240_000);

test("twins: a box that restarts again and again, nobody takes it for two", async () => {
  const validators = validatorsOf(1, 3);
  const other = await start({ seed: 1, validators });
  for (let run = 0; run < 4; run++) {
    const box = await start({ seed: 3, validators, peers: [other.address()] });
    await until("it is up", () => box.up.length === 1);
    running.splice(running.indexOf(box), 1);
    await box.network.stop();
    expect(box.network.sharedKey).toBeUndefined();
  }
});

test("twins: a box whose copy is gone and that restarts, nobody tells it of the copy", async () => {
  const validators = validatorsOf(1, 3);
  const other = await start({ seed: 1, validators });
  const peers = [other.address()];
  const times = { helloMs: 20_000, pingMs: 20_000, guestMs: 500, firstMs: 1_000, maxMs: 1_000, refusedMs: 200 };
  const first = await start({ seed: 3, validators, peers, options: { times } });
  await until("the first is up", () => first.up.length === 1);
  const copy = await start({ seed: 3, validators, peers, options: { times } });
  await until("the first is back, and known to be one of two", () => first.up.length === 1 && first.network.sharedKey !== undefined);
  running.splice(running.indexOf(copy), 1);
  await copy.network.stop();
  const again = await start({ seed: 3, validators, peers, options: { times } });
  await until("it is up in the place of the first", () => again.up.length === 1 && first.up.length === 0);
  running.splice(running.indexOf(first), 1);
  await first.network.stop();
  await pass(300);
  expect(again.network.sharedKey).toBeUndefined();
}, 240_000);
