import { expect, test } from "bun:test";
import { decodeMessage, encodeMessage, type Message } from "../../../src/consensus/index.ts";
import { CborWriter, Prng, present } from "../../../src/kernel/index.ts";
import { BLOCK_VERSIONS, VOTE_KIND } from "../../../src/protocol/index.ts";
import { mutate } from "../../fuzz/message-mutations.ts";
import { Rig } from "../../rules/rig.ts";
import { Cluster } from "../../sim/cluster.ts";

/** One message of every kind. */
function samples(): Message[] {
  const rig = new Rig();
  const made = rig.propose(1);
  const certificate = rig.certificate([1, 2, 3], VOTE_KIND.notarize, 1, made.proposal);
  const nullification = rig.nullification(2);
  const vote = rig.makeVote(2, VOTE_KIND.notarize, 1, made.id);
  return [
    { kind: "vote", vote },
    { kind: "vote", vote: rig.makeVote(2, VOTE_KIND.nullify, 1) },
    made.message,
    { kind: "proposal", proposal: made.proposal, block: made.block, nullifications: [nullification] },
    { kind: "certificates", certificates: [certificate, nullification] },
    { kind: "fetch", target: { kind: "certificates", epoch: 0, fromView: 1, toView: 70_000 } },
    { kind: "fetch", target: { kind: "proposal", epoch: 0, view: 1, proposalId: made.id } },
    { kind: "fetch", target: { kind: "block", hash: made.id } },
    { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 1 } },
    { kind: "block", block: made.block },
    { kind: "finalBlocks", blocks: [made.block], finalization: rig.certificate([1, 2, 3], VOTE_KIND.finalize, 1, made.proposal) },
    { kind: "hello", token: 5, height: 9, epoch: 0, floorView: 4, votes: [vote] },
    { kind: "helloAnswer", token: 5, votesOfYours: [vote] },
    { kind: "recoveryRequest", token: 9 },
    { kind: "recoveryAnswer", token: 9, isRecovering: false, highest: certificate },
    { kind: "recoveryAnswer", token: 9, isRecovering: true, opening: certificate, highest: nullification },
  ];
}

test("messages: every kind, survives its encoding", () => {
  for (const message of samples()) expect(decodeMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
});

test("messages: what only a later release has words for, is known as that and not as garbage", () => {
  const later = new CborWriter(64).array(3).uint(99).bytes(new Uint8Array(5)).text("more").finish();
  expect(decodeMessage(later)).toEqual({ ok: false, error: "unknown" });
  const kinds = new Set<string>();
  for (const message of samples()) {
    const blocks = message.kind === "finalBlocks" ? message.blocks : "block" in message ? [message.block] : [];
    const [block] = blocks;
    if (!block) continue;
    kinds.add(message.kind);
    const raised = { ...block, header: { ...block.header, version: BLOCK_VERSIONS.max + 1 } };
    const changed = message.kind === "finalBlocks" ? { ...message, blocks: [raised] } : { ...message, block: raised };
    expect(decodeMessage(encodeMessage(changed as Message))).toEqual({ ok: false, error: "unknown" });
    expect(decodeMessage(encodeMessage(changed as Message).slice(0, -1)).ok).toBe(false);
  }
  expect([...kinds].sort()).toEqual(["block", "finalBlocks", "proposal"]);
  expect(decodeMessage(new CborWriter(8).array(2).uint(1).uint(7).finish())).toEqual({ ok: false, error: "malformed" });
});

test("messages: any bytes, are refused or read back to themselves, without throwing", () => {
  const prng = new Prng(3);
  const encoded = samples().map(encodeMessage);
  let acceptedCount = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = mutated(present(encoded[i % encoded.length], "a sample"), prng);
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) continue;
    acceptedCount++;
    expect(encodeMessage(decoded.value)).toEqual(bytes);
  }
  expect(acceptedCount).toBeGreaterThan(100);
});

test("consensus: a peer that says anything at all, makes no box throw and does not stop the chain", () => {
  const cluster = new Cluster({ seed: 77, weights: [1n, 1n, 1n, 1n], epochBlocks: 12 });
  const { prng, nodes } = cluster;
  const heard: Message[] = samples();
  const overheard: Uint8Array[] = samples().map(encodeMessage);
  cluster.onDelivery = (message) => {
    if (overheard.length < 400) overheard.push(encodeMessage(message));
    heard.push(message);
    if (heard.length > 300) heard.splice(prng.below(heard.length), 1);
  };
  cluster.start();
  const hostile = present(nodes[3], "a fourth node");
  hostile.crash(false);
  for (let at = 0; at < 4_000; at += 2) {
    cluster.schedule.after(at, () => {
      const decoded = decodeMessage(mutated(present(overheard[prng.below(overheard.length)], "overheard"), prng));
      const source = overheard[prng.below(overheard.length)];
      const replayed = source && decodeMessage(source);
      const model = heard[prng.below(heard.length)];
      const changed = model && mutate(prng, model, heard);
      if (changed) nodes[prng.below(3)]?.loop?.onMessage(hostile.id, changed);
      for (const candidate of [decoded, replayed]) {
        if (candidate?.ok) nodes[prng.below(3)]?.loop?.onMessage(hostile.id, candidate.value);
      }
    });
  }
  for (let at = 0; at < 4_000; at += 100) cluster.schedule.after(at, () => cluster.spread(cluster.submit([0]), 50));
  cluster.run(6_000);
  expect(cluster.oracle.findings).toEqual([]);
  expect(cluster.failures).toEqual([]);
  expect(cluster.lowestHeight).toBeGreaterThan(10);
}, 60_000);

function mutated(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = bytes.slice(0, prng.chance(0.1) ? prng.below(bytes.length) : undefined);
  for (let k = prng.below(4); k > 0 && copy.length > 0; k--) copy[prng.below(copy.length)] = prng.below(256);
  return copy;
}
