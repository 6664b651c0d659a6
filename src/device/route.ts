import { assert, err, present, type Result } from "../kernel/index.ts";
import type { AccountTerms, Carrier, ChainTerms, LookUp } from "./carrier.ts";

/** The carriers of a client, one of them in use until it disappoints. */
export class Route {
  readonly #carriers: readonly Carrier[];
  #at = 0;

  constructor(carriers: readonly Carrier[]) {
    assert(carriers.length > 0, "a client has a carrier");
    this.#carriers = carriers;
  }

  /** The carrier in use. */
  get current(): Carrier {
    return present(this.#carriers[this.#at % this.#carriers.length], "the carrier in use is one of them");
  }

  /** Goes on to the next one, unless somebody else has left this one already. */
  leave(carrier: Carrier): void {
    if (carrier === this.current) this.#at += 1;
  }

  /** Asks for the end under each of these ids: a proof before anything else, then that it is pending, then what is said of the first. */
  async lookUp(carrier: Carrier, ids: readonly Uint8Array[], waitMs: number): Promise<LookUp> {
    let first: LookUp | undefined;
    let pending: LookUp | undefined;
    for (const [place, id] of ids.entries()) {
      const look = await carrier.lookUp(id, place === 0 ? waitMs : 0);
      if (look.kind === "proof") return look;
      if (look.kind === "pending") pending = look;
      first ??= look;
    }
    return pending ?? present(first, "what is looked up has an id");
  }

  /** The same from every carrier: a proof or that it is pending, from whoever says so first. */
  async lookUpEverywhere(ids: readonly Uint8Array[]): Promise<LookUp | undefined> {
    for (const carrier of this.#carriers) {
      const look = await this.lookUp(carrier, ids, 0);
      if (look.kind === "proof" || look.kind === "pending") return look;
    }
    return undefined;
  }

  /** The chain's terms from the first carrier that has them; undefined when none has a way to ask. */
  async terms(): Promise<Result<ChainTerms, string> | undefined> {
    return this.#first((carrier) => carrier.terms?.());
  }

  /** An account's terms, likewise. */
  async account(publicKey: Uint8Array): Promise<Result<AccountTerms, string> | undefined> {
    return this.#first((carrier) => carrier.account?.(publicKey));
  }

  async #first<T>(ask: (carrier: Carrier) => Promise<Result<T, string>> | undefined): Promise<Result<T, string> | undefined> {
    const faults: string[] = [];
    for (let i = 0; i < this.#carriers.length; i++) {
      const carrier = present(this.#carriers[(this.#at + i) % this.#carriers.length], "each carrier has its turn");
      const answer = await ask(carrier);
      if (answer?.ok) return answer;
      if (answer) faults.push(`${carrier.name}: ${answer.error}`);
    }
    return faults.length === 0 ? undefined : err(faults.join("; "));
  }
}
