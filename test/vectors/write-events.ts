/** Writes the golden event records anew: `bun test/vectors/write-events.ts`. A change of this file is a change of format. */
import { goldenEvents } from "./events-golden.ts";

await Bun.write(new URL("./events.json", import.meta.url), `${JSON.stringify(goldenEvents(), null, 1)}\n`);
