/** A machine that is emulated on two busy cores takes minutes for what takes seconds; only what never comes meets this. */
export const START_LIMIT_MS = 1_500_000;
