import { ed25519 } from "@noble/curves/ed25519.js";

/** A point of the curve in noble's arithmetic. */
export type CurvePoint = InstanceType<typeof ed25519.Point>;

/** The point that a canonical 32-byte encoding names, or undefined when it names none. */
export function decodePoint(encoded: Uint8Array): CurvePoint | undefined {
  try {
    return ed25519.Point.fromBytes(encoded);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError) throw error; // noble reports a bad point as a plain Error
    return undefined;
  }
}
