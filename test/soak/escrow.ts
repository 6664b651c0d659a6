import { runEscrowTrial } from "../e2e/support/escrow-trial.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import type { Soak } from "./soak.ts";

/** A box that dies for ever while the aggregator is away: what it said last comes from its peers, whole. */
export const escrowSoak: Soak = {
  name: "escrow",
  summary: "loses a box of four while the aggregator is away and compares its vital lane (--rounds N, a new network each)",
  options: { rounds: { type: "string" } },
  run: async (_place, { rounds = 1 }) => {
    const faults: string[] = [];
    for (let round = 1; round <= rounds && faults.length === 0; round++) {
      const place = new Workplace();
      try {
        const { records, seconds, faults: found } = await runEscrowTrial(place);
        console.log(
          `escrow: round ${round}/${rounds}: ${records} vital records of the lost box, handed over ${seconds.toFixed(0)} s after the start of the aggregator`,
        );
        faults.push(...found);
      } finally {
        await place.end();
      }
    }
    return faults;
  },
};
