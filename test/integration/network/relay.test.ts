import { afterEach, expect, test } from "bun:test";
import type { Message } from "../../../src/consensus/index.ts";
import { addressOf, type Member, type MemberOptions, startMember, until, validatorsOf } from "./world.ts";

const running: Member[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ network }) => network.stop()));
});

async function start(options: MemberOptions): Promise<Member> {
  const member = await startMember(options);
  running.push(member);
  return member;
}

const TIMES = { helloMs: 3_000, pingMs: 500, guestMs: 500, firstMs: 20, maxMs: 200, refusedMs: 200, relayedMs: 400, directMs: 300 };
const ask = (token: number): Message => ({ kind: "recoveryRequest", token });

/** A member that nobody can dial and that reserves at a relay. */
const hidden = (seed: number, validators: ReadonlySet<string>, relay: Member): Promise<Member> =>
  start({ seed, validators, options: { listen: undefined, relays: [addressOf(relay.address())], times: TIMES } });

const addressBetween = (from: Member, to: Member): string => from.network.peers().find(({ peer }) => peer === to.id)?.address ?? "";

test("relay: two validators that nobody can dial, they find and hear each other through the third, and again after it restarted", async () => {
  const validators = validatorsOf(1, 2, 3);
  const relay = await start({ seed: 1, validators, options: { isRelay: true, times: TIMES } });
  const port = Number(relay.address().split(":")[1]);
  const [b, c] = [await hidden(2, validators, relay), await hidden(3, validators, relay)];
  await until("a full mesh", () => [relay, b, c].every(({ up }) => up.length === 2));
  expect(addressBetween(b, c)).toContain("/p2p-circuit");
  expect(addressBetween(b, relay)).not.toContain("/p2p-circuit");
  b.network.consensusPort(() => {}).send(c.id, ask(5));
  await until("it is heard", () => c.messages.some(({ from }) => from === b.id));
  // More than the library lets through a circuit by default.
  const sent = 40;
  for (let batch = 0; batch < sent; batch++) b.network.sendBatchMessage(c.id, new Uint8Array(100_000).fill(batch), "bulk");
  await until("batches cross it", () => c.batches.length === sent);
  running.splice(running.indexOf(relay), 1);
  await relay.network.stop();
  await until("all alone", () => b.up.length === 0 && c.up.length === 0);
  await start({ seed: 1, validators, port, options: { isRelay: true, times: TIMES } });
  await until("a full mesh again", () => b.up.length === 2 && c.up.length === 2);
}, 240_000);

test("relay: a direct way appears, both ends change over to it and the chain's messages go on", async () => {
  const validators = validatorsOf(1, 2, 3);
  const relay = await start({ seed: 1, validators, options: { isRelay: true, times: TIMES } });
  const b = await start({ seed: 2, validators, options: { relays: [addressOf(relay.address())], times: TIMES } });
  const c = await hidden(3, validators, relay);
  await until("reached through the relay", () => addressBetween(c, b).includes("/p2p-circuit"));
  c.network.setAddresses([addressOf(b.address())]);
  await until("reached directly", () => addressBetween(c, b) !== "" && !addressBetween(c, b).includes("/p2p-circuit"));
  await until("at both ends", () => !addressBetween(b, c).includes("/p2p-circuit"));
  c.network.consensusPort(() => {}).send(b.id, ask(6));
  await until("it is heard", () => b.messages.some(({ from }) => from === c.id));
  expect(b.network.peers()).toHaveLength(2);
}, 240_000);

test("relay: a stranger, neither reserves nor is carried, and a node that is no relay carries nobody", async () => {
  const validators = validatorsOf(1, 2);
  const relay = await start({ seed: 1, validators, options: { isRelay: true, times: TIMES } });
  const b = await hidden(2, validators, relay);
  await until("it reserved", () => b.network.addresses.length === 1);
  const stranger = await hidden(9, validators, relay);
  await until("it is up as an observer", () => stranger.up.length === 1);
  stranger.network.setAddresses([addressOf(b.network.addresses[0] ?? "")]);
  await until("it was refused", () => stranger.network.absentPeers().some(({ failures }) => failures >= 2));
  expect(b.up).toEqual([relay.id]);
  expect(stranger.network.addresses).toEqual([]);
  const plain = await start({ seed: 2, validators: validatorsOf(2, 3), options: { times: TIMES } });
  const d = await hidden(3, validatorsOf(2, 3), plain);
  await until("it is up", () => d.up.length === 1);
  expect(d.network.addresses).toEqual([]);
}, 240_000);
