/**
 * Copies `source[start..end)` to `target` at a place.
 *
 * The tree keeps tens of thousands of small arrays, which the runtime stores inline until a view of one (`subarray`,
 * `DataView`, `.buffer`) is taken: that moves it into an ArrayBuffer of its own, at ten times the cost of this copy and
 * for good. So the tree's arrays are read by index and by this call, never through views.
 */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  Buffer.prototype.copy.call(source, target, at, start, end);
}
