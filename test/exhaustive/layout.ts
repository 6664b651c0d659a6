import type { Scope } from "./scope.ts";

/**
 * A state of the world as bytes. For each honest box: its votes by slot, then the slot it is in; a slot is a view of the
 * first epoch or of the second. Then the votes that the last box cast before it lost its journal, the proposals by slot,
 * and where that box stands in its recovery.
 */
export class Layout {
  readonly slots: number;
  readonly boxBytes: number;
  readonly lostAt: number;
  readonly proposalsAt: number;
  /** 0 before the loss, 1 gated, 2 the gate has ended. */
  readonly phaseAt: number;
  readonly gateEpochAt: number;
  readonly gateViewAt: number;
  readonly floorAt: number;
  readonly size: number;

  constructor(scope: Pick<Scope, "views" | "nextViews" | "honestCount" | "proposals">) {
    this.slots = scope.views + scope.nextViews;
    this.boxBytes = this.slots + 1;
    this.lostAt = scope.honestCount * this.boxBytes;
    this.proposalsAt = this.lostAt + this.slots;
    this.phaseAt = this.proposalsAt + this.slots * scope.proposals;
    this.gateEpochAt = this.phaseAt + 1;
    this.gateViewAt = this.phaseAt + 2;
    this.floorAt = this.phaseAt + 3;
    this.size = this.phaseAt + 4;
  }
}
