import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseProvision } from "../../../../appliance/provisioning/index.ts";
import { planText, TOKEN } from "./fake-box.ts";

const parse = (text: string) => parseProvision(new TextEncoder().encode(text));
const faultsOf = (text: string): readonly string[] => {
  const parsed = parse(text);
  return parsed.ok ? [] : parsed.error;
};
/** The plan with one field changed, by its dotted path; undefined takes it out. */
function changed(path: string, value: unknown): string {
  const plan = JSON.parse(planText()) as Record<string, unknown>;
  const names = path.split(".");
  let place = plan;
  for (const name of names.slice(0, -1)) place = place[name] as Record<string, unknown>;
  place[names.at(-1) ?? ""] = value;
  return JSON.stringify(plan, null, 2);
}

describe("provision.json", () => {
  test("provision document: everything given, everything understood; pins with colons and capitals in one form", () => {
    const pin = "AB:".repeat(31);
    const parsed = parse(changed("aggregator", { url: "https://fleet.example:8700/", caPin: `${pin}AB` }));
    expect(parsed.ok && parsed.value.aggregator).toEqual({ url: "https://fleet.example:8700", caPin: "ab".repeat(32) });
  });

  test("provision document: the least that is needed, taken", () => {
    const text = JSON.stringify({ schema: 1, hostname: "a1", chain: { genesis: "0".repeat(64), role: "observer" } });
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });

  test("provision document: saved by Windows, with a mark before it and its line ends, taken; as UTF-16, told", () => {
    const windows = `\ufeff${planText().replaceAll("\n", "\r\n")}\r\n`;
    expect(parse(windows).ok).toBe(true);
    const wide = Buffer.from(`\ufeff${planText()}`, "utf16le");
    const answer = parseProvision(wide);
    expect(answer.ok ? [] : answer.error).toEqual(["provision.json: expected UTF-8, got UTF-16; save it again with the encoding UTF-8."]);
  });

  test.each([
    ["schema", 2, "schema: expected 1, got 2."],
    ["schema", "1", 'schema: expected 1, got "1".'],
    [
      "hostname",
      undefined,
      "hostname: expected a host name such as mill-7: 1 to 63 lower-case letters, digits and inner hyphens, got nothing; the field is missing.",
    ],
    ["hostname", "Mill 7", '..., got "Mill 7".'],
    ["hostname", "-mill", '..., got "-mill".'],
    ["hostname", "1234", '..., got "1234".'],
    ["hostname", "m\u00fchle", '..., got "m\\u00fchle".'],
    ["hostname", 7, "..., got 7."],
    ["network", [], 'network: expected an object, { "method": ..., "interface": ... }, got an empty list.'],
    ["network.method", "dhpc", 'network.method: expected "dhcp" or "static", got "dhpc".'],
    [
      "network.address",
      undefined,
      'network.address: expected an address such as 192.168.1.20/24, since network.method is "static", got nothing.',
    ],
    [
      "network.address",
      "192.168.1.20",
      'network.address: expected an address of a host with its prefix, such as 192.168.1.20/24, got "192.168.1.20".',
    ],
    ["network.address", "192.168.1.0/24", '..., got "192.168.1.0/24".'],
    ["network.address", "192.168.1.255/24", '..., got "192.168.1.255/24".'],
    ["network.address", "192.168.1.20/33", '..., got "192.168.1.20/33".'],
    ["network.address", "192.168.01.20/24", '..., got "192.168.01.20/24".'],
    ["network.gateway", "10.0.0.1", 'network.gateway: expected an address of the network of 192.168.1.20/24, got "10.0.0.1".'],
    ["network.gateway", "192.168.1.20", "network.gateway: expected the router's address, got the box's own, \"192.168.1.20\"."],
    ["network.dns", ["192.168.1.1", "router"], 'network.dns[1]: expected an IP address such as 192.168.1.1, got "router".'],
    ["network.dns", ["1.1.1.1", "1.1.1.1"], "network.dns[1]: expected each of the list once; remove one of the two."],
    ["network.interface", "eth0/../x", 'network.interface: expected the name of an interface such as eth0, got "eth0/../x".'],
    [
      "network",
      { method: "dhcp", address: "192.168.1.20/24" },
      'network.address: expected no address, since network.method is "dhcp" and the network gives it; remove it, or set method to "static".',
    ],
    ["ntp", "pool.ntp.org", 'ntp: expected a list of 1 to 4 time servers, got "pool.ntp.org".'],
    ["ntp", ["time example"], 'ntp[0]: expected a time server: a host name or an IP address, got "time example".'],
    ["ntp", ["time.example\nNTP=evil"], '..., got "time.example\\u000aNTP=evil".'],
    [
      "aggregator.url",
      "http://fleet.example",
      'aggregator.url: expected https://host:port of the aggregator, without a path, got "http://fleet.example".',
    ],
    ["aggregator.url", "https://fleet.example/console", '..., got "https://fleet.example/console".'],
    ["aggregator.caPin", "ab", 'aggregator.caPin: expected the fingerprint of the aggregator\'s authority: 64 hex digits, got "ab".'],
    [
      "aggregator",
      undefined,
      'aggregator: expected { "url": ..., "caPin": ... }, since there is a token for it, got nothing; the field is missing.',
    ],
    [
      "token",
      undefined,
      "token: expected the token that `bizra aggregator claim` printed, since there is an aggregator, got nothing; the field is missing.",
    ],
    [
      "token",
      "secret!",
      "token: expected the token that `bizra aggregator claim` printed, whole, got a text of 7 characters, which is not shown.",
    ],
    ["chain.genesis", "xyz", 'chain.genesis: expected the hash of the genesis document: 64 hex digits, got "xyz".'],
    ["chain.role", "leader", 'chain.role: expected "validator" or "observer", got "leader".'],
    ["chain.peers", ["host"], 'chain.peers[0]: expected host:port, KEY@host:port or a multiaddr, got "host".'],
    ["chain.peer", ["host:1"], "chain.peer: expected no such field in chain; did you mean peers?"],
    [
      "ssh.keys",
      ["-----BEGIN OPENSSH PRIVATE KEY-----"],
      "ssh.keys[0]: expected a public key, got a private one; remove it from this file and take the line of the .pub file beside it.",
    ],
    ["ssh.keys", ["ssh-ed25519"], 'ssh.keys[0]: expected a public key in one line, such as ssh-ed25519 AAAA... name, got "ssh-ed25519".'],
    ["update.window", "2-5", 'update.window: expected hours of the day in UTC such as 02:00-05:00, not of length zero, got "2-5".'],
    ["update.window", "02:00-02:00", '..., got "02:00-02:00".'],
    ["update.url", "ftp://x", 'update.url: expected the URL of a folder such as https://releases.example/bizra, got "ftp://x".'],
    ["update.channel", "nightly", 'update.channel: expected "stable" or "beta" or "none", got "nightly".'],
    ["hostnam", "x", "hostnam: expected no such field in provision.json; did you mean hostname?"],
    [
      "wifi",
      {},
      "wifi: expected no such field in provision.json; it knows schema, hostname, network, ntp, aggregator, token, chain, ssh, update.",
    ],
  ])("provision document: %s as %p, one sentence that names the field and what is right", (path, value, sentence) => {
    const [first = "", ...others] = faultsOf(changed(path, value));
    expect(others).toEqual([]);
    if (sentence.startsWith("..."))
      expect([first.startsWith(`${path}`), first.slice(-sentence.length + 3)]).toEqual([true, sentence.slice(3)]);
    else expect(first).toBe(sentence);
  });

  test.each([
    ["", "provision.json: expected an object in { }, got an empty file."],
    ["[]", 'provision.json: expected an object, { "schema": ..., "hostname": ... }, got an empty list.'],
    ['{\n  "schema": 1,\n}', "provision.json, line 2, column 14: expected no comma after the last field; remove this one."],
    [
      '{\n  "schema": 1\n  "hostname": "a"\n}',
      'provision.json, line 3, column 3: expected a comma before the next field, or } at the end, after the value of "schema".',
    ],
    [
      '{ "schema": 1, "schema": 2 }',
      'provision.json, line 1, column 16: expected each field once, but "schema" stands here a second time; remove one of them.',
    ],
    [
      "{ \u201cschema\u201d: 1 }",
      'provision.json, line 1, column 3: expected straight double quotes (") around names and texts; replace these.',
    ],
    ["{ 'schema': 1 }", 'provision.json, line 1, column 3: expected straight double quotes (") around names and texts; replace these.'],
    ['{ "schema": 1 // one\n}', "provision.json, line 1, column 15: expected no comment; JSON has none, remove it."],
    ['{ "hostname": "mill\n}', 'provision.json, line 1, column 15: expected a closing " on the same line as the opening one.'],
    ['{ "hostname": "C:\\mill" }', "provision.json, line 1, column 18: expected \\\\ where a backslash is meant."],
    [
      '{ "schema": 01 }',
      'provision.json, line 1, column 13: expected a value: a text in "double quotes", a number, true, false, a list in [ ] or an object in { }.',
    ],
    [
      '{ "schema": 1',
      'provision.json, line 1, column 14: expected a comma before the next field, or } at the end, after the value of "schema"; the file ends before.',
    ],
    ['{ "schema": 1 } x', "provision.json, line 1, column 17: expected nothing more after the closing brace; remove what follows."],
    [`${"[".repeat(40)}`, "provision.json, line 1, column 18: expected at most 16 objects and lists inside each other."],
  ])("provision document: the text %p, the line and what is right there", (text, sentence) => {
    expect(faultsOf(text)).toEqual([sentence]);
  });

  test("provision document: several mistakes, all of them at once", () => {
    const faults = faultsOf(planText({ hostname: "A", ntp: [], update: { window: "x" } }));
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["hostname", "ntp", "update.window"]);
  });

  test("provision document: any text and any change of a good one, a plan or sentences in ASCII that end, never the token", () => {
    const good = planText();
    const damaged = fc
      .tuple(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 6, unit: "binary" }))
      .map(([at, length, text]) => good.slice(0, at) + text + good.slice(at + length));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), damaged), (text) => {
        for (const fault of faultsOf(text)) {
          expect(fault).toMatch(/^[\x20-\x7e]+[.?]$/);
          expect(fault).not.toContain(TOKEN.slice(8));
        }
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof parseProvision(bytes).ok === "boolean"),
      { numRuns: 200 },
    );
  }, 30_000);
});
