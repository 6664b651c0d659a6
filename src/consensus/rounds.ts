/**
 * A place in the agreement's order: views restart at 1 in each epoch, so rounds compare by epoch first. View 0 stands
 * for genesis or for the boundary block that opened the epoch.
 *
 * @see consensus Types
 */
export type Round = { readonly epoch: number; readonly view: number };

/** Orders rounds by epoch, then view: negative, zero or positive. */
export function compareRounds(a: Round, b: Round): number {
  return a.epoch - b.epoch || a.view - b.view;
}

/** The later of two rounds. */
export function laterRound(a: Round, b: Round): Round {
  return compareRounds(a, b) >= 0 ? a : b;
}
