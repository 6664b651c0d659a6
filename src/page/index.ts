/**
 * Floor 4. What the pages of the binary share: on this side how their files are answered, with one strict policy, and how
 * people who fail to log in are slowed down; on the browser's side (browser.ts) elements, words for figures, clocks.
 *
 * Invariants: a page runs no script and no style but its own, and asks nobody but whoever served it; text goes into a document
 * as text. Knows nothing of what a page shows.
 */
export * from "./login-attempts.ts";
export * from "./page-answer.ts";
