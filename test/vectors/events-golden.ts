import { MerkleAccumulator } from "../../src/crypto/index.ts";
import { checkpointOrigin, growTree, LANES, type Lane, recordToJson, signCheckpoint } from "../../src/events/index.ts";
import { toHex } from "../../src/kernel/index.ts";
import { identity } from "../unit/events/event-fixture.ts";
import { chainSamples } from "../unit/events/event-samples.ts";

/** A record of the golden file: its stored body, its hash, and how it is shown. */
export type GoldenRecord = { readonly body: string; readonly hash: string; readonly json: ReturnType<typeof recordToJson> };

/** What the golden file holds: for each lane a chain of every type that it takes, and the checkpoint over it. */
export function goldenEvents(): Readonly<Record<Lane, { readonly records: readonly GoldenRecord[]; readonly checkpoint: string }>> {
  const laneOf = (lane: Lane) => {
    const tree = new MerkleAccumulator();
    for (const { hash } of chainSamples[lane]) growTree(tree, hash);
    const records = chainSamples[lane].map((record) => ({
      body: toHex(record.body),
      hash: toHex(record.hash),
      json: recordToJson(record),
    }));
    return { records, checkpoint: signCheckpoint(identity, checkpointOrigin("0011aabb", "box-1", lane, 1), tree) };
  };
  return { crit: laneOf(LANES[0]), chain: laneOf(LANES[1]), ops: laneOf(LANES[2]) };
}
