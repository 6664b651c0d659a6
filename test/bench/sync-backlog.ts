import { AgentWorld, CLEAR } from "../unit/sync/agent/agent-world.ts";
import { SlowAnswerer } from "../unit/sync/agent/slow-answerer.ts";
import { type BenchReport, quantile } from "./harness.ts";

const EVENTS = 200_000;
const BYTES_PER_SECOND = 8_000;

/** A box that comes back after a day: the real agent on simulated time, on 64 kbit/s and 300 ms each way, without loss. */
export async function measureBacklog(report: BenchReport): Promise<void> {
  const way = new SlowAnswerer(BYTES_PER_SECOND, 300);
  const world = new AgentWorld(1, way);
  way.time = world.bench.time;
  way.target = world.aggregator;
  world.aggregator.creditBytes = 2 * 1024 * 1024;
  world.carrier.weather = { ...CLEAR, noWay: 100 };
  world.add("chain", EVENTS);
  const agent = world.start();
  await world.pass(60_000, 10_000);
  world.carrier.weather = CLEAR;
  const ages: number[] = [];
  let seconds = 0;
  for (; seconds < 20_000 && agent.status().lanes[1]?.acknowledged !== world.log.tip("chain").sequence; seconds++) {
    if (seconds % 5 === 0) world.add("crit");
    await world.pass(1_000, 250);
    if (agent.status().isUp) ages.push((agent.status().lanes[0]?.unacknowledgedMs ?? Number.NaN) / 1_000);
  }
  const note = `${EVENTS} chain events, a crit event every 5 s, simulated time, ${world.carrier.opened} links opened`;
  report.add({ name: "backlog of a day on 64 kbit/s: drained in", value: seconds / 60, unit: "min", note });
  report.add({ name: "  share of the link used", value: (100 * way.sentBytes) / (seconds * BYTES_PER_SECOND), unit: "%" });
  report.add({ name: "  bytes of messages sent per event", value: way.sentBytes / EVENTS, unit: "bytes" });
  report.add({ name: "  live RPO of crit meanwhile, p50", value: quantile(ages, 0.5), unit: "s" });
  report.add({
    name: "  live RPO of crit meanwhile, p99",
    value: quantile(ages, 0.99),
    unit: "s",
    goal: { of: "value", is: "at most", bound: 30 },
  });
}
