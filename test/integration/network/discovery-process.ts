/**
 * Two members that know nothing of each other but the local network, and one of another chain, in a process of their own, which
 * a test starts where the local network is nobody else's. Prints whom each of the two found, as JSON.
 */
import { startMember, until, validatorsOf } from "./world.ts";

const validators = validatorsOf(1, 2);
const options = { discovery: {}, listen: { host: "127.0.0.1", port: 0 } };
const a = await startMember({ seed: 1, validators, options });
const other = await startMember({ seed: 3, validators: validatorsOf(3), options: { ...options, chainId: new Uint8Array(32).fill(9) } });
const b = await startMember({ seed: 2, validators, options });
await until("they find each other", () => a.up.length === 1 && b.up.length === 1);
process.stdout.write(JSON.stringify({ a: a.up, b: b.up, other: other.up, absent: a.network.absentPeers() }));
process.exit(0);
