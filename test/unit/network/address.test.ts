import { expect, test } from "bun:test";
import { listenMultiaddr, parsePeerAddress } from "../../../src/network/address.ts";

const KEY = "ab".repeat(32);

test("address: host and port, a name, IPv6, a key in front, a multiaddr, each to its multiaddr", () => {
  const read = (text: string) => {
    const parsed = parsePeerAddress(text);
    return parsed.ok ? [parsed.value.multiaddr.toString(), parsed.value.expected] : parsed.error;
  };
  expect(read("192.0.2.1:8646")).toEqual(["/ip4/192.0.2.1/tcp/8646", undefined]);
  expect(read("box-1.example.org:8646")).toEqual(["/dns/box-1.example.org/tcp/8646", undefined]);
  expect(read("[2001:db8::1]:8646")).toEqual(["/ip6/2001:db8::1/tcp/8646", undefined]);
  expect(read(`${KEY.toUpperCase()}@192.0.2.1:8646`)).toEqual(["/ip4/192.0.2.1/tcp/8646", KEY]);
  expect(read("/ip4/192.0.2.1/tcp/8646")).toEqual(["/ip4/192.0.2.1/tcp/8646", undefined]);
});

test("address: text that is none, a sentence that says what was expected", () => {
  for (const text of [
    "",
    "host",
    "host:0",
    "host:65536",
    "host:port",
    "/ip4/999.1.1.1/tcp/1",
    "/nonsense",
    "abc@host:1",
    ":1",
    "999.1.1.1:1",
  ]) {
    expect(parsePeerAddress(text)).toMatchObject({ ok: false, error: expect.stringContaining("expected host:port") });
  }
});

test("address: to listen on, by the family of the host", () => {
  expect([listenMultiaddr("0.0.0.0", 1), listenMultiaddr("::", 2)]).toEqual(["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/2"]);
});
