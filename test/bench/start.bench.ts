/**
 * From the start of the compiled binary to /readyz: on an empty home and on one with many blocks, stopped in good order and
 * killed. The chain is made by the real contexts with timers that do not wait, in memory-backed storage where there is
 * some. `bun test/bench/start.bench.ts [BLOCKS]`
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsensusLoop, LAN_TIMERS } from "../../src/consensus/index.ts";
import { nativeSuite } from "../../src/crypto/index.ts";
import { silentLog } from "../../src/kernel/index.ts";
import { openContexts } from "../../src/node/contexts.ts";
import { closeFiles, openFiles } from "../../src/node/files.ts";
import { openSetup, systemClock, systemTimers } from "../../src/node/index.ts";
import { systemPlatform } from "../../src/node/platform.ts";
import { VoteGuard } from "../../src/validator/index.ts";
import { makeTestnet } from "../e2e/support/bizra.ts";
import { NodeProcess } from "../e2e/support/node-process.ts";
import { BenchReport, quantile } from "./harness.ts";

const BLOCKS = Number(process.argv[2] ?? 100_000);
const STARTS = 7;
const report = new BenchReport("start");
const directory = mkdtempSync(join(tmpdir(), "bizra-start-"));
const fast = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bizra-start-"));

/** Grows the chain of a home to this height with empty blocks. */
async function growChain(home: string, height: number): Promise<void> {
  const setup = await openSetup(home, {}, () => Promise.resolve(undefined));
  const failure = Promise.withResolvers<void>();
  const files = openFiles(setup, systemPlatform, silentLog);
  const contexts = openContexts(setup, files, systemPlatform, silentLog, failure.reject);
  const { blocks, mempool, state, events, index } = contexts;
  const loop = new ConsensusLoop(
    {
      blocks,
      journal: files.journal,
      signer: new VoteGuard(files.journal, setup.validator, setup.genesis.hash),
      network: { broadcast() {}, send() {}, fetchBatches() {} },
      clock: systemClock,
      timers: systemTimers,
      onNotice() {},
      onFatal: failure.reject,
    },
    { chainId: setup.genesis.hash, suite: nativeSuite, profile: { ...LAN_TIMERS, heartbeatMs: 1, minimumBlockIntervalMs: 0 }, seed: 1 },
  );
  const grown = new Promise<void>((resolve) => {
    blocks.subscribe((outcome) => {
      state.checkpointIfDue();
      if (outcome.height >= height) resolve();
    });
  });
  loop.start();
  await Promise.race([grown, failure.promise]);
  loop.stop();
  await mempool.stop();
  await state.checkpoint();
  await index.settle();
  index.close();
  events.close();
  closeFiles(files);
}

/** Milliseconds from the start of the process to a ready node, polled every 10 ms; the node is ended each time. */
async function measure(home: string, ending: "stop" | "kill"): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const startedMs = performance.now();
    const node = await NodeProcess.start(home);
    times.push(performance.now() - startedMs);
    await node[ending]();
  }
  return times;
}

try {
  const empty = await makeTestnet(join(directory, "empty"));
  const emptyHome = empty.homes[0] as string;
  const first = performance.now();
  const node = await NodeProcess.start(emptyHome);
  report.add({ name: "first start of a home to readyz", value: performance.now() - first, unit: "ms" });
  await node.stop();
  const goal = { of: "value", is: "at most", bound: 500 } as const;
  report.add({
    name: "start to readyz, no blocks, p50",
    value: quantile(await measure(emptyHome, "stop"), 0.5),
    unit: "ms",
    goal,
    note: "polled every 10 ms",
  });
  const grownNet = await makeTestnet(join(fast, "grown"));
  const grownHome = grownNet.homes[0] as string;
  const growing = performance.now();
  await growChain(grownHome, BLOCKS);
  report.add({
    name: "empty blocks made a second",
    value: (BLOCKS * 1000) / (performance.now() - growing),
    unit: "blocks/s",
    note: "single validator, memory-backed storage",
  });
  const home = join(directory, "grown");
  cpSync(grownHome, home, { recursive: true });
  const bound = { of: "value", is: "at most", bound: 3_000 } as const;
  report.add({
    name: `start to readyz, ${BLOCKS} blocks, p50`,
    value: quantile(await measure(home, "stop"), 0.5),
    unit: "ms",
    goal: bound,
  });
  report.add({
    name: `kill -9 to readyz, ${BLOCKS} blocks, p50`,
    value: quantile((await measure(home, "kill")).slice(1), 0.5),
    unit: "ms",
    goal: bound,
  });
  report.finish();
} finally {
  rmSync(directory, { recursive: true, force: true });
  rmSync(fast, { recursive: true, force: true });
}
