import { toHex } from "../kernel/index.ts";
import type { PeerId } from "./messages.ts";
import type { CoreState, Want } from "./state.ts";

/** Says that something is missing; asked for until a step no longer says so (R9d). */
export function want(core: CoreState, target: Want, hint?: PeerId): void {
  core.wants.set(wantKey(target), hint === undefined ? { target } : { target, hint });
}

/** One name for one missing thing. */
export function wantKey(target: Want): string {
  switch (target.kind) {
    case "certificates":
      return `certificates:${target.epoch}:${target.fromView}:${target.toView}`;
    case "proposal":
      return `proposal:${target.epoch}:${target.view}:${toHex(target.proposalId)}`;
    case "block":
      return `block:${toHex(target.hash)}`;
    case "finalBlocks":
      return `finalBlocks:${target.fromHeight}`;
    case "batches":
      return `batches:${toHex(target.blockHash)}`;
  }
}
