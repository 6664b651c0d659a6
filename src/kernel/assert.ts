/** Thrown when a stated invariant does not hold: a defect of this program, never a verdict on outside input. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/**
 * Checks an invariant. Stays on in production: a broken invariant stops the process, it is not logged and ignored.
 *
 * @param condition what must hold
 * @param invariant the invariant as a positive sentence, e.g. "the floor never moves back"
 * @throws InvariantViolation when the condition is false
 */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new InvariantViolation(invariant);
}

/**
 * Marks code that the types prove unreachable, e.g. after an exhaustive switch.
 *
 * @throws InvariantViolation always
 */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable value ${JSON.stringify(value, bigintAsText)}`);
}

/** JSON has no bigint and its serialiser throws on one, which would hide the invariant. */
function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

/**
 * Returns a value that an invariant says is present.
 *
 * @throws InvariantViolation when it is null or undefined
 */
export function present<T>(value: T | null | undefined, invariant: string): T {
  if (value === null || value === undefined) throw new InvariantViolation(invariant);
  return value;
}
