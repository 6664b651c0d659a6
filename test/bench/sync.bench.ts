/**
 * Event sync as a node feels it: the live RPO to a real aggregator on a clean and on a thin link, what a day's backlog does
 * on a thin link, bytes on the wire, idle uplink by link profile, the agent's own CPU time, and what it does to the node
 * under load. Links are relays on loopback; bytes are TCP payload, so TCP and IP headers and TLS come on top.
 * `bun test/bench/sync.bench.ts [rpo|backlog|bytes|cpu|load|idle]... [seconds]`
 */
import { Workplace } from "../e2e/support/workplace.ts";
import { BenchReport } from "./harness.ts";
import { measureAgentCost, measureBytes } from "./sync-agent-cost.ts";
import { measureBacklog } from "./sync-backlog.ts";
import { measureIdle, measureLoad, measureRpo } from "./sync-node.ts";

const words = process.argv.slice(2);
const seconds = words.map(Number).find((number) => number > 0);
const wanted = words.filter((word) => Number.isNaN(Number(word)));

const report = new BenchReport("sync");
const place = new Workplace();
const parts: Readonly<Record<string, () => Promise<void> | void>> = {
  bytes: () => measureBytes(report),
  cpu: () => measureAgentCost(report),
  backlog: () => measureBacklog(report),
  rpo: () => measureRpo(report, place, seconds ?? 60),
  load: () => measureLoad(report, place, seconds ?? 10),
  idle: () => measureIdle(report, place, seconds ?? 900),
};

try {
  for (const [name, measure] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await measure();
  report.finish();
} finally {
  await place.end();
}
