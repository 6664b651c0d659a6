import { describe, expect, test } from "bun:test";
import { compareBytes, toHex } from "../../../src/kernel/index.ts";
import { findSigningKey, registryOf } from "../../../src/ledger/index.ts";
import { EPOCH_KEY, LIMITS, type TransactionBody, U64_MAX } from "../../../src/protocol/index.ts";
import { keyOf } from "./ledger-fixture.ts";
import { boxOf, keyProofOf, StakingWorld } from "./staking-fixture.ts";

const four = { a: 1_000n, b: 1_000n, c: 1_000n, d: 1_000n };
const world = () => new StakingWorld(four, { alice: 1_000_000n, bob: 10_000n });
const idOf = (name: string): Uint8Array => boxOf(name).publicKey;
const described = { commission: 500, endpoint: "new.example:4600", metadata: "new box" };

function register(owner: string, box: string, proof = keyProofOf(owner, idOf(box), idOf(box), 0)): TransactionBody {
  return { type: 5, publicKey: idOf(box), proof, ...described };
}

function rotate(owner: string, box: string, key: string, term: number, effectiveEpoch: number): TransactionBody {
  const proof = keyProofOf(owner, idOf(box), idOf(key), term);
  return { type: 11, validator: idOf(box), newKey: idOf(key), proof, term, effectiveEpoch };
}

const isEndForced = (w: StakingWorld): boolean => {
  const entry = w.state.find(EPOCH_KEY);
  return entry?.kind === "epoch" && entry.isEndForced;
};

describe("validatorRegister", () => {
  test("register: with consent of the key, a validator without stake that its owner described", () => {
    const w = world();
    expect(w.do("alice", register("alice", "new")).effects).toEqual([
      { kind: "validatorRegistered", validator: idOf("new"), owner: keyOf("alice") },
    ]);
    const pools = { stake: 0n, shares: 0n, unbondingStake: 0n, unbondingShares: 0n };
    const standing = { isExiting: false, jailedUntilEpoch: 0, reputation: 5_000 };
    const key = { owner: keyOf("alice"), signingKey: idOf("new"), term: 0 };
    expect(w.validator("new")).toEqual({ kind: "validator", ...key, ...described, ...standing, ...pools });
    expect(findSigningKey(w.state, idOf("new"))?.validator).toEqual(idOf("new"));
  });

  test("register: a key that any validator has or had, keyUsed", () => {
    const w = world();
    expect(w.code("alice", register("alice", "a"))).toBe("keyUsed");
    w.do("a", rotate("a", "a", "a2", 1, 4));
    expect(w.code("alice", register("alice", "a2"))).toBe("keyUsed");
  });

  test("register: the proof of another owner or for another chain position, badProof", () => {
    const w = world();
    expect(w.code("alice", register("alice", "new", keyProofOf("bob", idOf("new"), idOf("new"), 0)))).toBe("badProof");
    expect(w.code("alice", register("alice", "new", keyProofOf("alice", idOf("new"), idOf("new"), 1)))).toBe("badProof");
  });

  test("register: a key of small or mixed order, or no point at all, invalidKey", () => {
    const w = world();
    const mixed = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"; // a point of order 8
    for (const key of [new Uint8Array(32), new Uint8Array(32).fill(0xff), Uint8Array.from(Buffer.from(mixed, "hex"))]) {
      const body: TransactionBody = { type: 5, publicKey: key, proof: keyProofOf("alice", key, key, 0), ...described };
      expect(w.code("alice", body)).toBe("invalidKey");
    }
  });

  test("register: with stake enough, on the list of those that may come into a set", () => {
    const w = world();
    w.do("alice", register("alice", "new"));
    expect(registryOf(w.state).length).toBe(4);
    w.do("alice", { type: 8, validator: idOf("new"), amount: 100n });
    const ids = registryOf(w.state);
    expect(ids.map(toHex)).toContain(toHex(idOf("new")));
    expect([...ids].sort(compareBytes)).toEqual([...ids]);
  });
});

describe("validatorUpdate and validatorExit", () => {
  test("update: what is given changes, the rest stays; only the owner may", () => {
    const w = world();
    const before = w.validator("a");
    w.do("a", { type: 6, validator: idOf("a"), commission: 1_000, endpoint: "a.example:1" });
    expect(w.validator("a")).toEqual({ ...before, commission: 1_000, endpoint: "a.example:1" });
    expect(w.code("b", { type: 6, validator: idOf("a"), metadata: "mine" })).toBe("notAuthorized");
    expect(w.code("a", { type: 6, validator: idOf("nobody") })).toBe("notRegistered");
  });

  test("exit: announced once, by the owner", () => {
    const w = world();
    expect(w.code("b", { type: 7, validator: idOf("a") })).toBe("notAuthorized");
    expect(w.code("a", { type: 7, validator: idOf("a") })).toBe("applied");
    expect(w.validator("a").isExiting).toBe(true);
    expect(w.code("a", { type: 7, validator: idOf("a") })).toBe("validatorExiting");
  });
});

