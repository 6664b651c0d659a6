import { assert, type Entropy } from "../../src/kernel/index.ts";

/** Letters and digits that are not taken for each other: no I, L, O and U. */
const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A code of 60 random bits for somebody to type, as `K7QM-3XVD-9H2T`. */
export function makeAdminCode(entropy: Entropy): string {
  const letters = [...entropy.bytes(12)].map((byte) => LETTERS[byte % LETTERS.length]); // 32 divides 256: no letter is likelier
  assert(letters.length === 12, "a code has twelve letters");
  return [0, 4, 8].map((at) => letters.slice(at, at + 4).join("")).join("-");
}

/** A code as somebody typed it, in the form in which it is compared: without gaps, and letters for what looks like them. */
export function normalCode(typed: string): string {
  return typed.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
}
