import type { RunEntry } from "./run-file.ts";

/** The entries of several sorted inputs in one order: by prefix, then position. */
export function* mergeEntries(inputs: readonly Iterator<RunEntry>[]): Generator<RunEntry, void, undefined> {
  const heads: { entry: RunEntry; readonly input: Iterator<RunEntry> }[] = [];
  for (const input of inputs) {
    const first = input.next();
    if (first.done !== true) heads.push({ entry: first.value, input });
  }
  while (heads.length > 0) {
    let least = 0;
    for (let at = 1; at < heads.length; at++) if (isBefore(heads[at]?.entry, heads[least]?.entry)) least = at;
    const head = heads[least];
    if (!head) return;
    yield head.entry;
    const next = head.input.next();
    if (next.done === true) heads.splice(least, 1);
    else head.entry = next.value;
  }
}

function isBefore(a: RunEntry | undefined, b: RunEntry | undefined): boolean {
  if (!a || !b) return false;
  return a.prefix < b.prefix || (a.prefix === b.prefix && a.packed < b.packed);
}
