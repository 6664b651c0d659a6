/** Writes the golden blocks anew: `bun test/vectors/write-ledger.ts`. A change of this file is a change of format. */
import { goldenLedger } from "./ledger-golden.ts";

await Bun.write(new URL("./ledger.json", import.meta.url), `${JSON.stringify(goldenLedger(), null, 1)}\n`);
