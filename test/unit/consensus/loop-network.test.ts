import { expect, test } from "bun:test";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import { makeMember, settleSyncs } from "./member.ts";

const { nullify } = VOTE_KIND;

test("J7: a vote cast in the turn that showed the journal lost, is never signed, and the process lives", async () => {
  const { rig, loop, fatal, sent } = makeMember();
  // A first vote occupies the sync, so that what follows waits and is taken in one turn.
  loop.onMessage(rig.peer(1), { kind: "vote", vote: rig.makeVote(1, nullify, 1) });
  for (const signer of [1, 2]) loop.onMessage(rig.peer(signer), { kind: "vote", vote: rig.makeVote(signer, nullify, 1) });
  loop.onMessage(rig.peer(3), { kind: "vote", vote: rig.makeVote(3, nullify, 1) });
  loop.onMessage(rig.peer(2), { kind: "vote", vote: rig.makeVote(2, nullify, 2) });
  loop.onMessage(rig.peer(1), { kind: "certificates", certificates: [rig.certificate([0, 1, 2], nullify, 9)] });
  await settleSyncs();
  expect(fatal).toEqual([]);
  expect(loop.status().recovery.kind).toBe("recovering");
  const own = sent.filter((message) => message.kind === "vote").map((message) => message.vote.view);
  expect(own).toEqual([1]);
});
