import { expect, test } from "bun:test";
import { localSigner, sha256 } from "../../../../src/crypto/index.ts";
import { event } from "../../../../src/events/index.ts";
import { utf8 } from "../../../../src/kernel/index.ts";
import { ESCROW_BOUNDS } from "../../../../sync/agent/index.ts";
import { decodeStanding, encodeEscrowRequest, encodeStanding, type SyncCursor, signWitness } from "../../../../sync/protocol/index.ts";
import { witness } from "../aggregator/ingest-world.ts";
import { network } from "./agent-world.ts";
import { deposit, EscrowBox, EscrowWorld, parcelOf, worldInOutage } from "./escrow-world.ts";

test("escrow: parcels changed, cut off, of another network or signed by another, nothing of them is kept", async () => {
  const world = new EscrowWorld(["a", "b"]);
  const [a, b] = [world.box("a"), world.box("b")];
  a.alert(4);
  const parcel = parcelOf(a, 1, 4);
  for (let at = 0; at < parcel.length; at += 3) {
    expect(
      (
        await deposit(
          b,
          "m",
          parcel.map((byte, index) => (index === at ? byte ^ 1 : byte)),
        )
      ).verdict,
    ).toBe("refused");
    if (at > 0) expect((await deposit(b, "m", parcel.subarray(0, at))).verdict).toBe("refused");
  }
  const elsewhere = sha256(utf8("another network"));
  expect((await deposit(b, "m", parcelOf(a, 1, 4, { network: elsewhere }))).verdict).toBe("refused");
  expect((await deposit(b, "m", parcelOf(a, 1, 4, {}, b.identity))).verdict).toBe("refused");
  expect((await deposit(b, "m", parcelOf(a, 1, 4, { tipHash: elsewhere }))).verdict).toBe("refused");
  expect((await deposit(b, "m", parcelOf(a, 1, 4, { to: 5 }))).verdict).toBe("refused");
  expect(b.table.origins()).toEqual([]);
  expect(await b.keeper.answer("m", utf8("no request"))).toBeUndefined();
  expect(await deposit(b, "m", parcel)).toMatchObject({ verdict: "held", sequence: 4 });
});

test("escrow: two histories of one identity, the first is kept whole and the second refused", async () => {
  const world = new EscrowWorld(["a", "b"]);
  const [a, b] = [world.box("a"), world.box("b")];
  const copy = new EscrowWorld(["a"]).box("a");
  a.alert(6);
  copy.log.appendCrit(event("alert.cleared", { alert: "elsewhere" }));
  copy.alert(9);
  expect((await deposit(b, "a", parcelOf(a, 1, 3))).verdict).toBe("held");
  expect(await deposit(b, "a", parcelOf(copy, 1, 3))).toMatchObject({ verdict: "fork", sequence: 3 });
  expect((await deposit(b, "a", parcelOf(copy, 4, 9))).verdict).toBe("fork");
  expect((await deposit(b, "a", parcelOf(a, 2, 5))).verdict).toBe("gap");
  expect((await deposit(b, "a", parcelOf(a, 1, 3))).verdict).toBe("held");
  expect((await deposit(b, "a", parcelOf(a, 2, 2))).verdict).toBe("held");
  expect((await deposit(b, "a", parcelOf(copy, 2, 2))).verdict).toBe("fork");
  expect((await deposit(b, "a", parcelOf(a, 5, 6))).verdict).toBe("held");
  expect((await deposit(b, "a", parcelOf(a, 4, 4))).verdict).toBe("gap"); // was left out: it is not held, and is not said to be
  expect(b.keeps(a)).toEqual(["1-3", "5-6"]);
});

