import { expect, test } from "bun:test";
import { Prng, present, toHex } from "../../../src/kernel/index.ts";
import { type Box, Net } from "./dissemination-world.ts";
import { idOf, transactionOf } from "./mempool-world.ts";

const ROOM = { bytes: 40_000, transactions: 60 };
const ACCOUNTS = 8;
const ROUNDS = 60;

/** A chain that boxes follow block by block; a block is made by whoever has followed all of it. */
class Chain {
  readonly blocks: (readonly Uint8Array[])[] = [];

  /** A box follows what it can and asks for what it lacks. */
  follow(box: Box): void {
    for (let next = this.blocks[box.chain.height]; next !== undefined; next = this.blocks[box.chain.height]) {
      const missing = next.filter((digest) => box.mempool.find(digest) === undefined);
      if (missing.length > 0) {
        box.dissemination.fetch(missing);
        return;
      }
      box.commit(next);
    }
  }

  /** A box at the tip makes a block of what it would propose; how many batches are in it. */
  extend(box: Box): number {
    if (box.chain.height !== this.blocks.length) return 0;
    const digests = box.mempool.select(ROOM, () => false).map(({ digest }) => digest);
    this.blocks.push(digests);
    this.follow(box);
    return digests.length;
  }
}

/** Boxes crash, lose connections and messages while they admit and make blocks; then everything heals. */
async function run(seed: number): Promise<void> {
  const prng = new Prng(seed);
  const net = new Net(4, { seed, weather: { loss: 0.1, delayMs: [1, 40] } }).start();
  const keys = net.fund(ACCOUNTS);
  const nonces = keys.map(() => 0n);
  const accepted = new Map<string, Uint8Array>();
  const chain = new Chain();
  const up = (): Box[] => net.boxes.filter((box) => box.isUp);
  for (let round = 0; round < ROUNDS; round++) {
    const box = present(up()[prng.below(up().length)], "some box is up");
    const other = net.box(prng.below(4));
    const account = prng.below(ACCOUNTS);
    switch (prng.below(8)) {
      case 0:
        if (up().length > 2) net.crash(box);
        break;
      case 1:
        if (!other.isUp) net.restart(other);
        break;
      case 2:
        if (other !== box) net.disconnect(box, other);
        break;
      case 3:
        if (other !== box && other.isUp) net.connect(box, other);
        break;
      case 4:
        chain.extend(box);
        break;
      default: {
        const transaction = transactionOf(present(keys[account], "funded"), nonces[account] ?? 0n);
        const [code] = await net.submit(box, [transaction]);
        if (code === "accepted") {
          accepted.set(toHex(idOf(transaction)), transaction);
          nonces[account] = (nonces[account] ?? 0n) + 1n;
        } else expect(["nonceTooHigh", "nonceTooLow", "duplicate"]).toContain(code ?? "");
      }
    }
    for (const each of up()) chain.follow(each);
    await net.time.advance(prng.below(200));
  }
  net.weather = { loss: 0, delayMs: [1, 10] };
  for (const box of net.boxes) if (!box.isUp) net.restart(box);
  for (const a of net.boxes) for (const b of net.boxes) if (a !== b) net.connect(a, b);
  const isDone = (): boolean =>
    net.boxes.every((box) => box.chain.height === chain.blocks.length) &&
    [...accepted.values()].every((transaction) => net.boxes.every((box) => box.chain.findExecuted(idOf(transaction)) !== undefined));
  for (let turn = 0; turn < 600 && !isDone(); turn++) {
    for (const box of net.boxes) chain.follow(box);
    chain.extend(net.box(turn % 4));
    await net.time.advance(250);
  }
  for (const box of net.boxes) chain.follow(box);
  expect(isDone()).toBe(true);
  expect(accepted.size).toBeGreaterThan(12);
  for (const box of net.boxes) {
    expect(box.mempool.stats().gauges.pendingCount).toBe(0);
    expect(box.evidence).toEqual([]);
    for (const [i, key] of keys.entries())
      expect(box.chain.nonces.get(toHex(key)) ?? []).toEqual(Array.from({ length: Number(nonces[i]) }, (_, n) => BigInt(n)));
  }
}

for (let seed = 1; seed <= 8; seed++) {
  test(`crashes, cuts and loss, seed ${seed}: what was accepted executes once on every box after healing`, () => run(seed));
}
