import { expect, test } from "bun:test";
import { nobleSigner, sha256 } from "../../../src/crypto/portable.ts";
import {
  anchorBody,
  type Carrier,
  DeviceClient,
  type DeviceClientOptions,
  type DeviceEvent,
  type DeviceStorage,
  deviceRevokeBody,
  type LookUp,
  memoryStorage,
  type Submission,
  type SubmitAnswer,
  transferBody,
} from "../../../src/device/index.ts";
import { err, ok, Prng, present, type Result, toHex, utf8 } from "../../../src/kernel/index.ts";
import { decodeTransaction, type Transaction, type TransactionBody, transactionAad } from "../../../src/protocol/index.ts";
import { JumpingTime, proofOf, World, worldChain } from "../../fuzz/device-world.ts";

const signer = nobleSigner(sha256(utf8("a device")));
const bob = sha256(utf8("bob"));

/** A client on a world of its own, with a carrier that answers as the test says and otherwise as an honest node. */
type Bench = {
  readonly client: DeviceClient;
  readonly time: JumpingTime;
  readonly world: World;
  readonly events: DeviceEvent[];
  /** Every transaction that was given to the carrier. */
  readonly sent: Transaction[];
};
type Answers = {
  readonly submit?: (transaction: Transaction, count: number) => SubmitAnswer | undefined;
  readonly lookUp?: (id: Uint8Array, count: number) => LookUp | undefined;
  readonly terms?: (count: number) => Result<{ readonly height: bigint; readonly minimumFee: bigint }, string>;
  readonly isSponsored?: () => boolean;
  /** Whether it can tell height, fee and nonce; true unless said otherwise. */
  readonly isAsked?: boolean;
};

function carrierOf(world: World, sent: Transaction[], answers: Answers, name = "scripted"): Carrier {
  const counts = { submit: 0, lookUp: 0, terms: 0 };
  const decode = (encoded: Uint8Array): Transaction => {
    const decoded = decodeTransaction(transactionAad(worldChain.genesis.hash), encoded);
    return present(decoded.ok ? decoded.value : undefined, "a client sends transactions");
  };
  const asked: Pick<Carrier, "terms" | "account"> = {
    terms: async () => answers.terms?.(counts.terms++) ?? ok(world.terms()),
    account: async (key) => ok({ ...world.account(key), isSponsored: answers.isSponsored?.() ?? false }),
  };
  return {
    name,
    async submit({ encoded }) {
      const transaction = decode(encoded);
      sent.push(transaction);
      return answers.submit?.(transaction, counts.submit++) ?? world.submit(encoded);
    },
    lookUp: async (id) => answers.lookUp?.(id, counts.lookUp++) ?? world.lookUp(id),
    ...(answers.isAsked === false ? {} : asked),
  };
}

async function bench(answers: Answers = {}, more: Partial<DeviceClientOptions> = {}, world = new World()): Promise<Bench> {
  const time = new JumpingTime();
  const events: DeviceEvent[] = [];
  const sent: Transaction[] = [];
  const beat = (): void => {
    world.tick();
    time.after(1_000, beat);
  };
  beat();
  const client = await DeviceClient.open({
    signer,
    chain: worldChain,
    carriers: [carrierOf(world, sent, answers)],
    storage: memoryStorage(),
    ports: { clock: time, timers: time, entropy: new Prng(1) },
    onEvent: (event) => events.push(event),
    ...more,
  });
  return { client, time, world, events, sent };
}

async function submit(client: DeviceClient, body: TransactionBody = anchorBody("s", "1")): Promise<Submission> {
  const taken = await client.submit(body);
  return present(taken.ok ? taken.value : undefined, "the order is taken");
}

const troubles = (events: readonly DeviceEvent[]): string[] => events.flatMap((event) => (event.kind === "trouble" ? [event.code] : []));

/** How a submission ended, as soon as it has; "waits" when it has not after an hour. */
async function endOf({ time }: Bench, { ended }: Submission): Promise<string> {
  let told = "waits";
  void ended.then((end) => {
    told = end.kind === "rejected" ? `rejected ${end.code}` : end.kind;
  });
  await time.until(() => told !== "waits", time.nowMs() + 3_600_000);
  return told;
}

test("device client: an anchor, accepted and then final with its receipt, told by promise and event", async () => {
  const it = await bench();
  const submission = await submit(it.client);
  expect(await endOf(it, submission)).toBe("final");
  const [accepted, end] = await Promise.all([submission.accepted, submission.ended]);
  expect(accepted).toMatchObject({ kind: "accepted", carrier: "scripted" });
  expect(end.kind === "final" && { id: toHex(end.id), code: end.receipt.code }).toEqual({
    id: toHex(it.sent[0]?.id ?? bob),
    code: "applied",
  });
  expect(it.events.map(({ kind }) => kind)).toEqual(["accepted", "ended"]);
  expect(it.sent.map(({ nonce, fee, validUntil }) => [nonce, fee, validUntil])).toEqual([[0n, 100n, 1_006n]]);
  expect(it.client.pending).toEqual([]);
});

