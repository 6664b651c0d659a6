import { expect, test } from "bun:test";
import {
  type BlockPort,
  ConsensusLoop,
  type JournalPort,
  type JournalRecord,
  LAN_TIMERS,
  type Message,
  type NetworkPort,
} from "../../../src/consensus/index.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { u64be, utf8 } from "../../../src/kernel/index.ts";
import { BLOCK_VERSIONS, type Vote, type VoteStatement, voteSignBytes } from "../../../src/protocol/index.ts";
import { ChainModel } from "../../sim/chain-model.ts";
import { StandInKeys, setOf } from "../../sim/keys.ts";
import { Schedule } from "../../sim/schedule.ts";

/** A loop whose ports write down what is asked of them. */
function makeLoop(
  options: {
    readonly syncs?: "blocking" | "background";
    readonly failing?: string;
    readonly isSlowSigner?: boolean;
    /** Height from which blocks are of a version that is not known. */
    readonly unknownFrom?: number;
  } = {},
) {
  const registry = new StandInKeys();
  const key = registry.make("only");
  const set = setOf([key], [1n]);
  const chainId = sha256(utf8("a chain for the loop"));
  const chain = new ChainModel({ chainId, genesisTimeMs: 1_000, epochBlocks: 30, setOf: () => set });
  const schedule = new Schedule();
  const trace: string[] = [];
  const fatal: unknown[] = [];
  const waiting: (() => void)[] = [];
  const doing = (name: string): void => {
    trace.push(name);
    if (options.failing === name) throw new Error(`${name} failed`);
  };
  const journal: JournalPort = {
    replay: () => ({ kind: "intact", floor: { epoch: 0, view: 0 }, recovery: { kind: "intact" }, records: [] }),
    append: (record: JournalRecord) => doing(`append ${record.kind}`),
    sync: () => {
      doing("sync");
      if (options.syncs !== "background") return undefined;
      return new Promise((resolve) => waiting.push(resolve));
    },
    prune: () => doing("prune"),
  };
  const vote = (statement: VoteStatement, signer: number): Vote => {
    doing("sign");
    const signature = key.sign(voteSignBytes(chainId, statement));
    if (signature instanceof Promise) throw new Error("stand-in keys sign at once");
    return { ...statement, signer, signature };
  };
  const sent: Message[] = [];
  const network: NetworkPort = {
    broadcast: (message) => {
      sent.push(message);
      trace.push(`broadcast ${message.kind}`);
    },
    send: (_to, message) => sent.push(message),
    fetchBatches: () => trace.push("fetchBatches"),
  };
  const blocks: BlockPort = new Proxy(chain, {
    get: (target, property) => {
      if (property === "commit") doing("commit");
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const loop = new ConsensusLoop(
    {
      blocks,
      journal,
      signer: { publicKey: key.publicKey, sign: (s, i) => (options.isSlowSigner ? Promise.resolve().then(() => vote(s, i)) : vote(s, i)) },
      network,
      clock: schedule.clock(2_000),
      timers: schedule.timers(() => true),
      onNotice: () => {},
      onFatal: (error) => fatal.push(error),
    },
    {
      chainId,
      suite: registry.suite,
      profile: LAN_TIMERS,
      seed: 1,
      nextBlockVersion: () => (chain.tip().height + 1 < (options.unknownFrom ?? Number.POSITIVE_INFINITY) ? 1 : BLOCK_VERSIONS.max + 1),
    },
  );
  let count = 0;
  const submit = (): void => {
    chain.hold(sha256(u64be(count++)));
    loop.onWork();
  };
  return { loop, chain, schedule, trace, fatal, waiting, sent, submit };
}

test("loop: one block of a single validator, journals, syncs, signs and commits in that order", () => {
  const { loop, trace, submit } = makeLoop();
  loop.start();
  submit();
  expect(trace).toEqual([
    "append proposal",
    "append vote",
    "sync",
    "sign",
    "broadcast vote",
    "append certificate",
    "append vote",
    "sync",
    "sign",
    "broadcast vote",
    "commit",
    "prune",
  ]);
});

test("loop: blocks follow that this release does not know, ends after the commit before them and touches nothing more", () => {
  const { loop, chain, schedule, trace, fatal, submit } = makeLoop({ unknownFrom: 2 });
  loop.start();
  submit();
  expect(trace.at(-1)).toBe("commit");
  const before = trace.length;
  submit();
  loop.onPeerUp("some peer");
  schedule.runUntil(schedule.nowMs + 200_000);
  expect([trace.length, chain.committed.length, fatal]).toEqual([before, 1, []]);
  expect(loop.status()).toMatchObject({ voting: "outdated", height: 0, isLagging: false });
});

test("loop: started where blocks follow that this release does not know, never begins", () => {
  const { loop, trace, submit } = makeLoop({ unknownFrom: 1 });
  loop.start();
  submit();
  expect([trace, loop.standing().voting]).toEqual([[], "outdated"]);
});

test("loop: while a background sync runs, nothing is signed and inputs wait", async () => {
  const { loop, chain, trace, waiting, submit } = makeLoop({ syncs: "background" });
  loop.start();
  submit();
  expect(trace.at(-1)).toBe("sync");
  submit();
  loop.onBatchesHeld();
  expect(trace.at(-1)).toBe("sync");
  waiting.shift()?.();
  await Promise.resolve();
  await Promise.resolve();
  expect(trace).toContain("sign");
  waiting.shift()?.();
  await Promise.resolve();
  await Promise.resolve();
  expect(chain.committed).toHaveLength(1);
});

test("loop: a signer that takes its time, is waited for without blocking", async () => {
  const { loop, chain, submit } = makeLoop({ isSlowSigner: true });
  loop.start();
  submit();
  expect(chain.committed).toHaveLength(0);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  expect(chain.committed).toHaveLength(1);
});

test("loop: any durable port that fails, ends everything once and nothing is signed after", () => {
  for (const failing of ["append vote", "sync", "sign", "commit", "prune"]) {
    const { loop, trace, fatal, schedule, submit } = makeLoop({ failing });
    loop.start();
    submit();
    expect([failing, fatal.length]).toEqual([failing, 1]);
    const length = trace.length;
    submit();
    schedule.runUntil(200_000);
    expect([failing, trace.length]).toEqual([failing, length]);
  }
});

test("loop: stopped, reacts to nothing", () => {
  const { loop, trace, schedule, submit } = makeLoop();
  loop.start();
  loop.stop();
  submit();
  schedule.runUntil(200_000);
  expect(trace).toEqual([]);
});

test("loop: under load, makes a block each minimum interval, and idle sleeps until the heartbeat", () => {
  const { loop, chain, schedule, submit } = makeLoop();
  loop.start();
  for (let at = 0; at < 2_000; at += 10) schedule.after(at, submit);
  schedule.runUntil(1_999);
  expect(chain.committed.length).toBeGreaterThanOrEqual(19);
  expect(chain.committed.length).toBeLessThanOrEqual(21);
  schedule.runUntil(10_000);
  const { length } = chain.committed;
  schedule.runUntil(60_000);
  expect(chain.committed).toHaveLength(length);
  schedule.runUntil(70_000);
  expect(chain.committed).toHaveLength(length + 1);
});

test("loop: a run of final blocks without a finalization of its own, is never sent beyond what a message holds", () => {
  const { loop, chain, sent, submit } = makeLoop();
  loop.start();
  submit();
  const found = chain.findFinalized(1);
  if (!found) throw new Error("a block was committed");
  const other = { ...found.finalization, proposal: { epoch: 0, view: 1, parentView: 0, blockHash: new Uint8Array(32) } };
  const block = { ...found.block, batchDigests: Array.from({ length: 1_024 }, () => new Uint8Array(32)) };
  let asked = 0;
  chain.findFinalized = () => {
    asked++;
    return { block, hash: found.hash, finalization: other, transactionCount: 0 };
  };
  loop.onPeerUp("someone");
  loop.onMessage("someone", { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 1 } });
  expect(asked).toBeGreaterThan(10);
  expect(asked).toBeLessThan(64);
  expect(sent.filter(({ kind }) => kind === "finalBlocks")).toEqual([]);
});

test("loop: final blocks with many transactions, sent in runs that a node which catches up can hold", () => {
  const { loop, chain, sent, submit } = makeLoop();
  loop.start();
  submit();
  const found = chain.findFinalized(1);
  if (!found) throw new Error("a block was committed");
  for (const [transactionCount, expected] of [
    [5_000, 3],
    [100_000, 1],
  ] as const) {
    sent.splice(0);
    chain.findFinalized = () => ({ ...found, transactionCount });
    loop.onPeerUp("someone");
    loop.onMessage("someone", { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 1 } });
    expect(sent.flatMap((message) => (message.kind === "finalBlocks" ? [message.blocks.length] : []))).toEqual([expected]);
  }
});

test("loop: an epoch's last block, opens the next epoch and the chain goes on", () => {
  const { loop, chain, schedule, submit } = makeLoop();
  loop.start();
  for (let at = 0; at < 5_000; at += 100) schedule.after(at, submit);
  schedule.runUntil(5_000);
  expect(chain.committed.length).toBeGreaterThan(40);
  expect(loop.status().epoch).toBe(1);
});
