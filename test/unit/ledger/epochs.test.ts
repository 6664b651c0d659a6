import { describe, expect, test } from "bun:test";
import { present, toHex } from "../../../src/kernel/index.ts";
import { findConviction, parametersOf, registryOf } from "../../../src/ledger/index.ts";
import { boxOf, EpochWorld } from "./epoch-fixture.ts";
import { keyOf } from "./ledger-fixture.ts";

const FIVE = { a: 1_000n, b: 1_000n, c: 1_000n, d: 1_000n, e: 1_000n };
const NAMES = Object.keys(FIVE);
const weightsOf = (world: EpochWorld) =>
  Object.fromEntries(world.membersAmong([...NAMES, "f", "g"]).map((name) => [name, world.set.validators[world.indexOf(name)]?.weight]));

describe("ends of epochs", () => {
  test("epoch: its number of blocks, the last of them names the next set and no other does", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 8 });
    for (let height = 1; height < 8; height++) expect(world.block().nextValidatorSet).toBeUndefined();
    expect(world.block().nextValidatorSet?.hash).toEqual(world.set.hash);
    expect(world.epoch).toBe(1);
    expect(world.counted).toMatchObject({ feePot: 0n, isEndForced: false, certificates: 0 });
    for (let height = 9; height < 16; height++) expect(world.block().nextValidatorSet).toBeUndefined();
    expect(world.block().nextValidatorSet).toBeDefined();
  });

  test("epoch: its span of header time, the first block at or after it is the last", () => {
    const world = new EpochWorld(FIVE, { epochMs: 60_000 });
    expect(world.block([], { afterMs: 59_999 }).nextValidatorSet).toBeUndefined();
    expect(world.block([], { afterMs: 1 }).nextValidatorSet).toBeDefined();
  });

  test("epoch: fees, shared by weight at its end, commission to the owner and the rest to the stake", () => {
    const world = new EpochWorld({ ...FIVE, e: 500n }, {}, { payer: 10_000n });
    world.block([world.transaction("a", { type: 6, validator: boxOf("a").publicKey, commission: 2_500 }, 10n)]);
    world.block([world.transaction("payer", { type: 1, to: keyOf("b"), amount: 0n }, 4_493n)]);
    expect(world.counted.feePot).toBe(4_503n);
    world.finishEpoch();
    expect(world.validator("a").stake).toBe(1_000n + 750n);
    expect(world.balance("a")).toBe(1_000n - 10n + 250n);
    expect(world.validator("b").stake).toBe(2_000n);
    expect(world.validator("e").stake).toBe(500n + 500n);
    expect(world.counted.feePot).toBe(3n); // what rounding leaves over, for the next epoch
  });

  test("epoch: a member that votes and leads in no view, loses standing and turns", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 64 });
    const others = NAMES.filter((name) => name !== "c");
    const silent = world.indexOf("c");
    for (let epoch = 0; epoch < 3; epoch++) {
      while (world.epoch === epoch) {
        const cycleStart = world.view + 1;
        const isHisTurn = (cycleStart + world.epoch) % 5 === silent;
        world.block([], { voters: others, missedViews: isHisTurn ? 1 : 0 });
      }
      if (epoch === 0) expect(world.validator("c").reputation).toBeLessThan(7_600);
    }
    expect(world.validator("a").reputation).toBe(10_000);
  });

  test("epoch: a value that was approved for it, in force from its first block", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 8 });
    const votes = NAMES.slice(1).map((name) => name);
    const proposal = world.transaction("a", { type: 13, key: "epochBlocks", value: 16n, activationEpoch: 1 });
    world.block([proposal]);
    world.block(votes.map((name) => world.transaction(name, { type: 14, proposal: proposal.id, isApproval: true })));
    world.finishEpoch();
    expect(parametersOf(world.state, world.parameters).epochBlocks).toBe(16);
    for (let height = 9; height < 24; height++) expect(world.block().nextValidatorSet).toBeUndefined();
    expect(world.block().nextValidatorSet).toBeDefined();
  });
});

