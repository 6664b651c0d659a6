import type { Workplace } from "../e2e/support/workplace.ts";

/** A long trial. */
export type Soak = {
  readonly name: string;
  readonly summary: string;
  /** Flags that take a whole number. */
  readonly options: Readonly<Record<string, { readonly type: "string" }>>;
  /** Flags that take a word. */
  readonly wordOptions?: readonly string[];
  /** Runs it, printing what it measures; gives what is wrong, in sentences. */
  readonly run: (
    place: Workplace,
    numbers: Readonly<Record<string, number>>,
    words: Readonly<Record<string, string>>,
  ) => Promise<readonly string[]>;
};
