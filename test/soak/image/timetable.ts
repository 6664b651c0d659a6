/** Times as they come, and all of them at the end. */
export class Timetable {
  readonly #rows: (readonly [scenario: string, what: string, seconds: string])[] = [];
  readonly #startedMs = performance.now();

  /** Notes and prints a figure that is no time, too. */
  note(scenario: string, what: string, value: string): void {
    this.#rows.push([scenario, what, value]);
    const at = ((performance.now() - this.#startedMs) / 1_000).toFixed(0).padStart(5);
    console.log(`${at} s  ${scenario}: ${what}, ${value}`);
  }

  /** Does something and notes how long it took; one that fails is noted too. */
  async time<T>(scenario: string, what: string, action: () => T | Promise<T>): Promise<T> {
    const beganMs = performance.now();
    let end = " (failed)";
    try {
      const result = await action();
      end = "";
      return result;
    } finally {
      this.note(scenario, what, `${((performance.now() - beganMs) / 1_000).toFixed(1)} s${end}`);
    }
  }

  /** The table of all of them. */
  print(): void {
    const width = Math.max(...this.#rows.map(([, what]) => what.length), 0);
    const first = Math.max(...this.#rows.map(([scenario]) => scenario.length), 0);
    for (const [scenario, what, value] of this.#rows)
      console.log(`| ${scenario.padEnd(first)} | ${what.padEnd(width)} | ${value.padStart(10)} |`);
  }
}
