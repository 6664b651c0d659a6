import { expect, test } from "bun:test";
import { join } from "node:path";
import { toHex } from "../../../src/kernel/index.ts";
import { signerOf } from "./world.ts";

/** A network of its own for one process: nothing but loopback, over which multicast goes. */
const ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo && exec "$0" "$@"'];

const mayIsolate = (await Bun.spawn([...ALONE, "true"], { stdout: "ignore", stderr: "ignore" }).exited.catch(() => 1)) === 0;
if (!mayIsolate) console.log("skipped: discovery on a local network needs the right to make a network namespace");

test.skipIf(!mayIsolate)(
  "network: boxes of one chain on a local network, find each other by multicast DNS and nobody else",
  async () => {
    const child = Bun.spawn([...ALONE, process.execPath, join(import.meta.dir, "discovery-process.ts")], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const [out] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    const [a, b] = [1, 2].map((seed) => toHex(signerOf(seed).publicKey));
    expect(JSON.parse(out)).toEqual({ a: [b], b: [a], other: [], absent: [] });
  },
  240_000,
);
