import { describe, expect, test } from "bun:test";
import { nobleSuite, sha256 } from "../../../src/crypto/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";
import {
  type BlockHeader,
  blockHashOf,
  type EpochHop,
  type FinalHeaders,
  LightClient,
  type LightClientAnchor,
  makeValidatorSet,
  proposalIdOf,
  type ValidatorSet,
  VOTE_KIND,
} from "../../../src/protocol/index.ts";
import { certify, sampleChainId, sampleHeader, sampleSet } from "../../vectors/protocol-samples.ts";

const DAY_MS = 86_400_000;
const UNBONDING_MS = 7 * DAY_MS;
const START_MS = sampleHeader.timeMs;
const heavier = setWithWeight(20n);
const lighter = setWithWeight(30n);
const anchor: LightClientAnchor = { chainId: sampleChainId, epoch: 0, setHash: sampleSet.hash, sinceMs: START_MS };

/** The sample's four keys with another weight each, so that the sample's signers sign for it too. */
function setWithWeight(weight: bigint): ValidatorSet {
  const made = makeValidatorSet(sampleSet.validators.map((each) => ({ ...each, weight })));
  if (!made.ok) throw new Error(made.error);
  return made.value;
}

function final(change: Partial<BlockHeader>): FinalHeaders {
  const header = { ...sampleHeader, ...change };
  const proposal = { epoch: header.epoch, view: header.view, parentView: header.view - 1, blockHash: blockHashOf(header) };
  const statement = { kind: VOTE_KIND.finalize, epoch: header.epoch, view: header.view, proposalId: proposalIdOf(proposal), proposal };
  return { headers: [header], finalization: certify(statement, [0, 1, 3]) };
}

function hop(epoch: number, set: ValidatorSet, nextSet: ValidatorSet, timeMs = START_MS): EpochHop {
  return { ...final({ epoch, timeMs, validatorSetHash: set.hash, nextValidatorSetHash: nextSet.hash }), nextSet };
}

function start(): LightClient {
  const client = LightClient.start(nobleSuite, anchor, sampleSet, UNBONDING_MS);
  if (!client.ok) throw new Error(client.error);
  return client.value;
}

const codeOf = (result: { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } }): string =>
  result.ok ? "taken" : result.error.code;

