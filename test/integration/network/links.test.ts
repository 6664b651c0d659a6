import { afterEach, expect, test } from "bun:test";
import type { Message } from "../../../src/consensus/index.ts";
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

const ASK: Message = { kind: "recoveryRequest", token: 9 };

test("network: two validators, each is told of the other's proven key and hears its messages", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("both up", () => a.up.length === 1 && b.up.length === 1);
  expect(a.up).toEqual([b.id]);
  expect(b.up).toEqual([a.id]);
  b.network.consensusPort(() => {}).broadcast(ASK);
  a.network.consensusPort(() => {}).send(b.id, ASK);
  await until("both heard", () => a.messages.length === 1 && b.messages.length === 1);
  expect(a.messages).toEqual([{ from: b.id, message: ASK }]);
  expect(b.messages).toEqual([{ from: a.id, message: ASK }]);
});
