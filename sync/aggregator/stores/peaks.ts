import { CborReader, CborWriter } from "../../../src/kernel/index.ts";

/** Roots of a tree's whole subtrees as one value for a column. */
export function encodePeaks(peaks: readonly Uint8Array[]): Uint8Array {
  const w = new CborWriter(peaks.length * 34 + 2).array(peaks.length);
  for (const peak of peaks) w.bytes(peak);
  return w.finish();
}

/** Reads what `encodePeaks` writes; undefined when it is something else. */
export function decodePeaks(encoded: Uint8Array): readonly Uint8Array[] | undefined {
  const r = new CborReader(encoded);
  const peaks = Array.from({ length: r.array(64) }, () => r.bytes(32));
  return r.isComplete ? peaks : undefined;
}
