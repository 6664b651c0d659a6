import { CborReader, CborWriter } from "../kernel/index.ts";

/** How far back a node serves blocks: canonical CBOR, array [lowest height]. It proves nothing and only says whom to ask. */
export function encodeReach(lowestHeight: number): Uint8Array {
  return new CborWriter(16).array(1).uint(lowestHeight).finish();
}

/** The lowest height that a peer says it can serve; undefined when it is none. A later release may say more after it. */
export function decodeReach(bytes: Uint8Array): number | undefined {
  const r = new CborReader(bytes);
  if (r.array(1) !== 1) r.reject();
  const lowestHeight = r.uint();
  return r.isComplete ? lowestHeight : undefined;
}
