import type { StatePort } from "../blocks/index.ts";
import { assert } from "../kernel/index.ts";
import type { EntryChange, LedgerView } from "../ledger/index.ts";
import { accountKey, type Genesis, type StateProof, SUPPLY_KEY } from "../protocol/index.ts";
import { groupByBucket } from "../state/changes.ts";
import { LayerView } from "../state/layer-view.ts";
import { Overlay } from "../state/overlay.ts";
import { proveEntry } from "../state/proofs.ts";
import { buildTree, type StateTree } from "../state/tree.ts";

/** INTERIM */
export class InterimState implements StatePort<Overlay> {
  readonly #tree: StateTree;
  height = 0;
  constructor(genesis: Genesis) {
    const issued = genesis.accounts.reduce((s, a) => s + a.balance, 0n);
    const entries: EntryChange[] = genesis.accounts.map((a) => ({
      key: accountKey(a.publicKey),
      entry: { kind: "account", nonce: 0n, balance: a.balance },
    }));
    entries.push({ key: SUPPLY_KEY, entry: { kind: "supply", issued, burned: 0n } });
    this.#tree = buildTree(entries);
  }
  get root(): Uint8Array {
    return this.#tree.root();
  }
  viewOn(overlay: Overlay | undefined): LedgerView {
    return new LayerView(overlay ?? this.#tree);
  }
  stack(below: Overlay | undefined, changes: readonly EntryChange[]): Overlay {
    return new Overlay(below ?? this.#tree, groupByBucket(changes));
  }
  fold(overlay: Overlay, height: number): void {
    assert(height === this.height + 1, "folds in order");
    overlay.foldInto(this.#tree);
    this.height = height;
  }
  prove(key: Uint8Array): StateProof {
    return proveEntry(this.#tree, key);
  }
}