test("device client: five in flight, in the order of their nonces, each sent once", async () => {
  const it = await bench();
  const taken = [];
  for (let i = 0; i < 5; i++) taken.push(await submit(it.client, anchorBody("s", `${i}`)));
  for (const each of taken) expect(await endOf(it, each)).toBe("final");
  expect(it.sent.map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n, 3n, 4n]);
});

test("device client: a carrier that is silent, left for the next, which gets the same bytes", async () => {
  const world = new World();
  const [silent, honest]: Transaction[][] = [[], []];
  const carriers = [
    carrierOf(world, silent ?? [], { submit: () => ({ kind: "noAnswer", detail: "silence" }) }, "silent"),
    carrierOf(world, honest ?? [], {}, "honest"),
  ];
  const it = await bench({}, { carriers }, world);
  const submission = await submit(it.client);
  expect(await endOf(it, submission)).toBe("final");
  expect(await submission.accepted).toMatchObject({ carrier: "honest" });
  expect(honest?.map(({ encoded }) => toHex(encoded))).toEqual(silent?.map(({ encoded }) => toHex(encoded)));
});

test("device client: what passes is tried again with growing pauses, at least as long as the node asks", async () => {
  const at: number[] = [];
  const it: Bench = await bench({
    submit: (_transaction, count) => {
      at.push(it.time.nowMs());
      if (count < 4) return { kind: "refused", code: ["mempoolFull", "syncing", "quotaExceeded", "rateLimited"][count] ?? "", detail: "" };
      return count === 4 ? { kind: "refused", code: "mempoolFull", detail: "", retryAfterMs: 20_000 } : undefined;
    },
  });
  expect(await endOf(it, await submit(it.client))).toBe("final");
  const pauses = at.slice(1).map((each, i) => each - (at[i] ?? 0));
  for (const [i, most] of [250, 500, 1_000, 2_000].entries()) {
    expect(pauses[i]).toBeGreaterThanOrEqual(most / 2);
    expect(pauses[i]).toBeLessThanOrEqual(most);
  }
  expect(pauses[4]).toBe(20_000);
  expect(new Set(it.sent.map(({ encoded }) => toHex(encoded))).size).toBe(1);
});

test("device client: refusals that stand end it; terms that moved are signed anew with the same nonce", async () => {
  for (const code of ["malformed", "badSignature", "unknownSender", "insufficientFunds", "notAuthorized", "ofALaterRelease"]) {
    const it = await bench({ submit: () => ({ kind: "refused", code, detail: "no" }), lookUp: () => ({ kind: "unknown" }) });
    expect(await endOf(it, await submit(it.client))).toBe(`rejected ${code}`);
    expect(it.sent).toHaveLength(1);
  }
  for (const code of ["feeTooLow", "expired", "validityTooLong"]) {
    const it = await bench({
      submit: (_transaction, count) => (count === 0 ? { kind: "refused", code, detail: "no" } : undefined),
      terms: (count) => ok({ height: 5n, minimumFee: count === 0 ? 100n : 150n }),
    });
    expect(await endOf(it, await submit(it.client, transferBody(bob, 1n)))).toBe("final");
    expect(it.sent.map(({ nonce, fee }) => [nonce, fee])).toEqual([
      [0n, 100n],
      [0n, 150n],
    ]);
  }
});

test("device client: a fee above what it may pay, never signed", async () => {
  const it = await bench({ terms: () => ok({ height: 5n, minimumFee: 1_001n }) });
  expect(await endOf(it, await submit(it.client))).toBe("waits");
  expect(it.sent).toEqual([]);
  expect(new Set(troubles(it.events))).toEqual(new Set(["notReady"]));
});

test("device client: a nonce taken by another program, gone around by an anchor and told by a transfer", async () => {
  for (const [body, wanted, nonces] of [
    [anchorBody("s", "1"), "final", [0n, 1n]],
    [transferBody(bob, 1n), "rejected nonceTooLow", [0n]],
    [deviceRevokeBody(bob), "rejected nonceTooLow", [0n]],
  ] as const) {
    const it: Bench = await bench({
      submit: (_transaction, count) => {
        if (count === 0) it.world.spendNonce(signer.publicKey);
        return undefined;
      },
    });
    expect(await endOf(it, await submit(it.client, body))).toBe(wanted);
    expect(it.sent.map(({ nonce }) => nonce)).toEqual([...nonces]);
  }
});

test("device client: carriers that tell neither nonce nor height nor fee, counted from the first nonce and found by refusals", async () => {
  const world = new World();
  for (let i = 0; i < 3; i++) world.spendNonce(signer.publicKey);
  world.height = 2_500n;
  const it = await bench({ isAsked: false }, { firstNonce: 1n }, world);
  expect(await endOf(it, await submit(it.client))).toBe("final");
  expect(it.sent.at(-1)?.nonce).toBe(3n);
  expect(await endOf(it, await submit(it.client))).toBe("final");
  expect(it.sent.at(-1)?.nonce).toBe(4n);
});

