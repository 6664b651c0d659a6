/** Well-formed input that the rules refuse: keys that no signature may be by, and the transactions of later versions. */
import { type Cbor, map } from "./independent-client.ts";

/** Encodings of the points of small order, canonical and not, by their y (RFC 8032 section 5.1.3), and one key with y above p. */
export function keysOutsideTheRule(): Buffer[] {
  const filled = (first: string, middle: string, last: string): string => `${first}${middle.repeat(30)}${last}`;
  const orderEight = [
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03",
  ];
  return [
    filled("01", "00", "00"),
    filled("01", "00", "80"),
    filled("00", "00", "00"),
    filled("00", "00", "80"),
    filled("ec", "ff", "7f"),
    filled("ec", "ff", "ff"),
    filled("ed", "ff", "7f"),
    filled("ed", "ff", "ff"),
    filled("ee", "ff", "7f"),
    filled("ee", "ff", "ff"),
    `${orderEight[0]}05`,
    `${orderEight[0]}85`,
    `${orderEight[1]}7a`,
    `${orderEight[1]}fa`,
    filled("f0", "ff", "7f"),
  ].map((hex) => Buffer.from(hex, "hex"));
}

/** Bodies, as docs/transaction.cddl has them, about a validator and a proposal that nobody made. */
export function futileBodies(key: Buffer): ReadonlyMap<number, Cbor> {
  const proof = Buffer.alloc(64, 1);
  const bond = map([1, key], [2, 1_000]);
  return new Map<number, Cbor>([
    [5, map([1, key], [2, proof], [3, 500], [4, "/ip4/127.0.0.1/tcp/1"], [5, "{}"])],
    [6, map([1, key], [2, 500])],
    [7, map([1, key])],
    [8, bond],
    [9, bond],
    [10, bond],
    [11, map([1, key], [2, key], [3, proof], [4, 2], [5, 3])],
    [13, map([1, "minimumFee"], [2, 2_000], [3, 5])],
    [14, map([1, key], [2, true])],
  ]);
}