describe("keyRotate", () => {
  test("rotate: the new key waits for its epoch; due at the next one, the end of this one is asked for", () => {
    const w = world();
    expect(w.code("a", rotate("a", "a", "a2", 1, 9))).toBe("applied");
    expect(w.validator("a")).toMatchObject({ term: 0, next: { signingKey: idOf("a2"), term: 1, effectiveEpoch: 9 } });
    expect(w.validator("a").signingKey).toEqual(idOf("a"));
    expect(isEndForced(w)).toBe(false);
    expect(w.code("a", rotate("a", "a", "a3", 2, 4))).toBe("applied");
    expect(w.validator("a").next?.signingKey).toEqual(idOf("a3"));
    expect(isEndForced(w)).toBe(true);
    expect(findSigningKey(w.state, idOf("a2"))?.validator).toEqual(idOf("a"));
  });

  test("rotate: a validator outside the set, does not end an epoch", () => {
    const w = world();
    w.do("alice", register("alice", "new"));
    expect(w.code("alice", rotate("alice", "new", "new2", 1, 4))).toBe("applied");
    expect(isEndForced(w)).toBe(false);
  });

  test("rotate: by a stranger, with a wrong term, epoch, key or proof, each its own code", () => {
    const w = world();
    expect(w.code("b", rotate("b", "a", "a2", 1, 4))).toBe("notAuthorized");
    expect(w.code("a", rotate("a", "a", "a2", 0, 4))).toBe("wrongTerm");
    expect(w.code("a", rotate("a", "a", "a2", 2, 4))).toBe("wrongTerm");
    expect(w.code("a", rotate("a", "a", "a2", 1, 3))).toBe("wrongEpoch");
    expect(w.code("a", rotate("a", "a", "a2", 1, 3 + LIMITS.epochsAheadMax + 1))).toBe("wrongEpoch");
    expect(w.code("a", rotate("a", "a", "b", 1, 4))).toBe("keyUsed");
    expect(w.code("a", rotate("a", "a", "a", 1, 4))).toBe("keyUsed");
    expect(w.code("a", { ...rotate("a", "a", "a2", 1, 4), proof: new Uint8Array(64) } as TransactionBody)).toBe("badProof");
  });
});

describe("bounds", () => {
  test("keys: more of them in one block than it may check, limitReached and no further cost", () => {
    const w = world();
    const checked: string[] = [];
    const codes = w.block(
      Array.from({ length: LIMITS.blockKeysMax + 2 }, (_, i) => ["alice", register("alice", `k${i}`)] as const),
      (key) => checked.push(toHex(key)),
    );
    expect(codes.filter((code) => code === "applied").length).toBe(LIMITS.blockKeysMax);
    expect(codes.slice(-2)).toEqual(["limitReached", "limitReached"]);
    expect(checked.length).toBe(LIMITS.blockKeysMax);
  });

  test("registry: full, the validator with the least stake makes room for one with more, never a member of the set", () => {
    const w = world();
    w.fillRegistry("alice", 150n, 120n);
    w.slash("a", 9_900);
    expect(w.validator("a").stake).toBe(10n);
    expect(registryOf(w.state).length).toBe(LIMITS.registryMax);
    w.do("bob", register("bob", "late"));
    expect(w.code("bob", { type: 8, validator: idOf("late"), amount: 120n })).toBe("limitReached");
    expect(w.code("bob", { type: 8, validator: idOf("late"), amount: 200n })).toBe("applied");
    const ids = registryOf(w.state).map(toHex);
    expect(ids.length).toBe(LIMITS.registryMax);
    expect(ids).toContain(toHex(idOf("late")));
    for (const name of Object.keys(four)) expect(ids).toContain(toHex(idOf(name)));
    expect(ids).not.toContain(toHex(idOf("poorest")));
    expect(w.do("alice", { type: 9, validator: idOf("poorest"), amount: U64_MAX }).effects).toMatchObject([{ amount: 120n }]);
    w.do("bob", { type: 7, validator: idOf("late") });
    w.do("bob", register("bob", "later"));
    expect(w.code("bob", { type: 8, validator: idOf("later"), amount: 100n })).toBe("applied");
    expect(registryOf(w.state).map(toHex)).not.toContain(toHex(idOf("late")));
  });
});
