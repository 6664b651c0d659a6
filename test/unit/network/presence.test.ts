import { expect, test } from "bun:test";
import { localSigner, publicKeyOf } from "../../../src/crypto/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import { bindNodeKey } from "../../../src/network/node-key.ts";
import { decodePresence, isPresenceProven, type Presence, signPresence } from "../../../src/network/presence.ts";
import { PresenceBook } from "../../../src/network/presence-book.ts";

const CHAIN = new Uint8Array(32).fill(7);
const seedOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);
const validator = localSigner(seedOf(100));
const bound = (seed: number) => ({ binding: bindNodeKey(validator, CHAIN, publicKeyOf(seedOf(seed))) });

function presenceOf(seed: number, sequence = 1, more: Partial<Presence> = {}): Presence {
  const instance = new Uint8Array(8).fill(1);
  const addresses = ["/ip4/192.0.2.1/tcp/8646"];
  return { nodeKey: publicKeyOf(seedOf(seed)), instance, sequence, services: { isRelay: true, isArchive: true }, addresses, ...more };
}

const signedOf = (seed: number, sequence = 1, more: Partial<Presence> = {}): Uint8Array =>
  signPresence(presenceOf(seed, sequence, more), CHAIN, seedOf(seed));

/** Node keys that are connected. */
const up = new Set<string>();

const bookOf = (): PresenceBook =>
  new PresenceBook({
    chainId: CHAIN,
    ownNodeKey: publicKeyOf(seedOf(1)),
    isValidator: (key) => toHex(key) === toHex(validator.publicKey),
    isUp: (key) => up.has(toHex(key)),
  });

test("presence: encoded and read, the same and proven; of another chain or with another byte, not", () => {
  for (const more of [{}, bound(2), { addresses: [] }]) {
    const read = decodePresence(signedOf(2, 5, more));
    if (!read.ok) throw new Error("it decodes");
    expect(read.value.presence).toEqual(presenceOf(2, 5, more));
    expect(isPresenceProven(read.value, CHAIN)).toBe(true);
    expect(isPresenceProven(read.value, new Uint8Array(32))).toBe(false);
  }
  const bytes = signedOf(2);
  for (let at = 0; at < bytes.length; at++) {
    const other = Uint8Array.from(bytes);
    other[at] = (other[at] ?? 0) ^ 1;
    const read = decodePresence(other);
    expect(read.ok && isPresenceProven(read.value, CHAIN)).toBe(false);
  }
});

test("presence: a validator key that signed for another node key, not proven", () => {
  const read = decodePresence(signedOf(3, 1, bound(2)));
  expect(read.ok && isPresenceProven(read.value, CHAIN)).toBe(false);
});

test("presence book: each word is news once, an older one never, our own key is told apart", () => {
  const book = bookOf();
  expect(book.hear(signedOf(2, 5), 0).kind).toBe("news");
  expect(book.hear(signedOf(2, 5), 0).kind).toBe("known");
  expect(book.hear(signedOf(2, 4), 0).kind).toBe("known");
  expect(book.hear(signedOf(2, 6), 0).kind).toBe("news");
  expect(book.hear(signedOf(1, 6), 0).kind).toBe("own");
  expect(book.hear(Uint8Array.of(1, 2), 0).kind).toBe("malformed");
  expect([...book.all]).toHaveLength(1);
});

test("presence book: a lie about a node that is known, changes nothing", () => {
  const book = bookOf();
  book.hear(signedOf(2, 5), 0);
  const forged = signPresence(presenceOf(2, 9, { addresses: ["/ip4/198.51.100.1/tcp/1"] }), CHAIN, seedOf(3));
  expect(book.hear(forged, 0).kind).toBe("unproven");
  expect([...book.all].map(({ presence }) => presence.sequence)).toEqual([5]);
});

/** The word of one of many strangers. */
function strangerOf(n: number): { readonly key: string; readonly encoded: Uint8Array } {
  const seed = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? n & 255 : at === 1 ? n >> 8 : 9));
  const presence = { ...presenceOf(2), nodeKey: publicKeyOf(seed) };
  return { key: toHex(presence.nodeKey), encoded: signPresence(presence, CHAIN, seed) };
}

test("presence book: strangers without end, a few hundred are kept, a validator still has its place, and silence makes room", () => {
  const book = bookOf();
  const kinds = Array.from({ length: 260 }, (_, n) => book.hear(strangerOf(n).encoded, 0).kind);
  expect(kinds.filter((kind) => kind === "news").length).toBeLessThan(260);
  expect(kinds.at(-1)).toBe("tooMuch");
  expect(book.hear(signedOf(2, 1, bound(2)), 0).kind).toBe("news");
  for (let n = 300; n < 600; n++) book.hear(strangerOf(n).encoded, 1_000 * n);
  expect([...book.all]).toHaveLength(257);
  expect(book.hear(signedOf(4), 600_000 + 46 * 60_000).kind).toBe("news");
  expect([...book.all]).toHaveLength(1);
});

test("presence book: strangers without end come later, a node that is connected keeps its place and a new one finds one", () => {
  const book = bookOf();
  const here = strangerOf(0);
  up.add(here.key);
  book.hear(here.encoded, 0);
  for (let n = 1; n < 400; n++) book.hear(strangerOf(n).encoded, 2_000 * n);
  const keys = [...book.all].map(({ presence }) => toHex(presence.nodeKey));
  expect(keys).toHaveLength(256);
  expect(keys).toContain(here.key);
  expect(keys).toContain(strangerOf(399).key);
  expect(keys).not.toContain(strangerOf(1).key);
  up.clear();
});

test("presence book: a validator that signs for node keys without end, has one place, and its last word counts", () => {
  const book = bookOf();
  for (let n = 0; n < 8; n++) book.hear(signedOf(20 + n, n + 1, bound(20 + n)), 0);
  expect([...book.all].map(({ presence }) => presence.sequence)).toEqual([8]);
});

test("presence book: a node that has news all the time, is not heard beyond its measure; a forger does not use it up", () => {
  const book = bookOf();
  let news = 0;
  for (let n = 0; n < 600; n++) if (book.hear(signedOf(2, n + 1, bound(2)), 100 * n).kind === "news") news++;
  expect(news).toBeGreaterThan(8);
  expect(news).toBeLessThan(45);
  const later = 120_000;
  const forged = signPresence(presenceOf(2, 9_999, bound(2)), CHAIN, seedOf(3));
  for (let n = 0; n < 50; n++) expect(book.hear(forged, later).kind).toBe("unproven");
  expect(book.hear(signedOf(2, 10_000, bound(2)), later).kind).toBe("news");
});

test("presence book: strangers whose words change all the time, are passed on in measure, and validators are heard beside them", () => {
  const book = bookOf();
  let news = 0;
  for (let n = 0; n < 3_000; n++) if (book.hear(signedOf(30 + (n % 60), n + 1), 10 * n).kind === "news") news++;
  expect(news).toBeLessThan(300);
  expect(book.hear(signedOf(2, 1, bound(2)), 30_000).kind).toBe("news");
});
