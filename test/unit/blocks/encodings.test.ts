import { describe, expect, test } from "bun:test";
import { decodeBlockRow, decodeGenesisRow, encodeBlockRow, encodeGenesisRow, rowHashOf } from "../../../src/blocks/block-row.ts";
import {
  executedOf,
  readExecutionRecord,
  rebuildReceipts,
  recordExecution,
  writeExecutionRecord,
} from "../../../src/blocks/execution-record.ts";
import { readRuns, writeRuns } from "../../../src/blocks/position-runs.ts";
import { ReceiptTree } from "../../../src/blocks/receipt-tree.ts";
import { WeightedCache } from "../../../src/blocks/weighted-cache.ts";
import { inclusionPath, leafHash, verifyEd25519 } from "../../../src/crypto/index.ts";
import { CborReader, CborWriter, Prng, toHex } from "../../../src/kernel/index.ts";
import { executeBlock } from "../../../src/ledger/index.ts";
import { decodeTransaction, deviceProofBytes, encodeReceipt, receiptRootOf, transactionAad } from "../../../src/protocol/index.ts";
import { signerOf, TestChain } from "./chain-fixture.ts";

describe("position runs", () => {
  test("runs: any set of positions, read back the same", () => {
    const prng = new Prng(11);
    for (let round = 0; round < 300; round++) {
      const bound = 1 + prng.below(200);
      const density = prng.below(101) / 100;
      const positions = Array.from({ length: bound }, (_, at) => at).filter(() => prng.chance(density));
      const w = new CborWriter();
      writeRuns(w, positions);
      const r = new CborReader(w.finish());
      expect(readRuns(r, bound)).toEqual(positions);
      expect(r.isComplete).toBe(true);
    }
  });

  test("runs: all of 1,000 in five bytes, and what reaches beyond the bound is refused", () => {
    const w = new CborWriter();
    writeRuns(
      w,
      Array.from({ length: 1_000 }, (_, at) => at),
    );
    const bytes = w.finish();
    expect(bytes.length).toBe(5);
    const r = new CborReader(bytes);
    readRuns(r, 999);
    expect(r.isBroken).toBe(true);
  });

  test("runs: two runs that touch, refused, since they have a shorter form", () => {
    const r = new CborReader(new CborWriter().array(4).uint(0).uint(2).uint(0).uint(3).finish());
    readRuns(r, 100);
    expect(r.isBroken).toBe(true);
  });
});

describe("execution record", () => {
  test("record: transfers, anchors, failures, sponsored devices and skips, every receipt is rebuilt from it", () => {
    const chain = new TestChain();
    const aad = transactionAad(chain.genesis.hash);
    const device = signerOf("a device");
    const owner = signerOf("alice");
    const proof = device.sign(deviceProofBytes(chain.genesis.hash, device.publicKey, owner.publicKey));
    const anchor = { type: 2, stream: "s", content: { data: Uint8Array.of(1, 2, 3) } } as const;
    const encoded = [
      chain.transaction("alice", { type: 3, device: device.publicKey, label: "d", transactionsPerHour: 2n, bytesPerHour: 9_999n, proof }),
      chain.transaction("a device", anchor),
      chain.transfer("bob", "carol", 5n),
      chain.transaction("a device", { ...anchor, content: { digest: new Uint8Array(32) } }),
      chain.transaction("a device", anchor), // over its quota of two
      chain.transfer("bob", "carol", 10n ** 16n), // fails
      chain.transfer("carol", "bob", 1n, { nonce: 9n }), // skipped
      chain.transaction("alice", { type: 4, device: device.publicKey }),
      chain.transaction("bob", { type: 4, device: device.publicKey }), // not registered any more
      chain.transaction("bob", { type: 13, key: "k", value: 1n, activationEpoch: 1 }), // no parameter
    ];
    const transactions = encoded.map((bytes) => {
      const transaction = decodeTransaction(aad, bytes);
      if (!transaction.ok) throw new RangeError(transaction.error);
      return transaction.value;
    });
    const { parameters, hash } = chain.genesis;
    const timeMs = chain.genesis.timeMs + 1;
    const epochFacts = { epoch: 0, epochStart: { height: 0, timeMs }, validatorSet: chain.validatorSet, findEpoch: () => undefined };
    const round = { view: 1, parentView: 0, parentBitmap: new Uint8Array(0), leader: 0, evidence: [] };
    const place = { chainId: hash, height: 1, timeMs, parameters, ...epochFacts, ...round };
    const execution = executeBlock(chain.state.viewOn(undefined), { ...place, verifySignature: verifyEd25519 }, transactions);
    const record = recordExecution(transactions, execution);
    expect(record.skipped).toEqual([4, 6]);
    expect(record.codes.map(({ code }) => code)).toEqual(["insufficientFunds", "notRegistered", "invalidParameter"]);
    expect(record.payers).toEqual([{ payer: owner.publicKey, indexes: [1, 3] }]);
    expect(record.digests).toEqual([]);
    const w = new CborWriter();
    writeExecutionRecord(w, record);
    const r = new CborReader(w.finish());
    const read = readExecutionRecord(r);
    expect(r.isComplete).toBe(true);
    const rebuilt = rebuildReceipts(1, executedOf(transactions, read.skipped), read);
    expect(toHex(receiptRootOf(rebuilt))).toBe(toHex(receiptRootOf(execution.receipts)));
  });

  test("record: effects that do not follow from the transaction, their digest is kept", () => {
    const chain = new TestChain();
    const transaction = decodeTransaction(transactionAad(chain.genesis.hash), chain.transfer("alice", "bob", 1n));
    if (!transaction.ok) throw new RangeError(transaction.error);
    const { value } = transaction;
    const effectsDigest = new Uint8Array(32).fill(7);
    const receipt = { transactionId: value.id, height: 1, index: 0, code: "applied", fee: value.fee, effectsDigest } as const;
    const effects = [[{ kind: "feePaid", payer: value.sender, amount: 3n } as const]];
    const nothingElse = { feesPaid: 0n, convictions: [], refusedEvidence: [], nextValidatorSet: undefined, changes: [] };
    const record = recordExecution([value], { receipts: [receipt], executed: [value], effects, skipped: [], ...nothingElse });
    expect(record.digests).toEqual([{ index: 0, digest: effectsDigest }]);
    expect(rebuildReceipts(1, [value], record)).toEqual([receipt]);
  });
});