describe("light client", () => {
  test("light client: an anchor with another set, does not start", () => {
    const started = LightClient.start(nobleSuite, anchor, heavier, UNBONDING_MS);
    expect(started).toEqual({ ok: false, error: "wrongSet" });
  });

  test("light client: steps into later epochs, trusted from then on with the time they show", () => {
    const client = start();
    const hops = [hop(0, sampleSet, heavier, START_MS + DAY_MS), hop(1, heavier, lighter, START_MS + 2 * DAY_MS)];
    expect(codeOf(client.follow(hops, START_MS + 3 * DAY_MS))).toBe("taken");
    expect(client.anchor).toEqual({ chainId: sampleChainId, epoch: 2, setHash: lighter.hash, sinceMs: START_MS + 2 * DAY_MS });
    expect(client.set.hash).toEqual(lighter.hash);
    const header = client.acceptHeaders(
      [],
      final({ epoch: 2, timeMs: START_MS + 3 * DAY_MS, validatorSetHash: lighter.hash }),
      START_MS + 3 * DAY_MS,
    );
    expect(header.ok && header.value.epoch).toBe(2);
    expect(client.anchor.sinceMs).toBe(START_MS + 3 * DAY_MS);
  });

  test("light client: one false step among true ones, none is taken", () => {
    const client = start();
    const hops = [hop(0, sampleSet, heavier), { ...hop(1, heavier, lighter), nextSet: sampleSet }];
    expect(codeOf(client.follow(hops, START_MS))).toBe("wrongSet");
    expect(client.anchor).toEqual(anchor);
  });

  test("light client: a set last seen longer ago than the unbonding time, trusted no more", () => {
    const client = start();
    const block = final({});
    expect(codeOf(client.acceptHeaders([], block, START_MS + UNBONDING_MS + 1))).toBe("staleTrust");
    expect(codeOf(client.acceptHeaders([], block, START_MS + UNBONDING_MS))).toBe("taken");
    expect(codeOf(client.follow([hop(0, sampleSet, heavier)], START_MS + UNBONDING_MS + 1))).toBe("staleTrust");
  });

  test("light client: a block of an epoch that is past, provable while its set can lose its stake", () => {
    const client = start();
    const later = START_MS + 5 * DAY_MS;
    expect(codeOf(client.follow([hop(0, sampleSet, heavier, START_MS + DAY_MS)], START_MS + DAY_MS))).toBe("taken");
    expect(codeOf(client.acceptHeaders([], final({ epoch: 1, timeMs: later, validatorSetHash: heavier.hash, height: 3_000 }), later))).toBe(
      "taken",
    );
    expect(codeOf(client.acceptHeaders([], final({}), later))).toBe("taken");
    const tooLate = START_MS + 9 * DAY_MS;
    expect(codeOf(client.acceptHeaders([], final({}), tooLate))).toBe("staleTrust");
    expect(codeOf(client.acceptHeaders([], final({ epoch: 1, validatorSetHash: heavier.hash }), tooLate))).toBe("taken");
    expect(codeOf(client.acceptHeaders([], final({}), tooLate))).toBe("unknownEpoch");
  });

  test("light client: an answer that leads from genesis, to one that started later, taken from where its trust begins", () => {
    const startLater = (): LightClient => {
      const client = LightClient.start(nobleSuite, { ...anchor, epoch: 1, setHash: heavier.hash }, heavier, UNBONDING_MS);
      if (!client.ok) throw new Error(client.error);
      return client.value;
    };
    const hops = [hop(0, sampleSet, heavier), hop(1, heavier, lighter)];
    const client = startLater();
    expect(codeOf(client.acceptHeaders(hops, final({ epoch: 2, validatorSetHash: lighter.hash }), START_MS))).toBe("taken");
    expect(client.anchor.epoch).toBe(2);
    expect(codeOf(startLater().acceptHeaders(hops.slice(0, 1), final({ epoch: 1, validatorSetHash: heavier.hash }), START_MS))).toBe(
      "taken",
    );
    expect(codeOf(startLater().follow(hops, START_MS))).toBe("taken");
    const false1 = { ...hop(1, heavier, lighter), nextSet: sampleSet };
    expect(codeOf(startLater().follow([hop(0, sampleSet, heavier), false1], START_MS))).toBe("wrongSet");
    expect(codeOf(startLater().acceptHeaders(hops, final({ epoch: 2, validatorSetHash: lighter.hash }), START_MS + UNBONDING_MS + 1))).toBe(
      "unknownEpoch",
    );
    expect(codeOf(startLater().acceptHeaders([hop(0, sampleSet, heavier)], final({ epoch: 0 }), START_MS))).toBe("unknownEpoch");
  });

  test("light client: an epoch that nothing led to, unknown", () => {
    expect(codeOf(start().acceptHeaders([], final({ epoch: 1 }), START_MS))).toBe("unknownEpoch");
    expect(codeOf(start().follow([], START_MS))).toBe("unknownEpoch");
  });

  test("light client: another set or block in the place of a proven one, a conflict", () => {
    const client = start();
    expect(codeOf(client.follow([hop(0, sampleSet, heavier)], START_MS))).toBe("taken");
    expect(codeOf(client.follow([hop(0, sampleSet, lighter)], START_MS))).toBe("conflict");
    expect(codeOf(client.acceptHeaders([], final({}), START_MS))).toBe("taken");
    expect(codeOf(client.acceptHeaders([], final({ stateRoot: sha256(utf8("another")) }), START_MS))).toBe("conflict");
  });

  test("light client: bytes that are no bundle, refused with a code", () => {
    expect(codeOf(start().accept(utf8("no bundle"), START_MS))).toBe("malformed");
    expect(codeOf(start().accept(new Uint8Array(5 * 1024 * 1024), START_MS))).toBe("tooLarge");
  });
});
