import { readFileSync } from "node:fs";
import { homeOf, makeTestnet } from "./bizra.ts";
import { Chance } from "./chance.ts";
import { loadFor, makeDemoLoad } from "./demo-load.ts";
import { openServerSent } from "./event-chain.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** What an idle node did. */
export type IdleReport = {
  readonly seconds: number;
  readonly bytesWritten: number;
  /** Extrapolated from the bytes written. */
  readonly bytesPerHour: number;
  readonly blocks: number;
  readonly processorMs: number;
  readonly residentMib: number;
  readonly faults: readonly string[];
};

/** Clock ticks of /proc/PID/stat in a second. */
const TICKS_PER_SECOND = 100;

/** How an idle node is watched. */
export type IdlePlan = {
  readonly seconds: number;
  /** Time after the last transaction in which the node may finish what it began. */
  readonly settleMs: number;
  readonly words?: readonly string[];
};

/** Watches a node that has nothing to do: blocks, bytes given to the disk, processor time. */
export async function runIdleTrial(place: Workplace, { seconds, settleMs, words = [] }: IdlePlan): Promise<IdleReport> {
  const net = await makeTestnet(place.at(`idle-${seconds}`));
  const node = await place.start(homeOf(net), { words });
  const { load } = await makeDemoLoad(net, node, new Chance(1));
  await loadFor(load, node, 500);
  await load.settle(node, 90_000);
  await Bun.sleep(settleMs);
  const { head } = (await node.get("/api/v2/events?lane=chain&limit=1")) as { head: string };
  const stream = place.keep(await openServerSent(node.http, "chain", head));
  const before = figuresOf(node);
  await Bun.sleep(1_000 * seconds);
  const after = figuresOf(node);
  const faults = stream.isClosed ? ["the event stream was closed"] : [];
  const types = stream.events.map(({ type }) => type).filter((type) => type !== "block.finalized");
  if (types.length > 0) faults.push(`events other than blocks: ${types.join(", ")}`);
  stream.kill();
  const blocks = stream.events.length;
  const code = await node.stop();
  if (code !== 0) faults.push(`the stop ended with ${code}`);
  const bytesWritten = after.bytesWritten - before.bytesWritten;
  return {
    seconds,
    bytesWritten,
    bytesPerHour: Math.round((bytesWritten * 3_600) / seconds),
    blocks,
    processorMs: after.processorMs - before.processorMs,
    residentMib: Math.round(after.residentBytes / 2 ** 20),
    faults: [...load.surprises, ...faults],
  };
}

function figuresOf({ child: { pid } }: NodeProcess): { bytesWritten: number; processorMs: number; residentBytes: number } {
  const bytesWritten = Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const residentKib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return { bytesWritten, processorMs: (ticks * 1_000) / TICKS_PER_SECOND, residentBytes: residentKib * 1_024 };
}

/** The report as a line for people. */
export function describeIdleReport(report: IdleReport): string {
  const { seconds, bytesWritten, bytesPerHour, blocks, processorMs, residentMib } = report;
  return `${seconds} s idle: ${bytesWritten} bytes written (${bytesPerHour} an hour), ${blocks} blocks, ${processorMs} ms of processor time, ${residentMib} MiB resident`;
}