describe("coming and going", () => {
  test("set: stake that grows, becomes weight up to F at the end of the epoch", () => {
    const world = new EpochWorld(FIVE, { feePolicy: "burn" });
    world.block([world.transaction("a", { type: 8, validator: boxOf("a").publicKey, amount: 900n })]);
    expect(world.set.validators[world.indexOf("a")]?.weight).toBe(1_000n);
    world.finishEpoch();
    expect(world.set.validators[world.indexOf("a")]?.weight).toBe(1_900n);
  });

  test("set: a member that exits, out at the next end, and on the list until nothing is bonded to it", () => {
    const world = new EpochWorld(FIVE);
    world.block([world.transaction("b", { type: 7, validator: boxOf("b").publicKey })]);
    world.finishEpoch();
    expect(Object.keys(weightsOf(world))).toEqual(["a", "c", "d", "e"]);
    expect(world.validator("b").stake).toBeGreaterThan(1_000n); // until its stakers take it back
    const isListed = (): boolean => registryOf(world.state).some((id) => toHex(id) === toHex(boxOf("b").publicKey));
    expect(isListed()).toBe(true);
    const all = 2n ** 64n - 1n;
    world.block([world.transaction("b", { type: 9, validator: boxOf("b").publicKey, amount: all })]);
    for (let epoch = 0; epoch < 3; epoch++) world.finishEpoch();
    expect(isListed()).toBe(true);
    world.block([world.transaction("b", { type: 10, validator: boxOf("b").publicKey, amount: all })], { afterMs: 8 * 86_400_000 });
    world.finishEpoch();
    expect(isListed()).toBe(false);
  });

  test("set: a single validator that exits or is convicted, stays alone", () => {
    const world = new EpochWorld({ a: 1_000n });
    world.block([world.transaction("a", { type: 7, validator: boxOf("a").publicKey })], { evidence: [world.doubleVote("a")] });
    world.finishEpoch();
    expect(world.set.validators.length).toBe(1);
  });

  test("set: fewer seats than validators, those with the most stake", () => {
    const world = new EpochWorld({ ...FIVE, e: 900n }, { validatorsMax: 4 });
    world.finishEpoch();
    expect(weightsOf(world)).toEqual({ a: 1_000n, b: 1_000n, c: 1_000n, d: 1_000n });
  });
});

describe("rotation of keys", () => {
  test("rotation: due at the next epoch, the epoch ends with its block and no weight moves", () => {
    const world = new EpochWorld(FIVE, { feePolicy: "burn" });
    world.block();
    const { nextValidatorSet } = world.block([world.rotation("a", "a's second", 1)]);
    expect(nextValidatorSet?.validators.map(({ publicKey }) => toHex(publicKey))).toContain(toHex(boxOf("a's second").publicKey));
    expect(weightsOf(world)).toEqual(FIVE);
    expect([world.validator("a").term, world.validator("a").next]).toEqual([1, undefined]);
    expect(world.counted.lastForcedTimeMs).toBe(world.timeMs);
  });

  test("rotation: a second within a minute of header time, waits in the state until the minute is over", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 100 });
    world.block([world.rotation("a", "a's second", 1)]);
    expect(world.block([world.rotation("b", "b's second", 1)], { afterMs: 10_000 }).nextValidatorSet).toBeUndefined();
    expect(world.counted.isEndForced).toBe(true);
    expect(world.block([], { afterMs: 49_999 }).nextValidatorSet).toBeUndefined();
    expect(world.block([], { afterMs: 1 }).nextValidatorSet).toBeDefined();
    expect(world.validator("b").term).toBe(1);
    expect(world.counted.isEndForced).toBe(false);
  });

  test("rotation: for an epoch further on, no end is forced and the key takes over then", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 8 });
    world.block([world.rotation("a", "a's second", 1, 2)]);
    expect(world.epoch).toBe(0);
    world.finishEpoch();
    expect(world.validator("a").term).toBe(0);
    world.finishEpoch();
    expect(world.validator("a").term).toBe(1);
    expect(world.set.validators.some(({ publicKey }) => toHex(publicKey) === toHex(boxOf("a's second").publicKey))).toBe(true);
  });
});

