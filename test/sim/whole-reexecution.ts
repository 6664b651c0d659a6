import { bytesEqual, toHex } from "../../src/kernel/index.ts";
import { auditSupply, genesisEntries } from "../../src/ledger/index.ts";
import type { Contexts } from "../../src/node/contexts.ts";
import type { Block, Genesis, Transaction } from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";
import type { Reexecution } from "./oracle/chain-check.ts";

/** All entries are added up at every so many heights; the ledger itself asserts what each block changes. */
const AUDIT_EVERY = 8;

/**
 * Follows the chain of whole nodes from genesis on a state of its own: the shipping ledger executes each block again,
 * while uniqueness, the order of nonces and the sum of all units are checked here, by other means.
 */
export class WholeReexecution implements Reexecution {
  readonly #state: State;
  readonly #running: () => readonly Contexts[];
  readonly #executed = new Set<string>();
  readonly #nonces = new Map<string, bigint>();

  /** @param running the nodes that can be asked for blocks */
  constructor(genesis: Genesis, running: () => readonly Contexts[]) {
    this.#state = State.ofGenesis(genesis.hash, genesisEntries(genesis));
    this.#running = running;
  }

  execute({ header }: Block): string | undefined {
    const has = ({ queries }: Contexts["blocks"]): boolean =>
      queries.tipHeight >= header.height && queries.lowestHeight <= this.#state.height + 1;
    const node = this.#running().find(({ blocks }) => has(blocks));
    if (!node) return undefined; // nobody who has it runs: caught up on with the next block
    while (this.#state.height < header.height) {
      const fault = this.#next(node);
      if (fault) return fault;
    }
    return bytesEqual(this.#state.root, header.stateRoot) ? undefined : "its state root is not what execution gives";
  }

  #next({ blocks }: Contexts): string | undefined {
    const height = this.#state.height + 1;
    blocks.replay(this.#state).next();
    for (const transaction of blocks.queries.findContent(height)?.executed ?? []) {
      const fault = this.#take(transaction);
      if (fault) return fault;
    }
    if (height % AUDIT_EVERY !== 0) return undefined;
    const { balances, staked, feePot, issued, burned } = auditSupply(this.#state.entries());
    return balances + staked + feePot + burned === issued ? undefined : "units appeared or vanished";
  }

  #take({ id, sender, nonce }: Transaction): string | undefined {
    const key = toHex(id);
    if (this.#executed.has(key)) return "a transaction is executed twice";
    this.#executed.add(key);
    const account = toHex(sender);
    const next = this.#nonces.get(account) ?? 0n;
    this.#nonces.set(account, nonce + 1n);
    return nonce === next ? undefined : `nonce ${nonce} of an account executes where ${next} is next`;
  }
}
