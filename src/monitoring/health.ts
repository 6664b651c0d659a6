import { assert } from "../kernel/index.ts";

/**
 * The questions an orchestrator asks: does the process work at all (else restart it), may it serve (else route around
 * it), has it finished starting (else wait).
 */
export type HealthGate = "live" | "ready" | "startup";

/** What one check found; a failure says why in a sentence. */
export type HealthVerdict = { readonly isOk: true } | { readonly isOk: false; readonly reason: string };

/** A named question with the gates it counts for. Cheap and synchronous: it reads fields, never a disk. */
export type HealthCheck = { readonly name: string; readonly gates: readonly HealthGate[]; readonly check: () => HealthVerdict };

/** The answer at one gate. */
export type HealthReport = {
  readonly isOk: boolean;
  readonly checks: readonly { readonly name: string; readonly isOk: boolean; readonly reason?: string }[];
};

/** The checks of one process. A gate is open when each of its checks holds; once started, a process stays started. */
export class HealthModel {
  readonly #checks: HealthCheck[] = [];
  #hasStarted = false;

  /** Adds a check; names are unique, in lower-case words joined by `-`. */
  add(check: HealthCheck): void {
    assert(/^[a-z][a-z0-9-]*$/.test(check.name), "a health check has a name in lower-case words");
    assert(!this.#checks.some((known) => known.name === check.name), `the health check ${check.name} is added once`);
    this.#checks.push(check);
  }

  /** Runs the checks of a gate. */
  report(gate: HealthGate): HealthReport {
    const checks = this.#checks.filter((check) => check.gates.includes(gate)).map(runCheck);
    const isOk = checks.every((check) => check.isOk);
    if (gate !== "startup") return { isOk, checks };
    this.#hasStarted ||= isOk;
    return { isOk: this.#hasStarted, checks };
  }
}

function runCheck({ name, check }: HealthCheck): HealthReport["checks"][number] {
  const verdict = check();
  return verdict.isOk ? { name, isOk: true } : { name, isOk: false, reason: verdict.reason };
}
