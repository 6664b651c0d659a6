/** States in the order of their discovery, packed, each with the one it was reached from. */
export class Visits {
  readonly #stateBytes: number;
  #states: Uint8Array;
  #from: Int32Array;
  #count = 0;

  /** @param stateBytes length of every state */
  constructor(stateBytes: number) {
    this.#stateBytes = stateBytes;
    this.#states = new Uint8Array(1_024 * stateBytes);
    this.#from = new Int32Array(1_024);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a state reached from another by its number; -1 for the first. */
  add(state: Uint8Array, from: number): void {
    if (this.#count === this.#from.length) this.#grow();
    this.#states.set(state, this.#count * this.#stateBytes);
    this.#from[this.#count++] = from;
  }

  /** The state of a number; a copy. */
  stateAt(number: number): Uint8Array {
    return this.#states.slice(number * this.#stateBytes, (number + 1) * this.#stateBytes);
  }

  /** Numbers of the states on the way to one, the first first. */
  wayTo(number: number): number[] {
    const way: number[] = [];
    for (let at = number; at >= 0; at = this.#from[at] ?? -1) way.unshift(at);
    return way;
  }

  #grow(): void {
    const states = new Uint8Array(2 * this.#states.length);
    states.set(this.#states);
    this.#states = states;
    const from = new Int32Array(2 * this.#from.length);
    from.set(this.#from);
    this.#from = from;
  }
}
