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

test("loop: a peer that floods while a sync is under way, takes nobody's place and loses no word of who is up", async () => {
  const { rig, loop, fatal } = makeMember();
  loop.onMessage(rig.peer(1), { kind: "vote", vote: rig.makeVote(1, nullify, 1) });
  const flood = { kind: "certificates", certificates: [rig.certificate([1, 2, 3], nullify, 3)] } as const;
  for (let i = 0; i < 20_000; i++) loop.onMessage(rig.peer(3), flood);
  expect(loop.waitingCount).toBeLessThanOrEqual(1_024);
  loop.onPeerDown(rig.peer(2));
  loop.onPeerUp(rig.peer(2));
  loop.onMessage(rig.peer(2), { kind: "certificates", certificates: [rig.certificate([1, 2, 3], nullify, 9)] });
  await settleSyncs();
  expect([fatal, loop.status().view, loop.status().peerCount]).toEqual([[], 10, 3]);
});

test("loop: a peer that goes down, is not listened to any more", async () => {
  const { rig, loop } = makeMember();
  loop.onMessage(rig.peer(1), { kind: "vote", vote: rig.makeVote(1, nullify, 1) });
  loop.onMessage(rig.peer(3), { kind: "certificates", certificates: [rig.certificate([1, 2, 3], nullify, 9)] });
  loop.onPeerDown(rig.peer(3));
  await settleSyncs();
  expect([loop.status().view, loop.status().peerCount, loop.waitingCount]).toEqual([1, 2, 0]);
});
