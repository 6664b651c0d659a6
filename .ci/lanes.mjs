/** Several things at a time: the longest first, so that none is left over at the end, and some by themselves. */

/**
 * Does the work of every item, and resolves when all is done.
 *
 * @param {readonly string[]} items
 * @param {{ width: number, first: readonly string[], alone: readonly string[] }} plan `first` begin in this order before
 *   the rest; `alone` come last, one at a time; names that are no items are passed over
 * @param {(item: string) => Promise<void>} work must not reject
 * @returns {Promise<void>}
 */
export async function inLanes(items, { width, first, alone }, work) {
  const last = items.filter((item) => alone.includes(item));
  const early = first.filter((item) => items.includes(item) && !last.includes(item));
  const queue = [...early, ...items.filter((item) => !early.includes(item) && !last.includes(item))];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
  for (const item of last) await work(item);
}
