import { Fifo } from "../session/fifo.ts";

type Entry = { send: (() => void) | undefined };

/**
 * The answers that a connection owes, sent in the order in which what they answer came, whenever each becomes ready.
 *
 * @see MQTT-4.6.0-2, MQTT-4.6.0-3
 */
export class Acknowledgements {
  readonly #entries = new Fifo<Entry>();

  /** Answers owed. */
  get length(): number {
    return this.#entries.length;
  }

  /** Takes the next place; the result is called once, with how the answer is sent when its turn comes. */
  open(): (send: () => void) => void {
    const entry: Entry = { send: undefined };
    this.#entries.push(entry);
    return (send) => {
      entry.send = send;
      this.#sendReady();
    };
  }

  #sendReady(): void {
    for (let head = this.#entries.peek(); head?.send !== undefined; head = this.#entries.peek()) {
      this.#entries.shift();
      head.send();
    }
  }
}