test("escrow: a release without a witness's word on just these records, nothing may go", async () => {
  const world = await worldInOutage(["a", "b"]);
  const [a, b] = [world.box("a"), world.box("b")];
  a.alert(9);
  await deposit(b, "a", parcelOf(a, 2, 6));
  const cursorOf = (sequence: number): SyncCursor => {
    const read = a.log.read("crit", { epoch: 1, sequence: sequence - 1 }, 1);
    return { lane: "crit", epoch: 1, sequence, hash: (read.ok ? read.value[0]?.hash : undefined) ?? network };
  };
  const release = async (cursor: SyncCursor, signer = witness, net = network): Promise<string> => {
    const proof = {
      ...cursor,
      timeMs: 5,
      witness: signWitness(signer, net, a.identity.publicKey, cursor, 5),
      witnessKey: signer.publicKey,
    };
    const answer = await b.keeper.answer("m", encodeEscrowRequest({ kind: "release", identityKey: a.identity.publicKey, proof }));
    const standing = answer && decodeStanding(answer);
    return standing?.ok ? standing.value.verdict : "none";
  };
  const released = (): number | undefined => b.table.find(a.identity.publicKey)?.released.sequence;
  expect(await release(cursorOf(6), localSigner(sha256(utf8("a stranger"))))).toBe("refused");
  expect(await release(cursorOf(6), witness, sha256(utf8("another network")))).toBe("refused");
  await release({ ...cursorOf(6), hash: network });
  await release({ ...cursorOf(6), lane: "ops" });
  await release(cursorOf(9)); // which is not kept here, so nothing says that it follows from what is
  expect(released()).toBe(0);
  await release(cursorOf(4)); // within a parcel
  expect(released()).toBe(4);
  await release(cursorOf(3));
  expect(released()).toBe(4);
  await release(cursorOf(6));
  expect(released()).toBe(6);
  expect(b.keeps(a)).toEqual(["2-6"]); // what is released goes when room is wanted, not before
});

test("escrow: a flood by one peer under ever new identities, bounded, and room for others left", async () => {
  const world = new EscrowWorld(["b", "a"]);
  const b = world.box("b");
  const verdicts: string[] = [];
  for (let i = 0; i < 20; i++) {
    const stranger = new EscrowBox(world, `s${i}`, world.aggregator);
    stranger.alert();
    verdicts.push((await deposit(b, "flooder", parcelOf(stranger, 1, 1))).verdict);
  }
  expect(verdicts.filter((verdict) => verdict === "held").length).toBe(ESCROW_BOUNDS.originsOfPeerMax);
  world.box("a").alert();
  expect((await deposit(b, "a", parcelOf(world.box("a"), 1, 1))).verdict).toBe("held");
});

test("escrow: one origin beyond its room, refused until a witness releases, then the oldest released goes", async () => {
  const world = new EscrowWorld(["a", "b"]);
  const [a, b] = [world.box("a"), world.box("b")];
  a.alert(200);
  const parcelBytes = parcelOf(a, 11, 20).length;
  const bounds = { ...ESCROW_BOUNDS, originBytesMax: 5 * parcelBytes + 200 };
  b.rekeep(bounds);
  let at = 1;
  for (; (await deposit(b, "a", parcelOf(a, at, at + 9))).verdict === "held"; at += 10) expect(at).toBeLessThan(100);
  expect((await deposit(b, "a", parcelOf(a, at, at + 9))).verdict).toBe("full");
  expect([b.keeps(a)[0], b.keeps(a).length]).toEqual(["1-10", 5]);
  b.table.release(a.identity.publicKey, { epoch: 1, sequence: 25 });
  for (const freed of [1, 2]) {
    expect([freed, (await deposit(b, "a", parcelOf(a, at, at + 9))).verdict]).toEqual([freed, "held"]);
    at += 10;
  }
  expect((await deposit(b, "a", parcelOf(a, at, at + 9))).verdict).toBe("full"); // of the third one a part is not released
  expect(b.keeps(a)).toEqual(["21-30", "31-40", "41-50", "51-60", "61-70"]);
});

