import { LinkLost, type SyncCarrier, type SyncLink } from "./ports.ts";

/** One carrier, and another where the first finds no way: asked anew for each link. */
export class EitherCarrier implements SyncCarrier {
  readonly #first: SyncCarrier;
  readonly #second: SyncCarrier;

  constructor(first: SyncCarrier, second: SyncCarrier) {
    this.#first = first;
    this.#second = second;
  }

  get url(): string {
    return this.#first.url;
  }

  async open(onLost: (reason: string) => void): Promise<SyncLink> {
    try {
      return await this.#first.open(onLost);
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
      return await this.#second.open(onLost);
    }
  }
}
