/** Writes the golden blocks anew: `bun test/vectors/write-staking.ts`. A change of this file is a change of format. */
import { goldenStaking } from "./staking-golden.ts";

await Bun.write(new URL("./staking.json", import.meta.url), `${JSON.stringify(goldenStaking(), null, 1)}\n`);
