/** Writes the golden encodings anew: `bun test/vectors/write-consensus.ts`. A change of this file is a change of format. */
import { goldenConsensus } from "./consensus-golden.ts";

await Bun.write(new URL("./consensus.json", import.meta.url), `${JSON.stringify(goldenConsensus(), null, 1)}\n`);
