import { describe, expect, test } from "bun:test";
import type { BatchSource } from "../../../src/blocks/batch-source.ts";
import { localSigner, verifyEd25519 } from "../../../src/crypto/index.ts";
import { signTransaction } from "../../../src/protocol/index.ts";
import { AAD, BALANCE, idOf, keyOf, transactionOf, World } from "./mempool-world.ts";

describe("submission", () => {
  test("submit: a good transaction, accepted once its record is synced and executed in the next block", async () => {
    const world = new World();
    const [alice = keyOf(1)] = world.fund(1);
    const encoded = transactionOf(alice, 0n);
    const syncs = world.fs.syncCount;
    expect(await world.submit([encoded])).toEqual([{ status: "accepted", id: idOf(encoded) }]);
    expect(world.fs.syncCount).toBe(syncs + 1);
    expect(world.workCount).toBe(1);
    expect(world.mempool.status(idOf(encoded))).toBe("accepted");
    expect(world.mempool.hasIncludable()).toBe(true);
    expect(world.block().executed.length).toBe(1);
    expect(world.mempool.hasIncludable()).toBe(false);
    expect(world.mempool.status(idOf(encoded))).toBe("unknown");
    expect(world.mempool.replayMark()).toBe(world.log.nextIndex);
  });

  test("submit: real signatures, good ones accepted and a forged one refused", async () => {
    const world = new World({
      verifyMany: async (claims) => claims.map(({ key, message, signature }) => verifyEd25519(key, message, signature)),
    });
    const signer = localSigner(new Uint8Array(32).fill(9));
    world.chain.state.fund(signer.publicKey, BALANCE);
    const sign = (nonce: bigint): Uint8Array =>
      signTransaction(signer, AAD, {
        sender: signer.publicKey,
        nonce,
        fee: 10n,
        validUntil: 9n,
        body: { type: 1, to: keyOf(1), amount: 1n },
      });
    const forged = sign(1n);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const outcomes = await world.submit([sign(0n), forged, sign(1n)]);
    expect(outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.code : outcome.status))).toEqual([
      "accepted",
      "badSignature",
      "accepted",
    ]);
  });

  test("submit: nothing, an empty answer", async () => {
    expect(await new World().submit([])).toEqual([]);
  });

  test("mempool: as blocks take it, a batch source", () => {
    const source: BatchSource = new World().mempool;
    expect(source.hasIncludable()).toBe(false);
  });
});
