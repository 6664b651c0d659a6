import type { Message, TimerProfile } from "../../../src/consensus/index.ts";
import type { SimNode } from "../sim-node.ts";
import type { Judge } from "./judge.ts";

/** Bytes that one answer may cost beyond what the budget foresaw for it: estimates, certificates sent unasked. */
const SLACK_BYTES_PER_SECOND = 4 * 1024;
const BUDGET_SECONDS = 4;

/** What goes over the wires: answers inside their budget (R9), timers below their caps. */
export class TrafficCheck {
  readonly #judge: Judge;
  readonly #answered = new Map<string, number>();

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  /** A message is about to leave. */
  onSent(node: SimNode, to: string, message: Message, bytes: number): void {
    if (message.kind !== "certificates" && message.kind !== "block" && message.kind !== "finalBlocks") return;
    const key = `${node.name}>${to}`;
    this.#answered.set(key, (this.#answered.get(key) ?? 0) + bytes);
  }

  /** Compares with the budgets; each connection begins with a full one. */
  conclude(nodes: readonly SimNode[], elapsedMs: number, profile: TimerProfile): void {
    const startsOf = new Map(nodes.map((node) => [node.id, node.startCount]));
    for (const node of nodes) {
      for (const other of nodes) {
        const bytes = this.#answered.get(`${node.name}>${other.id}`) ?? 0;
        const connections = node.startCount + (startsOf.get(other.id) ?? 0);
        const perSecond = profile.answerBytesPerSecond;
        const budget = perSecond * BUDGET_SECONDS * connections + ((perSecond + SLACK_BYTES_PER_SECOND) * elapsedMs) / 1_000;
        if (bytes > budget)
          this.#judge.find("egress", `${node.name}: sent ${bytes} bytes of answers to ${other.name}, its budget was ${Math.floor(budget)}`);
      }
      const capMs = Math.max(profile.heartbeatMs, profile.deadlineCapMs) + 1;
      if (node.host.longestTimerMs > capMs)
        this.#judge.find("timer", `${node.name}: asked for a timer of ${Math.round(node.host.longestTimerMs)} ms, the cap is ${capMs}`);
    }
  }
}
