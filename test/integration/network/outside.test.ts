import { expect, test } from "bun:test";
import { join } from "node:path";
import { EXPECTED_VIEW, OUTSIDE_PEERS, seenBy } from "./outside-peers.ts";

test("network: stock js-libp2p under Node, dials, identifies, pings and fetches a final block and a proof", async () => {
  const { protocols, ...view } = await seenBy(["node", join(OUTSIDE_PEERS, "node.mjs")]);
  expect(view).toMatchObject(EXPECTED_VIEW);
  for (const protocol of ["/bizra/1/final", "/bizra/1/proof", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"]) expect(protocols).toContain(protocol);
}, 240_000);
