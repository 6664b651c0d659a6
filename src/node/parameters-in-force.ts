import { parametersOf } from "../ledger/index.ts";
import type { GenesisParameters } from "../protocol/index.ts";
import type { State } from "../state/index.ts";

/**
 * The parameters in force on the finalized state: those of genesis with what votes changed. Looked up once a block,
 * since admission asks for every transaction.
 */
export class ParametersInForce {
  readonly #state: Pick<State, "height" | "finalized">;
  readonly #genesis: GenesisParameters;
  #known: { readonly height: number; readonly parameters: GenesisParameters } | undefined;

  constructor(state: Pick<State, "height" | "finalized">, genesis: GenesisParameters) {
    this.#state = state;
    this.#genesis = genesis;
  }

  /** All of them. */
  get current(): GenesisParameters {
    const { height, finalized } = this.#state;
    if (this.#known?.height !== height) this.#known = { height, parameters: parametersOf(finalized, this.#genesis) };
    return this.#known.parameters;
  }

  /** Base units every transaction pays at least. */
  get minimumFee(): bigint {
    return this.current.minimumFee;
  }

  /** How far above the tip a transaction's validUntil may lie, in blocks. */
  get maxValidity(): bigint {
    return this.current.maxValidity;
  }
}
