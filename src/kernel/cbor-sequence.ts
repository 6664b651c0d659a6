/**
 * A sequence cut into its items. `damageAt` is the offset of the first item that has no end that can be found (cut off,
 * not well formed, nested too deeply); it and what follows cannot be told apart. `isTooLong`: more items than asked for.
 */
export type SplitSequence = { readonly items: readonly Uint8Array[]; readonly damageAt?: number; readonly isTooLong: boolean };

/** Levels of nesting that are followed. A transaction has two; each level costs the attacker a byte and us a number. */
const DEPTH_MAX = 16;

/**
 * Cuts a CBOR sequence (RFC 8742) at its item boundaries. Judges well-formedness alone (RFC 8949 appendix C), so that
 * one item that is not canonical spoils itself and not its neighbours; the transaction decoder judges the rest. Total:
 * any bytes get an answer, in time linear in their length and without allocating by claimed lengths.
 *
 * @param itemsMax items after which cutting stops
 * @returns views into the input
 */
export function splitCborSequence(bytes: Uint8Array, itemsMax: number): SplitSequence {
  const items: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (items.length === itemsMax) return { items, isTooLong: true };
    const end = findItemEnd(bytes, at);
    if (end === undefined) return { items, damageAt: at, isTooLong: false };
    items.push(bytes.subarray(at, end));
    at = end;
  }
  return { items, isTooLong: false };
}

/** An open array, map, tag or string of indefinite length: items still to come, or until a break. */
type OpenItem = {
  remaining: number;
  readonly isIndefinite: boolean;
  readonly chunkMajor?: number;
  isOddPair: boolean;
  readonly isMap: boolean;
};

/** Offset after the item that starts at `start`, or undefined when it has none. */
function findItemEnd(bytes: Uint8Array, start: number): number | undefined {
  const open: OpenItem[] = [];
  let at = start;
  do {
    const initial = bytes[at];
    if (initial === undefined) return undefined;
    const top = open.at(-1);
    if (initial === 0xff) {
      if (!top?.isIndefinite || top.isOddPair) return undefined;
      open.pop();
      at += 1;
      closeCompleted(open);
      continue;
    }
    const head = readHead(bytes, at, initial);
    if (head === undefined || (top?.chunkMajor !== undefined && (head.major !== top.chunkMajor || head.isIndefinite))) return undefined;
    at = head.end;
    if (top) countChild(top);
    const opened = openingOf(head);
    if (opened === "string") {
      if (head.argument > bytes.length - at) return undefined;
      at += head.argument;
    } else if (opened !== "leaf") {
      if (open.length === DEPTH_MAX) return undefined;
      open.push(opened);
    }
    closeCompleted(open);
  } while (open.length > 0);
  return at;
}

type Head = { readonly major: number; readonly argument: number; readonly isIndefinite: boolean; readonly end: number };

/** Reads the head of an item; undefined when it is cut off or not well formed. Arguments beyond 2^53 only matter by being too large. */
function readHead(bytes: Uint8Array, at: number, initial: number): Head | undefined {
  const major = initial >> 5;
  const low = initial & 31;
  if (low < 24) return { major, argument: low, isIndefinite: false, end: at + 1 };
  if (low === 31) return major >= 2 && major <= 5 ? { major, argument: 0, isIndefinite: true, end: at + 1 } : undefined;
  if (low > 27) return undefined;
  const width = 1 << (low - 24);
  const end = at + 1 + width;
  if (end > bytes.length) return undefined;
  let argument = 0;
  for (let i = at + 1; i < end; i++) argument = argument * 256 + (bytes[i] ?? 0);
  // A simple value below 32 in two bytes is the one head that is complete and yet not well formed.
  return major === 7 && width === 1 && argument < 32 ? undefined : { major, argument, isIndefinite: false, end };
}

/** What a head begins: a value that ends with it, a string of `argument` bytes, or something with items inside. */
function openingOf({ major, argument, isIndefinite }: Head): OpenItem | "leaf" | "string" {
  const inside = { isOddPair: false, isMap: major === 5, isIndefinite };
  if (isIndefinite) return major < 4 ? { ...inside, remaining: 0, chunkMajor: major } : { ...inside, remaining: 0 };
  if (major === 2 || major === 3) return "string";
  if (major === 4) return { ...inside, remaining: argument };
  if (major === 5) return { ...inside, remaining: 2 * argument };
  return major === 6 ? { ...inside, remaining: 1 } : "leaf";
}

function countChild(parent: OpenItem): void {
  if (!parent.isIndefinite) parent.remaining -= 1;
  else if (parent.isMap) parent.isOddPair = !parent.isOddPair;
}

/** Closes what has all its items; an item that closes was counted in its parent when it began. */
function closeCompleted(open: OpenItem[]): void {
  for (let top = open.at(-1); top && !top.isIndefinite && top.remaining === 0; top = open.at(-1)) open.pop();
}