describe("rows", () => {
  test("row: of every block of a chain, decoded and encoded again, the same bytes", () => {
    const chain = new TestChain({ validators: 4, epochBlocks: 8 });
    for (let i = 0; i < 9; i++) {
      chain.offer(chain.transfer("alice", "bob", 1n));
      chain.grow({ isEmpty: i % 2 === 0 });
    }
    for (let height = 1; height <= 9; height++) {
      const row = chain.service.queries.findByHeight(height);
      if (!row) throw new RangeError("a committed block is found");
      const bytes = encodeBlockRow(row);
      const again = decodeBlockRow(bytes);
      expect(again).toEqual(row);
      expect(again && toHex(encodeBlockRow(again))).toBe(toHex(bytes));
    }
  });

  test("row: bytes cut, flipped or drawn, a verdict and never a throw", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 1n));
    chain.grow();
    const row = chain.service.queries.findByHeight(1);
    if (!row) throw new RangeError("a committed block is found");
    const bytes = encodeBlockRow(row);
    const prng = new Prng(5);
    for (let length = 0; length < bytes.length; length++) expect(decodeBlockRow(bytes.subarray(0, length))).toBeUndefined();
    for (let i = 0; i < 2_000; i++) {
      const flipped = bytes.slice();
      const at = prng.below(bytes.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << prng.below(8));
      const decoded = decodeBlockRow(flipped);
      if (decoded) expect(toHex(encodeBlockRow(decoded))).toBe(toHex(flipped));
      decodeBlockRow(prng.bytes(prng.below(300)));
      decodeGenesisRow(prng.bytes(prng.below(300)));
    }
  });

  test("row of genesis: written and read, the same", () => {
    const records = [{ body: Uint8Array.of(1), hash: new Uint8Array(32) }];
    const row = {
      chainId: new Uint8Array(32),
      timeMs: 5,
      stateRoot: new Uint8Array(32),
      validatorSet: Uint8Array.of(9),
      lane: { epoch: 1, firstSequence: 1, records },
    };
    expect(decodeGenesisRow(encodeGenesisRow(row))).toEqual(row);
  });

  test("row hash: another height, previous hash or body, another hash", () => {
    const zeros = new Uint8Array(32);
    const hashes = [
      rowHashOf(1, zeros, zeros),
      rowHashOf(2, zeros, zeros),
      rowHashOf(1, new Uint8Array(32).fill(1), zeros),
      rowHashOf(1, zeros, new Uint8Array(31)),
    ];
    expect(new Set(hashes.map(toHex)).size).toBe(4);
  });
});

describe("receipt tree", () => {
  test("tree: of any size, each path is the one of RFC 6962", () => {
    for (const size of [1, 2, 3, 5, 8, 13, 100]) {
      const receipts = Array.from({ length: size }, (_, index) => {
        const transactionId = new Uint8Array(32).fill(index);
        return { transactionId, height: 1, index, code: "applied", fee: 1n, effectsDigest: new Uint8Array(32) } as const;
      });
      const leaves = receipts.map((receipt) => leafHash(encodeReceipt(receipt)));
      const tree = new ReceiptTree(receipts);
      for (let index = 0; index < size; index++) expect(tree.path(index)).toEqual(inclusionPath(leaves, index));
    }
  });
});

describe("weighted cache", () => {
  test("cache: beyond its weight, what was not used for longest goes, the newest always stays", () => {
    const cache = new WeightedCache<string, number>(10, (value) => value);
    for (const [key, weight] of [
      ["a", 4],
      ["b", 4],
    ] as const) {
      cache.put(key, weight);
    }
    expect(cache.find("a")).toBe(4);
    cache.put("c", 4);
    expect([cache.find("a"), cache.find("b"), cache.find("c")]).toEqual([4, undefined, 4]);
    cache.put("d", 50);
    expect([cache.find("a"), cache.find("c"), cache.find("d"), cache.size]).toEqual([undefined, undefined, 50, 1]);
    cache.put("d", 1);
    cache.put("e", 9);
    expect(cache.size).toBe(2);
  });
});
