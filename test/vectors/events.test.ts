import { expect, test } from "bun:test";
import golden from "./events.json" with { type: "json" };
import { goldenEvents } from "./events-golden.ts";

const written: Readonly<Record<string, unknown>> = golden;

for (const [lane, expected] of Object.entries(goldenEvents())) {
  test(`vectors: lane ${lane}, every record's body, hash and JSON form and the checkpoint are the golden ones`, () => {
    expect(JSON.parse(JSON.stringify(expected))).toEqual(written[lane] as typeof expected);
  });
}
