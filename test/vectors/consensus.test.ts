import { expect, test } from "bun:test";
import golden from "./consensus.json" with { type: "json" };
import { goldenConsensus } from "./consensus-golden.ts";

const written: Readonly<Record<string, unknown>> = golden;

for (const [part, expected] of Object.entries(goldenConsensus())) {
  test(`vectors: ${part}, are encoded as the golden ones`, () => {
    expect(expected).toEqual(written[part]);
  });
}
