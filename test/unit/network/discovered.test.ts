import { expect, test } from "bun:test";
import { multiaddr } from "@multiformats/multiaddr";
import { Discovered } from "../../../src/network/discovered.ts";

const ID = "12D3KooWJ5g2xgPoHZRizGrJcPpe4nwEzKqix4KXmLYpJaB5WEvU";
const list = (...texts: string[]) => texts.map((text) => multiaddr(text));

test("discovered: the address of the network before that of the machine, with the peer id behind it", () => {
  const discovered = new Discovered();
  expect(discovered.offer(ID, list("/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.7/udp/2/webrtc-direct", "/ip4/192.0.2.7/tcp/3"))).toBe(true);
  expect(discovered.addresses.map(({ text }) => text)).toEqual([`/ip4/192.0.2.7/tcp/3/p2p/${ID}`]);
  expect(discovered.offer(ID, list(`/ip4/192.0.2.7/tcp/3/p2p/${ID}`))).toBe(false);
  expect(discovered.offer(ID, list("/ip4/192.0.2.8/tcp/3"))).toBe(true);
  expect(discovered.addresses.map(({ text }) => text)).toEqual([`/ip4/192.0.2.8/tcp/3/p2p/${ID}`]);
});

test("discovered: nothing to dial by TCP, or a list that is full, no change; what does not answer, let go", () => {
  const discovered = new Discovered();
  expect(discovered.offer(ID, list("/ip4/192.0.2.7/udp/2/webrtc-direct", "/ip4/192.0.2.7/tcp/3/ws"))).toBe(false);
  for (let i = 0; i < 100; i++) discovered.offer(`node ${i}`, list(`/ip4/192.0.2.7/tcp/${i + 1}/p2p/${ID}`));
  expect(discovered.addresses).toHaveLength(64);
  expect(discovered.forgetSilent((address) => (address.includes("/tcp/5/") ? 10 : 9))).toBe(true);
  expect(discovered.addresses).toHaveLength(63);
  expect(discovered.forgetSilent(() => 0)).toBe(false);
});
