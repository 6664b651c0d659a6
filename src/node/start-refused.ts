/**
 * The node cannot start, or cannot go on, for a reason that a person can mend. The message is a sentence: what, where,
 * and what to do.
 */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
}
