import { describe, expect, test } from "bun:test";
import { toHex } from "../../../src/kernel/index.ts";
import { blockVersionOf, isFeatureOn, nextBlockVersionOf, parametersOf } from "../../../src/ledger/index.ts";
import { LIMITS, type TransactionBody } from "../../../src/protocol/index.ts";
import { keyOf } from "./ledger-fixture.ts";
import { boxOf, StakingWorld, setOf } from "./staking-fixture.ts";

/** Five of them are exactly a quorum, two exactly the tolerated weight. */
const seven = { a: 1n, b: 1n, c: 1n, d: 1n, e: 1n, f: 1n, g: 1n };
const world = () => new StakingWorld(seven, { alice: 1_000n });
const propose = (key: string, value: bigint, activationEpoch = 5): TransactionBody => ({ type: 13, key, value, activationEpoch });
const vote = (proposal: Uint8Array, isApproval = true): TransactionBody => ({ type: 14, proposal, isApproval });

/** Proposes by `a` and approves by the next ones until a quorum of five has. */
function approve(w: StakingWorld, key: string, value: bigint, activationEpoch = 5): Uint8Array {
  const { id } = w.do("a", propose(key, value, activationEpoch));
  for (const name of ["b", "c", "d", "e"]) w.do(name, vote(id));
  return id;
}

