import { expect, test } from "bun:test";
import { nativeSuite } from "../../../../src/crypto/index.ts";
import { checkpointOrigin, openCheckpoint } from "../../../../src/events/index.ts";
import { silentLog, toHex } from "../../../../src/kernel/index.ts";
import { EscrowDepositor } from "../../../../sync/agent/index.ts";
import { network } from "./agent-world.ts";
import { EscrowWorld, worldInOutage } from "./escrow-world.ts";

test("escrow: the aggregator is there, nothing goes to peers", async () => {
  const world = new EscrowWorld();
  for (const box of world.boxes.values()) box.start();
  for (let i = 0; i < 20; i++) {
    world.box("a").alert();
    await world.pass(3_000);
  }
  expect(await world.held(world.box("a"))).toBe(20);
  expect(world.keepersOf(world.box("a"))).toEqual([]);
});

test("escrow: an outage in which a box dies for ever, the aggregator holds all of its vital lane, proven by its signature", async () => {
  const world = await worldInOutage();
  const a = world.box("a");
  for (let i = 0; i < 10; i++) {
    a.alert(30);
    await world.pass(10_000);
  }
  expect(a.depositor.keepersComplete).toBe(2);
  expect(world.keepersOf(a).length).toBe(2);
  for (const keeper of world.keepersOf(a)) expect([keeper.keptUpTo(a), keeper.flushed > 0]).toEqual([301, true]);
  a.die();
  expect(await world.held(a)).toBe(1);
  world.isOut = false;
  await world.pass(900_000, 1_000);

  expect(await world.held(a)).toBe(301);
  const ref = { network: toHex(network), node: "a" };
  const stored = await world.aggregator.store.readEvents(ref, "crit", { epoch: 1, sequence: 0 }, 1_000);
  const own = a.log.read("crit", { epoch: 1, sequence: 0 }, 1_000);
  expect(own.ok && own.value.map(({ hash }) => toHex(hash))).toEqual(stored.map(({ hash }) => toHex(hash)));
  const checkpoint = await world.aggregator.store.findCheckpoint(ref, "crit", { epoch: 1, sequence: 301 });
  expect(checkpoint?.size).toBe(301);
  const origin = checkpointOrigin(toHex(network).slice(0, 8), "a", "crit", 1);
  expect(openCheckpoint(checkpoint?.note ?? "", origin, a.identity.publicKey, nativeSuite.verify).ok).toBe(true);
  const refused = new Set(world.aggregator.stored.map(({ node, sequence, lane }) => `${node} ${lane} ${sequence}`));
  expect(refused.size).toBe(world.aggregator.stored.length); // nothing twice, though two peers kept it
});

test("escrow: the first peers die too, others keep it, and it comes through", async () => {
  const world = await worldInOutage(["a", "b", "c", "d", "e"]);
  const a = world.box("a");
  a.alert(5);
  await world.pass(10_000);
  const first = world.keepersOf(a);
  for (const keeper of first) keeper.die();
  await world.pass(30_000);
  const next = world.keepersOf(a).filter((box) => box.isUp);
  expect([first.length, next.length]).toEqual([2, 2]);
  a.die();
  world.isOut = false;
  await world.pass(900_000, 1_000);
  expect(await world.held(a)).toBe(6);
});

test("escrow: the box itself comes back first, its peers release on the witness's word and hand nothing over", async () => {
  const world = await worldInOutage();
  const a = world.box("a");
  a.alert(50);
  await world.pass(20_000);
  world.isOut = false;
  a.alert(3); // acknowledged together with the others: the keepers are brought these, to see that the word is on their records
  let offered = 0;
  const answer = world.aggregator.answer.bind(world.aggregator);
  world.aggregator.answer = (kind, message) => {
    if (kind === "escrow") offered++;
    return answer(kind, message);
  };
  await world.pass(400_000, 1_000);
  expect([await world.held(a), offered]).toEqual([54, 0]);
  for (const keeper of world.keepersOf(a)) {
    const { released, tip } = keeper.table.find(a.identity.publicKey) ?? {};
    expect(released?.sequence).toBe(tip?.sequence);
  }
});

test("escrow: a box that starts anew in the outage, goes on where its peers are", async () => {
  const world = await worldInOutage(["a", "b", "c"]);
  const a = world.box("a");
  a.alert(7);
  await world.pass(10_000);
  a.depositor.stop();
  a.alert(2);
  const again = new EscrowDepositor({
    source: a.log,
    neighbours: { list: () => ["b", "c"], ask: (peer, request) => world.ask("a", peer, request) },
    acknowledged: () => a.agent.acknowledged("crit"),
    node: "a",
    network,
    identity: a.identity,
    clock: world.time,
    timers: world.time,
    log: silentLog,
  });
  again.start();
  await world.pass(10_000);
  for (const name of ["b", "c"]) expect([world.box(name).keeps(a), world.box(name).keptUpTo(a)]).toEqual([["2-8", "9-10"], 10]);
  expect(again.keepersComplete).toBe(2);
  again.stop();
});
