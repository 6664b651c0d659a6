/** How large a world the search explores: what it contains, and what it leaves out. */
export type Scope = {
  readonly name: string;
  /** Rules it is about. */
  readonly rules: string;
  /** Honest boxes of the four; the fourth, when there is one, is Byzantine: it has signed everything that anyone may ever need. */
  readonly honestCount: 3 | 4;
  /** Whether the last honest box loses its journal once, at any moment, chain and all. */
  readonly losesJournal: boolean;
  /** Views of the first epoch. */
  readonly views: number;
  /** Views of the second epoch; 0 to leave it out. */
  readonly nextViews: number;
  /** Height of the boundary block; 0 for none. */
  readonly epochBlocks: number;
  /** Proposals that a leader may show in a view: 2 for one that equivocates. */
  readonly proposals: 1 | 2;
};

const BASE = { honestCount: 3, losesJournal: false, nextViews: 0, epochBlocks: 0, proposals: 1 } as const;

/** Part of `npm test`. */
export const SMALL_SCOPES: readonly Scope[] = [
  { ...BASE, name: "two views, two proposals", rules: "R3, R5, R7", views: 2, proposals: 2 },
  { ...BASE, name: "boundary block first", rules: "R12", views: 3, epochBlocks: 1 },
  { ...BASE, name: "boundary block, next epoch", rules: "R12", views: 2, nextViews: 1, epochBlocks: 1 },
  { ...BASE, name: "lost journal", rules: "R14", losesJournal: true, views: 2 },
  { ...BASE, name: "lost journal, two epochs", rules: "R14", losesJournal: true, views: 1, nextViews: 2, epochBlocks: 1 },
  { ...BASE, name: "lost journal, end of the gate", rules: "R14", losesJournal: true, views: 2, nextViews: 1, epochBlocks: 2 },
];

/** Larger ones, for `npm run soak -- exhaustive`. */
export const LARGE_SCOPES: readonly Scope[] = [
  { ...BASE, name: "three views", rules: "R3, R5, R7", views: 3 },
  { ...BASE, name: "boundary block second", rules: "R12", views: 3, nextViews: 1, epochBlocks: 2 },
  { ...BASE, name: "lost journal, three views", rules: "R14", losesJournal: true, views: 3 },
  { ...BASE, name: "lost journal, four honest boxes", rules: "R14", honestCount: 4, losesJournal: true, views: 3 },
  { ...BASE, name: "lost journal, two epochs of two views", rules: "R14", losesJournal: true, views: 2, nextViews: 2, epochBlocks: 1 },
];

/** All of them. */
export const ALL_SCOPES: readonly Scope[] = [...SMALL_SCOPES, ...LARGE_SCOPES];
