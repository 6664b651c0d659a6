/** Writes the golden encodings anew: `bun test/vectors/write-protocol.ts`. A change of this file is a change of format. */
import { toHex } from "../../src/kernel/index.ts";
import { goldenEncodings } from "./protocol-samples.ts";

const golden = Object.fromEntries(Object.entries(goldenEncodings).map(([name, bytes]) => [name, toHex(bytes)]));
await Bun.write(new URL("./protocol.json", import.meta.url), `${JSON.stringify(golden, null, 1)}\n`);
