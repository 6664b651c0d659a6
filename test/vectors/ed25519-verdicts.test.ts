import { afterAll, describe, expect, test } from "bun:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import {
  checkPublicKey,
  checkSignatureShape,
  nobleSuite,
  type SignatureClaim,
  VerifyThreads,
  verifyEd25519,
  verifyEd25519Many,
} from "../../src/crypto/index.ts";
import { utf8 } from "../../src/kernel/index.ts";
import { systemTimers } from "../../src/node/ports.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

interface Case extends SignatureClaim {
  readonly id: number;
}
interface Wycheproof {
  readonly testGroups: { publicKey: { pk: string }; tests: { tcId: number; msg: string; sig: string; result: string }[] }[];
}
interface CctvCase {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: string[] | null;
}

const { files } = loadVectors<{ files: Record<string, { cases: number; accepted: number[] }> }>("ed25519-verdicts.json");
const wycheproof = loadVectors<Wycheproof>("outside/wycheproof-ed25519.json");
const cctv = loadVectors<CctvCase[]>("outside/cctv-ed25519.json");
const speccheck = loadVectors<{ message: string; pub_key: string; signature: string }[]>("outside/speccheck-ed25519.json");

const CASES: Record<string, readonly Case[]> = {
  "wycheproof-ed25519.json": wycheproof.testGroups.flatMap(({ publicKey, tests }) =>
    tests.map((t) => ({ id: t.tcId, key: hexBytes(publicKey.pk), message: hexBytes(t.msg), signature: hexBytes(t.sig) })),
  ),
  "cctv-ed25519.json": cctv.map((c) => ({ id: c.number, key: hexBytes(c.key), message: utf8(c.msg), signature: hexBytes(c.sig) })),
  "speccheck-ed25519.json": speccheck.map((c, id) => ({
    id,
    key: hexBytes(c.pub_key),
    message: hexBytes(c.message),
    signature: hexBytes(c.signature),
  })),
};

const threads = new VerifyThreads(2, systemTimers);
afterAll(() => threads.stop());

const acceptedIds = (cases: readonly Case[], isAccepted: (claim: Case, index: number) => boolean | undefined): number[] =>
  cases.filter((claim, index) => isAccepted(claim, index)).map(({ id }) => id);

describe.each(Object.entries(CASES))("ed25519 verdicts: %s", (file, cases) => {
  const pinned = files[file];

  test("verdicts: native on the calling thread, the pinned ones", () => {
    expect(cases.length).toBe(pinned?.cases ?? 0);
    expect(acceptedIds(cases, (c) => verifyEd25519(c.key, c.message, c.signature))).toEqual(pinned?.accepted ?? []);
  });

  test("verdicts: WebCrypto on the thread pool, the pinned ones", async () => {
    const verdicts = await verifyEd25519Many(cases);
    expect(acceptedIds(cases, (_, index) => verdicts[index])).toEqual(pinned?.accepted ?? []);
  });

  test("verdicts: a node's verifying threads, the pinned ones", async () => {
    const verdicts = await threads.verifyMany(cases);
    expect(acceptedIds(cases, (_, index) => verdicts[index])).toEqual(pinned?.accepted ?? []);
  });

  test("verdicts: noble, the pinned ones", () => {
    expect(acceptedIds(cases, (c) => nobleSuite.verify(c.key, c.message, c.signature))).toEqual(pinned?.accepted ?? []);
  });
});

describe("ed25519 verdicts: what the pinned ones mean", () => {
  test("wycheproof: our verdicts, its own expected results", () => {
    const expected = wycheproof.testGroups.flatMap(({ tests }) => tests.filter(({ result }) => result === "valid").map(({ tcId }) => tcId));
    expect(files["wycheproof-ed25519.json"]?.accepted).toEqual(expected);
  });

  test("cctv: accepted, exactly where no point is of small order or non-canonical and no residue remains", () => {
    const harmless = new Set(["low_order_component_A", "low_order_component_R"]);
    const expected = cctv.filter(({ flags }) => (flags ?? []).every((flag) => harmless.has(flag))).map(({ number }) => number);
    expect(files["cctv-ed25519.json"]?.accepted).toEqual(expected);
  });

  test("noble's own verify behind our checks: disagrees by the cofactor, which is why the suite does not use it", () => {
    const cases = CASES["cctv-ed25519.json"] ?? [];
    const byCofactor = acceptedIds(
      cases,
      (c) => checkPublicKey(c.key) && checkSignatureShape(c.signature) && ed25519.verify(c.signature, c.message, c.key, { zip215: false }),
    );
    const pinned = new Set(files["cctv-ed25519.json"]?.accepted);
    expect(byCofactor.filter((id) => !pinned.has(id)).length).toBe(63);
  });
});