test("escrow: no room for all together, what is released of others goes first, and what is not stays", async () => {
  const world = new EscrowWorld(["a", "b", "c"]);
  const [a, b, c] = [world.box("a"), world.box("b"), world.box("c")];
  for (const box of [a, c]) box.alert(60);
  const parcelBytes = parcelOf(a, 11, 20).length;
  b.rekeep({ ...ESCROW_BOUNDS, bytesMax: 3 * parcelBytes + 200 });
  for (const at of [1, 11]) expect((await deposit(b, "a", parcelOf(a, at, at + 9))).verdict).toBe("held");
  expect((await deposit(b, "c", parcelOf(c, 1, 10))).verdict).toBe("held");
  expect((await deposit(b, "c", parcelOf(c, 11, 20))).verdict).toBe("full");
  b.table.release(a.identity.publicKey, { epoch: 1, sequence: 10 });
  expect((await deposit(b, "c", parcelOf(c, 11, 20))).verdict).toBe("held");
  expect([b.keeps(a), b.keeps(c)]).toEqual([["11-20"], ["1-10", "11-20"]]);
});

test("escrow: a peer that lies or is silent, another holds it as well and it comes through", async () => {
  for (const lie of ["nothing kept", "silence", "garbage", "a cursor that cannot be"]) {
    const world = await worldInOutage(["a", "b", "c", "d"]);
    const a = world.box("a");
    a.alert();
    await world.pass(5_000);
    const [liar] = world.keepersOf(a);
    if (!liar) throw new Error("somebody keeps it");
    liar.keeper.answer = async () => {
      if (lie === "silence") return undefined;
      if (lie === "garbage") return utf8("garbage");
      const hash = sha256(utf8("nothing"));
      return encodeStanding(
        lie === "nothing kept" ? { verdict: "held", epoch: 1, sequence: 1_000, hash } : { verdict: "gap", epoch: 9, sequence: 7, hash },
      );
    };
    a.alert(4);
    await world.pass(60_000);
    a.die();
    world.isOut = false;
    await world.pass(900_000, 1_000);
    expect([lie, await world.held(a)]).toEqual([lie, 6]);
  }
});

test("escrow: offers that an aggregator does not take, each with its code, and what it holds is untouched", async () => {
  const world = await worldInOutage(["a", "b"]);
  world.isOut = false;
  await world.pass(400_000, 1_000);
  const [a, b] = [world.box("a"), world.box("b")];
  a.die();
  a.alert(5);
  const stranger = new EscrowBox(world, "stranger", world.aggregator);
  stranger.alert();
  const copy = new EscrowWorld(["a"]).box("a");
  copy.alert(2);
  const renamed = new EscrowBox(world, "x", world.aggregator);
  renamed.alert();
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["unknownNode", parcelOf(stranger, 1, 1)],
    ["wrongNode", parcelOf(renamed, 1, 1, { node: "a" })],
    ["unknownNetwork", parcelOf(a, 2, 3, { network: sha256(utf8("another")) })],
    ["badSignature", parcelOf(a, 2, 3, {}, b.identity)],
    ["malformed", utf8("no parcel")],
    ["gap", parcelOf(a, 4, 6)],
    ["fork", parcelOf(copy, 2, 2, { previousHash: network })],
    ["brokenChain", parcelOf(a, 2, 3, { tipHash: network })],
    ["badCheckpoint", parcelOf(a, 2, 3, { checkpoint: "no note\n" })],
  ];
  for (const [code, parcel] of cases) expect([code, await b.agent.offer(parcel)]).toEqual([code, { refused: code }]);
  expect(await world.held(a)).toBe(1);
  const taken = await b.agent.offer(parcelOf(a, 2, 6));
  expect(taken && "ack" in taken && taken.ack.sequence).toBe(6);
  const again = await b.agent.offer(parcelOf(a, 2, 4));
  expect(again && "ack" in again && again.ack.sequence).toBe(4);
  expect(await world.held(a)).toBe(6);
});
