import { afterEach, expect, test } from "bun:test";
import { concatBytes, ok, utf8 } from "../../../src/kernel/index.ts";
import type { NetworkPorts } from "../../../src/network/index.ts";
import { systemClock } from "../../../src/node/ports.ts";
import { type Member, startMember, until, validatorsOf } from "./world.ts";

const running: Member[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ network }) => network.stop()));
});

async function start(...[options]: Parameters<typeof startMember>): Promise<Member> {
  const member = await startMember(options);
  running.push(member);
  return member;
}

/** Ports of a member that answers what neighbours ask by its own word and theirs, and writes down who asked. */
function answering(asked: string[]): Partial<NetworkPorts> {
  const neighbour = async (from: string, request: Uint8Array) => {
    asked.push(from);
    return ok(concatBytes(utf8("heard "), request));
  };
  return { answers: { findProof: () => undefined, findFinalBlock: () => undefined, neighbour } };
}

test("neighbours: validators and allowed nodes are asked and answered, a stranger is neither listed nor heard", async () => {
  const validators = validatorsOf(1, 2);
  const asked: string[] = [];
  const allow = [...validatorsOf(3)];
  const keeper = await start({ seed: 1, validators, ports: answering(asked), options: { allow } });
  const peers = [keeper.address()];
  const [validator, allowed, stranger] = [
    await start({ seed: 2, validators, peers }),
    await start({ seed: 3, validators, peers }),
    await start({ seed: 4, validators, peers }),
  ];
  await until("all up", () => keeper.up.length === 3 && [validator, allowed, stranger].every(({ up }) => up.length === 1));
  expect([...keeper.network.neighbours.list()].sort()).toEqual([validator.id, allowed.id].sort());
  for (const member of [validator, allowed])
    expect(await member.network.neighbours.ask(keeper.id, utf8("this"))).toEqual(ok(utf8("heard this")));
  expect((await stranger.network.neighbours.ask(keeper.id, utf8("that"))).ok).toBe(false);
  expect(asked).toEqual([validator.id, allowed.id]);
  expect(await keeper.network.neighbours.ask(validator.id, utf8("who answers nothing"))).toEqual({ ok: false, error: "unreachable" });
  expect(await keeper.network.neighbours.ask(stranger.id.replaceAll("a", "b"), utf8("nobody"))).toEqual({
    ok: false,
    error: "unreachable",
  });
});

test("neighbours: a flood of requests and one that is too long, refused, and votes go on over the same connection", async () => {
  const validators = validatorsOf(1, 2);
  const asked: string[] = [];
  const keeper = await start({ seed: 1, validators, ports: answering(asked) });
  const flooder = await start({ seed: 2, validators, peers: [keeper.address()] });
  await until("both up", () => keeper.up.length === 1 && flooder.up.length === 1);
  const startedMs = systemClock.monotonicMs();
  let heard = 0;
  for (let i = 0; i < 60; i++) if ((await flooder.network.neighbours.ask(keeper.id, utf8(`${i}`))).ok) heard++;
  expect(heard).toBeGreaterThanOrEqual(20);
  expect(heard).toBeLessThanOrEqual(22 + (2 * (systemClock.monotonicMs() - startedMs)) / 1_000); // what refilled meanwhile
  expect(asked.length).toBe(heard);
  const before = asked.length;
  expect((await flooder.network.neighbours.ask(keeper.id, new Uint8Array(70_000))).ok).toBe(false);
  expect(asked.length).toBe(before);
  flooder.network.consensusPort(() => {}).broadcast({ kind: "recoveryRequest", token: 9 });
  await until("the message is heard", () => keeper.messages.length === 1);
  expect([keeper.up.length, flooder.up.length]).toEqual([1, 1]);
});