describe("parameters by vote", () => {
  test("vote: proposing counts as approval, a quorum of the weight decides, the value waits for its epoch", () => {
    const w = world();
    const { id, effects } = w.do("a", propose("minimumFee", 25n));
    expect(effects).toEqual([{ kind: "parameterProposed", proposal: id, name: "minimumFee", value: 25n, activationEpoch: 5 }]);
    for (const name of ["b", "c", "d"]) {
      expect(w.do(name, vote(id)).effects).toEqual([{ kind: "parameterVoted", proposal: id, voter: keyOf(name), isApproval: true }]);
    }
    expect(w.do("e", vote(id)).effects.at(-1)).toEqual({ kind: "parameterDecided", proposal: id, isApproved: true });
    expect(w.votes()).toMatchObject({ values: [], pending: [{ name: "minimumFee", value: 25n, activationEpoch: 5 }], openProposals: [] });
    expect(w.code("f", vote(id))).toBe("notRegistered");
    w.turnEpoch(4);
    expect(parametersOf(w.state, w.parameters).minimumFee).toBe(10n);
    w.turnEpoch(5);
    expect(parametersOf(w.state, w.parameters)).toEqual({ ...w.parameters, minimumFee: 25n });
    expect(w.votes()).toMatchObject({ values: [{ name: "minimumFee", value: 25n }], pending: [] });
  });

  test("vote: more than the tolerated weight against it, the proposal ends at once", () => {
    const w = world();
    const { id } = w.do("a", propose("epochBlocks", 1_000n));
    w.do("b", vote(id, false));
    expect(w.do("c", vote(id, false)).effects.length).toBe(1);
    expect(w.do("d", vote(id, false)).effects.at(-1)).toEqual({ kind: "parameterDecided", proposal: id, isApproved: false });
    expect(w.votes()).toMatchObject({ pending: [], openProposals: [] });
  });

  test("vote: changed while it is open, counted once; the same again, alreadyVoted; by a stranger, notAuthorized", () => {
    const w = world();
    const { id } = w.do("a", propose("epochBlocks", 1_000n));
    expect(w.code("a", vote(id))).toBe("alreadyVoted");
    expect(w.code("alice", vote(id))).toBe("notAuthorized");
    expect(w.code("b", vote(id, false))).toBe("applied");
    expect(w.code("b", vote(id))).toBe("applied");
    expect(w.proposal(id)).toMatchObject({ rejections: [] });
    expect(w.proposal(id)?.approvals.length).toBe(2);
  });

  test("propose: no parameter, a value out of bounds, a past or far epoch, a stranger, each its own code", () => {
    const w = world();
    expect(w.code("a", propose("feePolicy", 1n))).toBe("invalidParameter");
    expect(w.code("a", propose("constructor", 1n))).toBe("invalidParameter");
    expect(w.code("a", propose("feature.", 1n))).toBe("invalidParameter");
    expect(w.code("a", propose("epochBlocks", 7n))).toBe("invalidParameter");
    expect(w.code("a", propose("slashPerMyriad", 10_000n))).toBe("invalidParameter");
    expect(w.code("a", propose("feature.x", 2n))).toBe("invalidParameter");
    expect(w.code("a", propose("epochBlocks", 8n, 3))).toBe("wrongEpoch");
    expect(w.code("a", propose("epochBlocks", 8n, 3 + LIMITS.epochsAheadMax + 1))).toBe("wrongEpoch");
    expect(w.code("alice", propose("epochBlocks", 8n))).toBe("notAuthorized");
  });

  test("propose: a block version, only the next one and only on; in force from its epoch on", () => {
    const w = world();
    for (const [name, value] of [
      ["feature.block-1", 1n],
      ["feature.block-3", 1n],
      ["feature.block-2", 0n],
    ] as const)
      expect([name, w.code("a", propose(name, value))]).toEqual([name, "invalidParameter"]);
    approve(w, "feature.block-2", 1n);
    expect(nextBlockVersionOf(w.state)).toEqual({ version: 2, epoch: 5 });
    w.turnEpoch(4);
    expect(blockVersionOf(w.state)).toBe(1);
    w.turnEpoch(5);
    expect([blockVersionOf(w.state), nextBlockVersionOf(w.state)]).toEqual([2, undefined]);
    expect(w.code("a", propose("feature.block-2", 0n, 9))).toBe("invalidParameter");
    expect(w.code("a", propose("feature.block-2", 1n, 9))).toBe("invalidParameter");
    expect(w.code("a", propose("feature.block-3", 1n, 9))).toBe("applied");
  });

  test("epoch: open proposals whose epoch begins, gone without a decision", () => {
    const w = world();
    const { id } = w.do("a", propose("epochBlocks", 1_000n, 4));
    const later = w.do("a", propose("epochBlocks", 2_000n, 9)).id;
    w.turnEpoch(4);
    expect(w.proposal(id)).toBeUndefined();
    expect(w.votes().openProposals.map(toHex)).toEqual([toHex(later)]);
    expect(w.code("b", vote(id))).toBe("notRegistered");
  });

  test("feature flags: off, on by vote from their epoch, and off again without a trace", () => {
    const w = world();
    expect(isFeatureOn(w.state, "fast-sync")).toBe(false);
    approve(w, "feature.fast-sync", 1n);
    approve(w, "feature.another", 1n);
    w.turnEpoch(5);
    expect(isFeatureOn(w.state, "fast-sync")).toBe(true);
    expect(w.votes().values.map(({ name }) => name)).toEqual(["feature.another", "feature.fast-sync"]);
    approve(w, "feature.fast-sync", 0n, 6);
    approve(w, "feature.another", 0n, 6);
    w.turnEpoch(6);
    expect(isFeatureOn(w.state, "fast-sync")).toBe(false);
    expect(w.votes().values).toEqual([]);
  });

  test("vote: a value voted back to that of genesis, kept no more; of two for one epoch, the last approved holds", () => {
    const w = world();
    approve(w, "minimumFee", 25n);
    approve(w, "minimumFee", 30n);
    w.turnEpoch(5);
    expect(w.votes().values).toEqual([{ name: "minimumFee", value: 30n }]);
    approve(w, "minimumFee", 10n, 6);
    w.turnEpoch(6);
    expect(w.votes().values).toEqual([]);
    expect(parametersOf(w.state, w.parameters)).toEqual(w.parameters);
  });

  test("open proposals: a member has its share of the places and no more", () => {
    const w = world();
    const codes = Array.from({ length: 10 }, (_, i) => w.code("a", propose("minimumFee", BigInt(i))));
    expect(codes.filter((code) => code === "applied").length).toBe(Math.floor(LIMITS.openProposalsMax / 7));
    expect(codes.at(-1)).toBe("limitReached");
    expect(w.code("b", propose("minimumFee", 1n))).toBe("applied");
  });

  test("vote: in a set of one, its owner decides alone", () => {
    const w = new StakingWorld({ a: 100n });
    expect(w.do("a", propose("minimumFee", 1n)).effects.at(-1)).toMatchObject({ kind: "parameterDecided", isApproved: true });
  });

  test("vote: by an owner of several members, counts for all of them at once", () => {
    const w = new StakingWorld(seven);
    w.validatorSet = setOf(
      [..."abcdefg"].map((name) => ({ publicKey: boxOf(name).publicKey, owner: keyOf(name < "f" ? "a" : name), weight: 1n })),
    );
    expect(w.do("a", propose("minimumFee", 1n)).effects.at(-1)).toMatchObject({ kind: "parameterDecided", isApproved: true });
  });

  test("vote: of members that left the set, counts no more", () => {
    const w = world();
    const { id } = w.do("a", propose("minimumFee", 1n));
    for (const name of ["b", "c", "d"]) w.do(name, vote(id));
    w.validatorSet = setOf([..."defg"].map((name) => ({ publicKey: boxOf(name).publicKey, owner: keyOf(name), weight: 1n })));
    expect(w.do("e", vote(id)).effects.length).toBe(1);
    expect(w.proposal(id)?.approvals.length).toBe(2);
    expect(w.do("f", vote(id)).effects.at(-1)).toMatchObject({ kind: "parameterDecided", isApproved: true });
  });
});
