/** Longest line that is kept whole. */
const LINE_LENGTH_MAX = 2_000;

/** The last lines of something that prints, for whoever asks what went wrong. Bounded in lines and in their length. */
export class RecentLines {
  readonly #lines: string[] = [];
  readonly #linesMax: number;
  #rest = "";

  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  /** Takes a piece of output as it comes. */
  add(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = (parts.pop() ?? "").slice(0, LINE_LENGTH_MAX);
    for (const part of parts) if (part !== "") this.#lines.push(part.slice(0, LINE_LENGTH_MAX));
    if (this.#lines.length > this.#linesMax) this.#lines.splice(0, this.#lines.length - this.#linesMax);
  }

  /** What is kept, oldest first. */
  get lines(): readonly string[] {
    return [...this.#lines];
  }
}
