import type { Scope } from "./scope.ts";
import { Visits } from "./visits.ts";
import { World } from "./world.ts";

/** What a search came to. */
export type SearchResult = {
  readonly scope: string;
  /** Distinct states reached, up to the names of interchangeable boxes. */
  readonly states: number;
  /** Steps taken between them. */
  readonly moves: number;
  /** Most steps from the start. */
  readonly depth: number;
  /** Situations that the real core judged. */
  readonly judged: number;
  /** Whether everything was seen; false after a violation, or when the bound on states came first. */
  readonly isComplete: boolean;
  /** The property that broke first, with a shortest way there. */
  readonly violation?: { readonly property: string; readonly way: readonly string[] };
};

/** Goes through every state that a scope can reach, nearest first, and stops at the first that breaks a property. */
export function searchScope(scope: Scope, statesMax: number): SearchResult {
  const world = new World(scope);
  const visits = new Visits(world.start().length);
  const seen = new Set([world.keyOf(world.start())]);
  visits.add(world.start(), -1);
  let moves = 0;
  let depth = 0;
  let levelEnd = 1;
  const result = (isComplete: boolean): SearchResult => ({
    scope: scope.name,
    states: visits.count,
    moves,
    depth,
    judged: world.judgedCount,
    isComplete,
  });
  for (let at = 0; at < visits.count; at++) {
    if (at === levelEnd) {
      depth++;
      levelEnd = visits.count;
    }
    const state = visits.stateAt(at);
    const property = world.violation(state);
    if (property !== undefined) return { ...result(false), violation: { property, way: tellWay(world, visits, at) } };
    if (visits.count >= statesMax) return result(false);
    for (const move of world.moves(state)) {
      moves++;
      const key = world.keyOf(move.next);
      if (seen.has(key)) continue;
      seen.add(key);
      visits.add(move.next, at);
    }
  }
  return result(true);
}

/** The moves that lead to a state, in words. */
function tellWay(world: World, visits: Visits, end: number): string[] {
  const way = visits.wayTo(end).map((number) => visits.stateAt(number));
  return way.slice(1).map((state, i) => {
    const before = way[i] as Uint8Array;
    return world.moves(before).find((move) => world.keyOf(move.next) === world.keyOf(state))?.label ?? "unknown";
  });
}