describe("convictions", () => {
  test("conviction: by a block's evidence, stake and what unbonds are slashed, the member is jailed and the epoch ends", () => {
    const world = new EpochWorld(FIVE);
    world.block([world.transaction("a", { type: 9, validator: boxOf("a").publicKey, amount: 400n })]);
    const evidence = world.doubleVote("a");
    const { convictions, refusedEvidence, nextValidatorSet } = world.block([], { evidence: [evidence] });
    const id = boxOf("a").publicKey;
    expect(refusedEvidence).toEqual([]);
    expect(convictions).toEqual([{ kind: "convicted", validator: id, epoch: 0, slashed: 30n + 20n, jailedUntilEpoch: 5 }]);
    expect(world.validator("a")).toMatchObject({ stake: 570n, unbondingStake: 380n, reputation: 0, jailedUntilEpoch: 5 });
    expect(findConviction(world.state, id, 0)).toMatchObject({ height: 2 });
    expect(nextValidatorSet).toBeDefined();
    expect(Object.keys(weightsOf(world))).toEqual(["b", "c", "d", "e"]);
    expect(world.state.supply().burned).toBe(50n);
  });

  test("conviction: over, the validator comes back with the reputation it regained", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 65, jailEpochs: 2 });
    world.block([], { evidence: [world.doubleVote("a")] });
    expect(world.epoch).toBe(1);
    world.finishEpoch();
    expect(world.validator("a")).toMatchObject({ jailedUntilEpoch: 3, reputation: 625 });
    expect(world.membersAmong(["a"])).toEqual([]);
    world.finishEpoch();
    expect(world.validator("a")).toMatchObject({ jailedUntilEpoch: 0, reputation: 1_172 });
    expect(world.membersAmong(["a"])).toEqual(["a"]);
  });

  test("conviction: the same again, other evidence for the epoch, innocence or nonsense, each refused by its reason", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 100 });
    world.block([], { evidence: [world.doubleVote("a")] });
    world.block();
    const refused = (evidence: Uint8Array) => world.execute([], { evidence: [evidence] }).refusedEvidence.map(({ reason }) => reason);
    expect(refused(world.doubleVote("a", 0))).toEqual(["alreadyConvicted"]);
    expect(refused(world.doubleVote("a", 0, 7))).toEqual(["alreadyConvicted"]);
    expect(refused(Uint8Array.of(1, 2, 3))).toEqual(["malformed"]);
    const forged = world.doubleVote("b");
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
    expect(refused(forged)).toEqual(["badSignature"]);
    expect(refused(world.doubleVote("b"))).toEqual([]);
    const twice = world.execute([], { evidence: [world.doubleVote("b"), world.doubleVote("b", 1, 9)] });
    expect(twice.refusedEvidence).toEqual([{ index: 1, reason: "alreadyConvicted" }]);
    expect(twice.convictions.length).toBe(1);
  });

  test("conviction: a batch with a malformed transaction of the largest size, proven in one piece of evidence", () => {
    const world = new EpochWorld(FIVE);
    const evidence = world.faultyBatch("a", 16_384);
    expect(evidence.length).toBeLessThan(17_408 - 11 * 34);
    expect(world.block([], { evidence: [evidence] }).convictions.length).toBe(1);
  });

  test("conviction: one batch, counts once whatever epoch the accuser names", () => {
    const world = new EpochWorld({ ...FIVE, f: 1_000n }, { epochBlocks: 8 });
    for (let epoch = 0; epoch < 4; epoch++) world.finishEpoch();
    const refused = (evidence: Uint8Array) => world.execute([], { evidence: [evidence] }).refusedEvidence.map(({ reason }) => reason);
    expect(refused(world.faultyBatch("a", 10, 1))).toEqual(["wrongEpoch"]); // it was a member later too
    expect(refused(world.faultyBatch("a", 10, 2))).toEqual([]);
    expect(world.execute([], { evidence: [2, 3, 4].map((epoch) => world.faultyBatch("a", 10, epoch)) }).refusedEvidence).toEqual([
      { index: 1, reason: "alreadyConvicted" },
      { index: 2, reason: "alreadyConvicted" },
    ]);
    world.block([], { evidence: [world.faultyBatch("a", 10, 3)] });
    expect(refused(world.faultyBatch("a", 10, 4))).toEqual(["alreadyConvicted"]);
    for (let epoch = 0; epoch < 3; epoch++) world.finishEpoch();
    expect(refused(world.faultyBatch("a", 11, 4))).toEqual([]); // another batch, judged in the last epoch of its membership
    expect(refused(world.faultyBatch("a", 11, 2))).toEqual(["wrongEpoch"]);
  });

  test("conviction: by a transaction that pays nothing, applied; a wrong one that pays nothing, skipped", () => {
    const world = new EpochWorld(FIVE, {}, { witness: 0n });
    const accuse = (evidence: Uint8Array, fee: bigint) => world.transaction("witness", { type: 12, evidence }, fee);
    const [guilty, again] = [world.doubleVote("a"), world.doubleVote("a", 0, 5)];
    const { receipts, convictions } = world.block([accuse(guilty, 0n)]);
    expect(receipts.map(({ code, fee }) => [code, fee])).toEqual([["applied", 0n]]);
    expect(convictions.length).toBe(1);
    const { skipped } = world.block([accuse(again, 0n)]);
    expect(skipped.map(({ reason }) => reason)).toEqual(["feeTooLow"]);
  });

  test("conviction: a wrong accusation that pays, a failed receipt", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 100 });
    const [guilty, again] = [world.doubleVote("a"), world.doubleVote("a", 0, 5)];
    const accuse = (evidence: Uint8Array) => world.transaction("b", { type: 12, evidence });
    const { receipts } = world.block([accuse(guilty), accuse(again), accuse(Uint8Array.of(1))]);
    expect(receipts.map(({ code }) => code)).toEqual(["applied", "alreadyConvicted", "invalidEvidence"]);
  });

  test("conviction: of a key that was rotated since, the validator it belonged to", () => {
    const world = new EpochWorld(FIVE);
    world.block([world.rotation("a", "a's second", 1)]);
    expect(world.epoch).toBe(1);
    const { convictions } = world.block([], { evidence: [world.doubleVote("a", 0)], afterMs: 60_000 });
    expect(convictions.map(({ validator, epoch }) => [toHex(validator), epoch])).toEqual([[toHex(boxOf("a").publicKey), 0]]);
    expect(Object.keys(weightsOf(world))).not.toContain("a");
  });

  test("conviction: for each epoch of a fault once, and the sentences add up", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 8 });
    world.finishEpoch();
    const { convictions } = world.block([], { evidence: [world.doubleVote("a", 0), world.doubleVote("a", 1)] });
    expect(convictions.map(({ slashed, jailedUntilEpoch }) => [slashed, jailedUntilEpoch])).toEqual([
      [50n, 6],
      [47n, 6],
    ]);
  });

  test("conviction: longer ago than two epochs and the unbonding time, refused; within either, not", () => {
    const world = new EpochWorld(FIVE, { epochBlocks: 8, unbondingMs: 3_600_000, epochMs: 100 * 3_600_000 });
    world.finishEpoch();
    const refused = (afterMs: number, epoch: number) =>
      world.execute([], { evidence: [world.doubleVote("a", epoch)], afterMs }).refusedEvidence.map(({ reason }) => reason);
    const endOfFirst = present(world.epochs[1], "it ended").timeMs;
    expect(refused(50 * 3_600_000, 0)).toEqual([]);
    world.finishEpoch();
    expect(refused(50 * 3_600_000, 0)).toEqual([]);
    world.finishEpoch();
    expect(refused(endOfFirst + 3_600_000 - world.timeMs, 0)).toEqual([]);
    expect(refused(endOfFirst + 3_600_001 - world.timeMs, 0)).toEqual(["tooOld"]);
    expect(refused(endOfFirst + 3_600_001 - world.timeMs, 1)).toEqual([]);
    expect(world.execute([], { evidence: [world.doubleVote("a", 3)] }).refusedEvidence).toEqual([]);
  });

  test("conviction: one of four, keeps a seat of weight 1 and is given no fees", () => {
    const world = new EpochWorld({ a: 1_000n, b: 1_000n, c: 1_000n, d: 1_000n }, {}, { payer: 100_000n });
    world.block([world.transaction("payer", { type: 1, to: keyOf("b"), amount: 0n }, 4_000n)], { evidence: [world.doubleVote("a")] });
    expect(weightsOf(world)).toEqual({ a: 1n, b: 1_111n, c: 1_111n, d: 1_111n }); // 999 and 333 are moved, 1,333 may be
    expect(world.validator("a").stake).toBe(950n);
    expect(world.counted.feePot).toBe(1_000n);
  });
});
