import { assert, type CborReader, type CborWriter } from "../kernel/index.ts";

/**
 * Writes ascending positions as an array of alternating gaps and run lengths, which is two small integers for the usual
 * shapes (none, all, one stretch).
 */
export function writeRuns(w: CborWriter, positions: readonly number[]): void {
  const parts: number[] = [];
  let next = 0;
  for (let at = 0; at < positions.length; ) {
    const start = positions[at] as number;
    assert(start >= next, "positions ascend without repeats");
    let length = 1;
    while (at + length < positions.length && positions[at + length] === start + length) length++;
    parts.push(start - next, length);
    next = start + length;
    at += length;
  }
  w.array(parts.length);
  for (const part of parts) w.uint(part);
}

/** Reads what `writeRuns` writes; positions lie below `bound`. */
export function readRuns(r: CborReader, bound: number): number[] {
  const parts = r.array(2 * bound);
  if (parts % 2 !== 0) r.reject();
  const positions: number[] = [];
  let next = 0;
  for (let part = 0; part < parts && !r.isBroken; part += 2) {
    const gap = r.uint(bound);
    const length = r.uint(bound);
    if (length === 0 || (gap === 0 && part > 0) || next + gap + length > bound) {
      r.reject();
      break;
    }
    for (let i = 0; i < length; i++) positions.push(next + gap + i);
    next += gap + length;
  }
  return positions;
}
