import { expect, test } from "bun:test";
import { ConsensusLoop, LAN_TIMERS, type Message, type PeerId } from "../../../src/consensus/index.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { compareBytes, Prng, toHex, u64be, utf8 } from "../../../src/kernel/index.ts";
import { isConflict, type Vote } from "../../../src/protocol/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { createJournal, openJournal, VoteGuard, type VoteKey } from "../../../src/validator/index.ts";
import { ChainModel } from "../../sim/chain-model.ts";
import { StandInKeys, setOf } from "../../sim/keys.ts";
import { Schedule } from "../../sim/schedule.ts";

const START_MS = 1_700_000_000_000;

type Box = {
  readonly key: VoteKey;
  readonly id: PeerId;
  readonly chain: ChainModel;
  readonly disk: MemoryFileSystem;
  loop: ConsensusLoop | undefined;
};

/** Four boxes whose journals sync in the background and whose signers take their time; messages may be lost. */
class SlowDisks {
  readonly schedule = new Schedule();
  readonly prng: Prng;
  readonly boxes: Box[];
  /** Every vote that left a box, in any of its lives, by signer. */
  readonly votes: Vote[][] = [[], [], [], []];
  readonly fatal: unknown[] = [];
  readonly #registry = new StandInKeys();
  #batchCount = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    const keys = [0, 1, 2, 3].map((i) => this.#registry.make(`slow ${i}`)).sort((a, b) => compareBytes(a.publicKey, b.publicKey));
    const set = setOf(keys, [1n, 1n, 1n, 1n]);
    const rules = { chainId: sha256(utf8("slow disks")), genesisTimeMs: START_MS, epochBlocks: 15, setOf: () => set };
    this.boxes = keys.map((key) => {
      const disk = new MemoryFileSystem({
        prng: new Prng(this.prng.uint32()),
        afterSyncTime: (complete) => this.schedule.after(1 + this.prng.below(40), complete),
      });
      disk.makeDirectory("/home");
      disk.syncDirectory("/");
      const box: Box = { key, id: toHex(key.publicKey), chain: new ChainModel(rules), disk, loop: undefined };
      createJournal(this.#files(box), key.publicKey);
      return box;
    });
    for (const box of this.boxes) this.start(box);
  }

  start(box: Box): void {
    const { key, chain, disk } = box;
    const { life } = disk;
    chain.restart();
    const journal = openJournal(this.#files(box), { publicKey: key.publicKey });
    const guard = new VoteGuard(journal, key, chain.rules.chainId);
    const isAlive = (): boolean => disk.life === life;
    const loop = new ConsensusLoop(
      {
        blocks: chain,
        journal,
        signer: {
          publicKey: key.publicKey,
          sign: (statement, signer) => {
            const vote = guard.sign(statement, signer);
            if (vote instanceof Promise) throw new Error("stand-in keys sign at once");
            const { promise, resolve } = Promise.withResolvers<Vote>();
            this.schedule.after(this.prng.below(20), () => resolve(vote));
            return promise;
          },
        },
        network: {
          broadcast: (message) => {
            if (message.kind === "vote") this.votes[message.vote.signer]?.push(message.vote);
            for (const other of this.boxes) if (other !== box) this.#deliver(box, other, message);
          },
          send: (peer, message) => {
            const other = this.boxes.find(({ id }) => id === peer);
            if (other) this.#deliver(box, other, message);
          },
          fetchBatches: () => {},
        },
        clock: this.schedule.clock(START_MS),
        timers: this.schedule.timers(isAlive),
        onNotice: () => {},
        onFatal: (error) => {
          if (isAlive()) this.fatal.push(error);
        },
      },
      { chainId: chain.rules.chainId, suite: this.#registry.suite, profile: LAN_TIMERS, seed: this.prng.uint32() },
    );
    box.loop = loop;
    loop.start();
    for (const other of this.boxes) {
      if (other === box || !other.loop) continue;
      other.loop.onPeerDown(box.id);
      other.loop.onPeerUp(box.id);
      loop.onPeerUp(other.id);
    }
  }

  /** The power of one box fails, in the middle of whatever it does; it comes back later. */
  cutPower(box: Box): void {
    box.loop?.stop();
    box.loop = undefined;
    box.disk.crash();
    for (const other of this.boxes) other.loop?.onPeerDown(box.id);
    this.schedule.after(200 + this.prng.below(2_000), () => this.start(box));
  }

  submit(): void {
    const digest = sha256(utf8("slow batch"), u64be(this.#batchCount++));
    for (const box of this.boxes) {
      box.chain.hold(digest);
      box.loop?.onWork();
    }
  }

  /** Lets simulated time pass; promises settle between events. */
  async run(ms: number): Promise<void> {
    const end = this.schedule.nowMs + ms;
    let isOver = false;
    this.schedule.after(ms, () => {
      isOver = true;
    });
    while (!isOver && this.schedule.nowMs <= end && this.schedule.runNext()) for (let i = 0; i < 8; i++) await Promise.resolve();
  }

  #deliver(from: Box, to: Box, message: Message): void {
    if (this.prng.chance(0.03)) return;
    this.schedule.after(1 + this.prng.below(30), () => to.loop?.onMessage(from.id, message));
  }

  #files({ disk }: Box) {
    return { fs: disk, directory: "/home/journal", entropy: { bytes: (count: number) => this.prng.bytes(count) } };
  }
}

test("J1: journals that sync in the background under power cuts, no vote contradicts another and the chain goes on", async () => {
  for (const seed of [1, 2, 3]) {
    const world = new SlowDisks(seed);
    for (let at = 0; at < 30_000; at += 150) world.schedule.after(at, () => world.submit());
    for (let at = 1_000; at < 24_000; at += 2_500) {
      world.schedule.after(at + world.prng.below(1_000), () => {
        const up = world.boxes.filter(({ loop }) => loop !== undefined);
        const victim = up[world.prng.below(up.length)];
        if (victim && up.length === 4) world.cutPower(victim);
      });
    }
    await world.run(40_000);
    expect([seed, world.fatal]).toEqual([seed, []]);
    expect([seed, world.votes.flatMap(contradictions)]).toEqual([seed, []]);
    const heights = world.boxes.map(({ chain }) => chain.committed.length);
    const shortest = Math.min(...heights);
    expect(shortest).toBeGreaterThan(40);
    for (const { chain } of world.boxes) {
      expect(chain.committed.slice(0, shortest).map(({ hash }) => toHex(hash))).toEqual(
        (world.boxes[0]?.chain.committed ?? []).slice(0, shortest).map(({ hash }) => toHex(hash)),
      );
    }
  }
}, 120_000);

/** Votes of one signer that contradict an earlier one of it. */
function contradictions(votes: readonly Vote[]): Vote[] {
  const byRound = Map.groupBy(votes, ({ epoch, view }) => `${epoch}:${view}`);
  return [...byRound.values()].flatMap((round) => round.filter((vote, i) => round.slice(0, i).some((before) => isConflict(before, vote))));
}