test("device client: proofs that prove nothing, told as trouble until a true one comes", async () => {
  const it: Bench = await bench({
    lookUp: (id, count) => {
      const lies = [proofOf(id, [0, 2]), proofOf(bob), utf8("no proof"), new Uint8Array(0)];
      const bundle = lies[count];
      return bundle && { kind: "proof", bundle };
    },
  });
  expect(await endOf(it, await submit(it.client))).toBe("final");
  expect(troubles(it.events)).toEqual(["notFinal", "otherFact", "malformed", "malformed"]);
});

test("device client: an accepted transaction that the node lost, sent again", async () => {
  const it = await bench({ submit: (_transaction, count) => (count === 0 ? { kind: "accepted" } : undefined) });
  expect(await endOf(it, await submit(it.client))).toBe("final");
  expect(it.sent).toHaveLength(2);
});

test("device client: an accepted one that expired, signed anew with its nonce; a superseded transfer told", async () => {
  const expiring: Bench = await bench({
    submit: (_transaction, count) => (count === 0 ? { kind: "accepted" } : undefined),
    lookUp: (_id, count) => (count === 0 ? { kind: "expired" } : undefined),
  });
  expect(await endOf(expiring, await submit(expiring.client, transferBody(bob, 1n)))).toBe("final");
  expect(expiring.sent.map(({ nonce }) => nonce)).toEqual([0n, 0n]);
  const superseded = await bench({ lookUp: () => ({ kind: "superseded" }) });
  expect(await endOf(superseded, await submit(superseded.client, transferBody(bob, 1n)))).toBe("superseded");
});

test("device client: a sponsored device sends nothing before it is registered, waits for its owner's funds, takes only anchors", async () => {
  let isSponsored = false;
  const it: Bench = await bench(
    {
      isSponsored: () => isSponsored,
      submit: (_transaction, count) => (count < 2 ? { kind: "refused", code: "insufficientFunds", detail: "" } : undefined),
    },
    { isSponsored: true },
  );
  expect(await it.client.submit(transferBody(bob, 1n))).toEqual(err("notSponsored"));
  const submission = await submit(it.client);
  expect(await it.time.until(() => it.sent.length > 0, 120_000)).toBe(false);
  isSponsored = true;
  expect(await endOf(it, submission)).toBe("final");
  expect(new Set(troubles(it.events))).toEqual(new Set(["notReady", "insufficientFunds"]));
});

test("device client: orders outside the grammar, beyond the queue, after the end, refused; what waits is told closed", async () => {
  const it = await bench({ submit: () => ({ kind: "noAnswer", detail: "" }) }, { queueMax: 2 });
  expect(await it.client.submit(anchorBody("", "1"))).toEqual(err("malformed"));
  expect(await it.client.submit(anchorBody("s", "x".repeat(4_097)))).toEqual(err("malformed"));
  const [first] = [await submit(it.client), await submit(it.client)];
  expect(await it.client.submit(anchorBody("s", "1"))).toEqual(err("queueFull"));
  await it.client.close();
  expect(await first.ended).toEqual({ kind: "closed" });
  expect(await it.client.submit(anchorBody("s", "1"))).toEqual(err("closed"));
});

test("device client: after a restart the same bytes go out, the queue goes on, and damaged records are left alone", async () => {
  const storage = memoryStorage();
  const silent = await bench({ submit: () => ({ kind: "noAnswer", detail: "" }) }, { storage });
  const before = await submit(silent.client);
  await submit(silent.client, anchorBody("s", "2"));
  await silent.time.until(() => silent.sent.length > 2, 60_000);
  await silent.client.close();
  await storage.put("out.0000000000000007", utf8("damaged"));
  const again = await bench({}, { storage });
  expect(again.client.strangeRecords).toBe(1);
  const [first, second] = again.client.pending;
  expect(first?.ids.map(toHex)).toEqual(before.ids.map(toHex));
  for (const each of [first, second]) expect(await endOf(again, present(each, "both are kept"))).toBe("final");
  expect(toHex(again.sent[0]?.encoded ?? bob)).toBe(toHex(silent.sent[0]?.encoded ?? bob));
  expect((await submit(again.client)).sequence).toBe(2);
});

test("device client: storage that fails, nothing sent that it does not hold, and the owner told once", async () => {
  let failsFrom = 0;
  let writes = 0;
  const memory = memoryStorage();
  const storage: DeviceStorage = {
    ...memory,
    put: async (key, record) => {
      if (++writes > failsFrom) throw new Error("disk full");
      await memory.put(key, record);
    },
  };
  const failures: unknown[] = [];
  const it = await bench({}, { storage, onFailure: (error) => failures.push(error) });
  await expect(it.client.submit(anchorBody("s", "1"))).rejects.toThrow("disk full");
  failsFrom = writes + 1;
  const submission = await submit(it.client); // the order is kept, the signed bytes cannot be
  expect(await endOf(it, submission)).toBe("closed");
  expect(it.sent).toEqual([]);
  expect(failures.map(String)).toEqual(["Error: disk full"]);
});
