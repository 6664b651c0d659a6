import type { Terminal } from "./terminal.ts";

/** A flag of a command: takes a value, or is set by its presence. */
export type FlagSpec = {
  readonly kind: "text" | "presence";
  /** What the value stands for in the usage, e.g. FILE. */
  readonly value?: string;
  readonly doc: string;
  /** Whether it may be given more than once. */
  readonly isRepeatable?: boolean;
};

/** What a command was called with; the frame has checked flags and counts. */
export type CommandInput = {
  /** Value of a text flag given once. */
  flag(name: string): string | undefined;
  /** Every value of a repeatable flag, in order. */
  flags(name: string): readonly string[];
  /** Whether a presence flag was given. */
  has(name: string): boolean;
  readonly positionals: readonly string[];
};

/** One command of the command line. */
export type Command = {
  /** Words that call it, e.g. "genesis new". */
  readonly name: string;
  readonly summary: string;
  /** Positional arguments in the usage, e.g. "FILE". */
  readonly arguments?: string;
  readonly positionalsMin?: number;
  readonly positionalsMax?: number;
  readonly flags: Readonly<Record<string, FlagSpec>>;
  /** Runs it; returns the exit code: 0 done, 1 failed. Throws CommandFailure or UsageError for the frame to print. */
  run(input: CommandInput, terminal: Terminal): Promise<number>;
};

/** Something failed: printed as a sentence, exit code 1. Says what was expected, what came and what to do. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

/** The command was called wrongly: printed with the usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The value of a flag that the command cannot do without. */
export function required(input: CommandInput, name: string): string {
  const value = input.flag(name);
  if (value === undefined) throw new UsageError(`expected --${name}, which was not given`);
  return value;
}

/** An unsigned 64-bit amount given as text. */
export function parseAmount(text: string, name: string): bigint {
  if (!/^[0-9]{1,20}$/.test(text) || BigInt(text) >= 1n << 64n) {
    throw new UsageError(`expected ${name} as a whole number from 0 to 18446744073709551615, got ${JSON.stringify(text)}`);
  }
  return BigInt(text);
}

/** A whole number given as text, within bounds. */
export function parseCount(text: string, name: string, min: number, max: number): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`expected ${name} as a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`);
  return value;
}
