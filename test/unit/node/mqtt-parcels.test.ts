import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Ending, ItemOutcome } from "../../../appliance/broker/index.ts";
import { packEndings, packGroups, packOutcomes, unpackEndings, unpackGroups, unpackOutcomes } from "../../../src/node/mqtt/parcels.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const natural = fc.nat({ max: 1_000_000 });

const accepted = id.map((value): ItemOutcome => ({ status: "accepted", id: value }));
const rejected = fc.tuple(fc.option(id, { nil: undefined }), fc.option(natural, { nil: undefined }), fc.string()).map(
  ([value, retryAfterMs, detail]): ItemOutcome => ({
    status: "rejected",
    code: "quotaExceeded",
    detail,
    ...(value ? { id: value } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }),
);
const ending = fc.oneof(
  fc.tuple(id, fc.constantFrom("expired", "superseded")).map(([value, status]): Ending => ({ id: value, status })),
  fc
    .tuple(id, natural, natural, fc.string(), fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined }))
    .map(
      ([value, height, index, code, proof]): Ending => ({ id: value, status: "final", height, index, code, ...(proof ? { proof } : {}) }),
    ),
);

test("parcels: groups, outcomes and endings, the same on the other side of a thread", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ items: fc.array(bytes), source: fc.string() })),
      fc.array(fc.array(fc.oneof(accepted, rejected))),
      fc.array(ending),
      (groups, outcomes, endings) => {
        const counts = outcomes.map(({ length }) => length);
        expect(unpackGroups(structuredClone(packGroups(groups)))).toEqual(groups);
        expect(unpackOutcomes(structuredClone(packOutcomes(outcomes)), counts)).toEqual(outcomes);
        expect(unpackEndings(structuredClone(packEndings(endings)))).toEqual(endings);
      },
    ),
    { numRuns: 300 },
  );
});
