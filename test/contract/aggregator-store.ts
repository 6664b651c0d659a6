/** The aggregator's store: one suite, run by every implementation. */
import { beforeEach, describe, expect, test } from "bun:test";
import { EMPTY_LANE, event, type LaneTip, sealRecord, tipOf } from "../../src/events/index.ts";
import { present, utf8 } from "../../src/kernel/index.ts";
import type { AggregatorStore, Appendage, EnrolledNode, LaneHolding, NodeRef, StoredEvent } from "../../sync/aggregator/index.ts";
import { appendageBytes } from "../../sync/aggregator/quota.ts";
import { FINDINGS_OF_NODE_MAX } from "../../sync/aggregator/stores/sql-store.ts";
import type { SyncLane } from "../../sync/protocol/index.ts";

/** An implementation under test. */
export type StoreSubject = {
  readonly name: string;
  /** Opens an empty store. */
  readonly fresh: () => Promise<AggregatorStore>;
  /** Opens another writer on what `fresh` made; the same one where a store has only one. */
  readonly another: () => Promise<AggregatorStore>;
  /** Opens what `fresh` made again, as after a kill: the writer before is never closed. */
  readonly reopen: () => Promise<AggregatorStore>;
};

const NETWORK = "ab".repeat(32);

/** Name of a node. */
export const refOf = (node: string): NodeRef => ({ network: NETWORK, node });

/** A node as enrolled. */
export function nodeOf(name: string, key = 1): EnrolledNode {
  const about = { software: "0.1.0", profile: "unmetered", site: "here", status: "enrolled" } as const;
  return { ...refOf(name), identityKey: new Uint8Array(32).fill(key), ...about, enrolledAtMs: 1_000, lastHelloAtMs: 2_000 };
}

/** The next records of a node's ops lane, with the holdings around them. */
export function appendageOf(ref: NodeRef, before: LaneHolding | undefined, count: number, epoch = before?.epoch ?? 1): Appendage {
  const isNext = before !== undefined && before.epoch === epoch;
  let tip: LaneTip = before ? { epoch, sequence: isNext ? before.sequence : 0, hash: before.hash } : { ...EMPTY_LANE, epoch };
  const events = Array.from({ length: count }, (_, at): StoredEvent => {
    const record = sealRecord(
      "ops",
      tip,
      5_000 + at,
      event("service.stopped", { service: ref.node, reason: `record ${tip.sequence + 1}` }),
    );
    tip = tipOf(record);
    const { sequence, timeMs, type, body, hash } = record;
    return { lane: "ops", epoch, sequence, timeMs, type, body, hash, receivedAtMs: 9_000 };
  });
  const peaks = [tip.hash, new Uint8Array(32).fill(count)];
  return { ref, before, after: { lane: "ops", epoch, sequence: tip.sequence, hash: tip.hash, peaks, checkpointed: 0 }, events };
}

/** The same records in another lane. */
function inLane(lane: SyncLane, { after, events, ...rest }: Appendage): Appendage {
  return { ...rest, after: { ...after, lane }, events: events.map((event) => ({ ...event, lane })) };
}

const START = { epoch: 0, sequence: 0 };

/** Runs the suite. */
export function describeAggregatorStore(subject: StoreSubject): void {
  describe(`aggregator store: ${subject.name}`, () => {
    let store: AggregatorStore;
    beforeEach(async () => {
      store = await subject.fresh();
      for (const name of ["a", "b"]) expect(await store.putNode(nodeOf(name))).toBe("stored");
    });

    test("aggregator store: nodes, kept whole, listed in order, and true to their identity", async () => {
      const full = { ...nodeOf("B"), validatorKey: new Uint8Array(32).fill(7), site: "Zürich" };
      expect(await store.putNode(full)).toBe("stored");
      expect(await store.findNode(refOf("B"))).toEqual(full);
      expect(await store.findNode(refOf("nobody"))).toBeUndefined();
      expect(await store.putNode(nodeOf("a", 2))).toBe("otherIdentity");
      expect(await store.putNode({ ...nodeOf("a"), software: "0.2.0" })).toBe("stored");
      const names = (nodes: readonly EnrolledNode[]) => nodes.map(({ node, software }) => `${node} ${software}`);
      expect(names(await store.listNodes(undefined, 10))).toEqual(["B 0.1.0", "a 0.2.0", "b 0.1.0"]);
      expect(names(await store.listNodes(refOf("B"), 1))).toEqual(["a 0.2.0"]);
    });

    test("aggregator store: a name with a zero character, kept without harm", async () => {
      expect(await store.putNode({ ...nodeOf("a"), software: "1\u00002" })).toBe("stored");
      expect((await store.findNode(refOf("a")))?.software).toMatch(/^1.2$/s);
      await store.addAudit({ atMs: 1, actor: "\u0000", action: "login", target: "", outcome: "refused", detail: "" });
      expect(await store.findNode(refOf("\u0000"))).toBeUndefined();
    });

    test("aggregator store: a revoked node, let in by enrolment alone", async () => {
      expect(await store.enrolment.revokeNode(refOf("a"), 5_000)).toBe(true);
      expect(await store.enrolment.revokeNode(refOf("c"), 5_000)).toBe(false);
      expect(await store.putNode(nodeOf("a"))).toBe("revoked");
      expect(await store.enrolment.listRevokedSince(5_000)).toEqual([refOf("a")]);
      expect(await store.enrolment.listRevokedSince(5_001)).toEqual([]);
    });

    test("aggregator store: records, appended and read in both directions, across incarnations", async () => {
      const first = appendageOf(refOf("a"), undefined, 5);
      expect(await store.append([first])).toEqual(["stored"]);
      const second = appendageOf(refOf("a"), first.after, 3, 2);
      expect(await store.append([second])).toEqual(["stored"]);
      const all = [...first.events, ...second.events];
      expect(await store.readEvents(refOf("a"), "ops", START, 100)).toEqual(all);
      expect(await store.readEvents(refOf("a"), "ops", { epoch: 1, sequence: 3 }, 3)).toEqual(all.slice(3, 6));
      expect(await store.readEventsBefore(refOf("a"), "ops", { epoch: 2, sequence: 2 }, 3)).toEqual(all.slice(3, 6).reverse());
      expect(await store.readEvents(refOf("b"), "ops", START, 100)).toEqual([]);
      expect(await store.readEvents(refOf("a"), "crit", START, 100)).toEqual([]);
      expect(await store.holdings(refOf("a"))).toEqual([second.after]);
      expect(await store.findHash(refOf("a"), "ops", { epoch: 1, sequence: 4 })).toEqual(present(first.events[3], "a fourth record").hash);
      expect(await store.findHash(refOf("a"), "ops", { epoch: 1, sequence: 6 })).toBeUndefined();
    });

    test("aggregator store: many appendages in one step, each all or nothing", async () => {
      const a = appendageOf(refOf("a"), undefined, 500);
      const stale = appendageOf(refOf("a"), appendageOf(refOf("a"), undefined, 3).after, 2);
      const b = appendageOf(refOf("b"), undefined, 2);
      const follows = appendageOf(refOf("b"), b.after, 2);
      const nobody = appendageOf(refOf("nobody"), undefined, 2);
      expect(await store.append([a, stale, b, follows, nobody])).toEqual(["stored", "moved", "stored", "stored", "moved"]);
      expect((await store.readEvents(refOf("a"), "ops", START, 1_000)).length).toBe(500);
      expect(await store.holdings(refOf("b"))).toEqual([follows.after]);
      expect(await store.append([appendageOf(refOf("a"), undefined, 1)])).toEqual(["moved"]);
      const behindGap = {
        ...appendageOf(refOf("a"), a.after, 1),
        after: { ...appendageOf(refOf("a"), a.after, 1).after, peaks: undefined },
      };
      expect(await store.append([behindGap])).toEqual(["stored"]);
      expect(await store.holdings(refOf("a"))).toEqual([behindGap.after]);
    });

    test("aggregator store: two writers on one lane, one of them is told that it moved, and nothing is there twice", async () => {
      const other = await subject.another();
      const tallies = { stored: 0, moved: 0, full: 0 };
      const write = async (writer: AggregatorStore): Promise<void> => {
        for (let round = 0; round < 20; round++) {
          const [before] = await writer.holdings(refOf("a"));
          const [outcome] = await writer.append([appendageOf(refOf("a"), before, 3), appendageOf(refOf("b"), undefined, 1)]);
          tallies[present(outcome, "an outcome")]++;
        }
      };
      await Promise.all([write(store), write(other)]);
      expect(tallies.stored + tallies.moved).toBe(40);
      const events = await store.readEvents(refOf("a"), "ops", START, 1_000);
      expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 3 * tallies.stored }, (_, at) => at + 1));
      expect((await other.readEvents(refOf("b"), "ops", START, 1_000)).length).toBe(1);
    });

    test("aggregator store: a node's quota, counted with the step; ops ends there, crit half as much later, others untouched", async () => {
      const first = appendageOf(refOf("a"), undefined, 10);
      const quotaBytes = appendageBytes(first) + 50;
      expect(await store.append([{ ...first, quotaBytes }])).toEqual(["stored"]);
      const counted = { lanes: [{ lane: "ops", bytes: appendageBytes(first) }] } as const;
      expect(await store.usage(refOf("a"))).toEqual(counted);
      const more = { ...appendageOf(refOf("a"), first.after, 1), quotaBytes };
      const others = { ...appendageOf(refOf("b"), undefined, 3), quotaBytes };
      expect(await store.append([more, others])).toEqual(["full", "stored"]);
      expect(await store.holdings(refOf("a"))).toEqual([first.after]);
      expect(await store.usage(refOf("a"))).toEqual(counted);
      const vital = (before: LaneHolding | undefined): Appendage => ({ ...inLane("crit", appendageOf(refOf("a"), before, 1)), quotaBytes });
      const crit = vital(undefined);
      expect(await store.append([crit])).toEqual(["stored"]);
      let held = crit.after;
      for (let outcome = "stored"; outcome === "stored"; ) {
        const next = vital(held);
        outcome = present((await store.append([next]))[0], "an outcome");
        if (outcome === "stored") held = next.after;
        else expect(outcome).toBe("full");
      }
      const used = (await store.usage(refOf("a"))).lanes.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(used).toBeWithin(quotaBytes * 1.5 - appendageBytes(crit) - 1, quotaBytes * 1.5 + 1);
    });

    test("aggregator store: a quota in one step for several lanes and appendages, each judged by what is before it", async () => {
      const first = appendageOf(refOf("a"), undefined, 20);
      const second = appendageOf(refOf("a"), first.after, 5);
      const crit = inLane("crit", appendageOf(refOf("a"), undefined, 2));
      const quotaBytes = appendageBytes(first) + 10;
      const steps = [first, second, crit, first].map((step) => ({ ...step, quotaBytes }));
      expect(await store.append(steps)).toEqual(["stored", "full", "stored", "moved"]);
      expect((await store.usage(refOf("a"))).lanes).toEqual([
        { lane: "crit", bytes: appendageBytes(crit) },
        { lane: "ops", bytes: appendageBytes(first) },
      ]);
    });

    test("aggregator store: a new incarnation, counted beside the one before; a checkpoint, counted too", async () => {
      const first = appendageOf(refOf("a"), undefined, 4);
      const noted = { ...first, checkpoint: { size: 4, note: "four\n".repeat(20) } };
      expect(appendageBytes(noted)).toBeGreaterThan(appendageBytes(first) + 100);
      const second = appendageOf(refOf("a"), first.after, 2, 2);
      expect(await store.append([noted, second])).toEqual(["stored", "stored"]);
      expect((await store.usage(refOf("a"))).lanes).toEqual([{ lane: "ops", bytes: appendageBytes(noted) + appendageBytes(second) }]);
      expect(await (await subject.reopen()).usage(refOf("a"))).toEqual({
        lanes: [{ lane: "ops", bytes: appendageBytes(noted) + appendageBytes(second) }],
      });
    });

    test("aggregator store: two writers on two lanes of a node at its quota, beyond it by what is under way and no more", async () => {
      const other = await subject.another();
      const size = appendageBytes(appendageOf(refOf("a"), undefined, 20));
      const quotaBytes = 10 * size;
      const write = async (writer: AggregatorStore, lane: "chain" | "ops"): Promise<void> => {
        for (;;) {
          const before = (await writer.holdings(refOf("a"))).find((held) => held.lane === lane);
          const [outcome] = await writer.append([{ ...inLane(lane, appendageOf(refOf("a"), before, 20)), quotaBytes }]);
          if (outcome === "full") return;
        }
      };
      await Promise.all([write(store, "ops"), write(other, "ops"), write(store, "chain"), write(other, "chain")]);
      const { lanes } = await store.usage(refOf("a"));
      const used = lanes.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(used).toBeWithin(quotaBytes * 1.25 - 1.2 * size, quotaBytes * 1.25 + 2 * size);
      for (const { lane, bytes } of lanes) {
        const events = await store.readEvents(refOf("a"), lane, START, 10_000);
        expect(bytes).toBe(appendageBytes({ events }));
      }
    });

    test("aggregator store: a quota of a node's own, in force at once, kept by its hellos, and taken back", async () => {
      const first = appendageOf(refOf("a"), undefined, 3);
      expect(await store.append([{ ...first, quotaBytes: 10 }])).toEqual(["full"]);
      expect(await store.setQuota(refOf("a"), { eventBytes: 1_000_000 })).toBe(true);
      expect(await store.append([{ ...first, quotaBytes: 10 }])).toEqual(["stored"]);
      expect(await store.putNode(nodeOf("a"))).toBe("stored");
      expect(await store.findNode(refOf("a"))).toEqual({ ...nodeOf("a"), quota: { eventBytes: 1_000_000 } });
      await store.setQuota(refOf("a"), { objectBytes: 7 });
      expect((await store.findNode(refOf("a")))?.quota).toEqual({ objectBytes: 7 });
      await store.setQuota(refOf("a"), {});
      expect(await store.findNode(refOf("a"))).toEqual(nodeOf("a"));
      expect(await store.setQuota(refOf("nobody"), {})).toBe(false);
      expect(await store.append([{ ...appendageOf(refOf("a"), first.after, 1), quotaBytes: 10 }])).toEqual(["full"]);
    });

    test("aggregator store: objects, counted by many at once and never beyond their limit; corrected by one count at a time", async () => {
      const other = await subject.another();
      const taken = await Promise.all(Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? store : other).countObject("p/", 100, 1_050)));
      expect(taken.filter((count) => count !== undefined)).toHaveLength(10);
      expect(await store.findObjectCount("p/")).toEqual({ bytes: 1_000, countedAtMs: 0 });
      expect(await store.countObject("q/", 2_000, 1_050)).toBeUndefined();
      expect(await store.findObjectCount("q/")).toBeUndefined();
      const begun = await Promise.all([store.beginRecount("p/", 50, 100), other.beginRecount("p/", 50, 101)]);
      expect(begun.filter((count) => count === 1_000)).toHaveLength(1);
      expect(begun.filter((count) => count === undefined)).toHaveLength(1);
      const beganAtMs = present(await store.findObjectCount("p/"), "a count").countedAtMs;
      expect(await store.countObject("p/", 40, 1_050)).toMatchObject({ bytes: 1_040 });
      await other.finishRecount("p/", beganAtMs - 1, 1_000, 0); // of a count that was begun before
      await other.finishRecount("p/", beganAtMs, 1_000, 300);
      expect(await store.findObjectCount("p/")).toEqual({ bytes: 340, countedAtMs: beganAtMs });
      expect(await store.beginRecount("q/", 0, 200)).toBe(0);
      await store.finishRecount("q/", 200, 0, 77);
      expect((await store.findObjectCount("q/"))?.bytes).toBe(77);
    });

    test("aggregator store: checkpoints, the newest that covers a record", async () => {
      const { after, ...rest } = appendageOf(refOf("a"), undefined, 9);
      await store.append([{ ...rest, after: { ...after, checkpointed: 8 }, checkpoint: { size: 8, note: "eight\n" } }]);
      expect(await store.findCheckpoint(refOf("a"), "ops", { epoch: 1, sequence: 8 })).toEqual({ size: 8, note: "eight\n" });
      expect(await store.findCheckpoint(refOf("a"), "ops", { epoch: 1, sequence: 9 })).toBeUndefined();
      expect((await store.holdings(refOf("a")))[0]?.checkpointed).toBe(8);
    });

    test("aggregator store: heartbeats, the latest of each node and one a minute of the past", async () => {
      for (let second = 0; second <= 180; second += 20) {
        await store.putHeartbeat({ ...refOf("a"), receivedAtMs: second * 1_000, timeMs: second, message: utf8(`beat ${second}`) });
      }
      await store.putHeartbeat({ ...refOf("nobody"), receivedAtMs: 1, timeMs: 1, message: utf8("beat") });
      const latest = { ...refOf("a"), receivedAtMs: 180_000, timeMs: 180, message: utf8("beat 180") };
      expect(await store.latestHeartbeats([refOf("b"), refOf("a"), refOf("nobody")])).toEqual([latest]);
      const times = async (sinceMs: number) =>
        (await store.heartbeatHistory(refOf("a"), sinceMs, 3)).map(({ receivedAtMs }) => receivedAtMs);
      expect(await times(0)).toEqual([0, 60_000, 120_000]);
      await store.pruneHeartbeats(60_001);
      expect(await times(0)).toEqual([120_000, 180_000]);
    });

    test("aggregator store: findings and audit, the newest first", async () => {
      await store.addFinding({ ...refOf("a"), atMs: 1, kind: "fork", lane: "ops", epoch: 1, sequence: 2, detail: "two" });
      await store.addFinding({ ...refOf("b"), atMs: 2, kind: "restored", detail: "" });
      expect((await store.listFindings(undefined, 10)).map(({ kind }) => kind)).toEqual(["restored", "fork"]);
      const fork = { ...refOf("a"), atMs: 1, kind: "fork", lane: "ops", epoch: 1, sequence: 2, detail: "two" } as const;
      expect(await store.listFindings(refOf("a"), 10)).toEqual([fork]);
      for (const atMs of [10, 20, 30]) await store.addAudit({ atMs, actor: "x", action: "y", target: "z", outcome: "done", detail: "" });
      expect((await store.listAudit(30, 10)).map(({ atMs }) => atMs)).toEqual([20, 10]);
    });

    test("aggregator store: findings of each node and the audit, the oldest let go over a count", async () => {
      const findingOf = (node: string, atMs: number) => ({ ...refOf(node), atMs, kind: "fork", detail: "" });
      await store.addFinding(findingOf("b", 1));
      for (let at = 1; at <= FINDINGS_OF_NODE_MAX + 5; at++) await store.addFinding(findingOf("a", at));
      const left = await store.listFindings(refOf("a"), 10_000);
      expect([left.length, left[0]?.atMs, left.at(-1)?.atMs]).toEqual([FINDINGS_OF_NODE_MAX, FINDINGS_OF_NODE_MAX + 5, 6]);
      expect(await store.listFindings(refOf("b"), 10)).toHaveLength(1);
      for (const atMs of [1, 2, 3, 4]) await store.addAudit({ atMs, actor: "x", action: "y", target: "z", outcome: "done", detail: "" });
      await store.pruneAudit(3);
      expect((await store.listAudit(9, 10)).map(({ atMs }) => atMs)).toEqual([4, 3, 2]);
    }, 60_000);

    test("aggregator store: logins, known to every writer until they end; the oldest go over a count, and those that are over", async () => {
      const loginOf = (at: number) => ({
        key: String(at).repeat(64),
        name: "root",
        passwordMark: "ab".repeat(32),
        expiresAtMs: 1_000 * at,
      });
      const other = await subject.another();
      for (let at = 1; at <= 4; at++) await store.putLogin(loginOf(at), 500, 3);
      expect(await other.findLogin(loginOf(1).key)).toBeUndefined();
      expect(await other.findLogin(loginOf(2).key)).toEqual(loginOf(2));
      await other.endLogin(loginOf(2).key);
      expect(await store.findLogin(loginOf(2).key)).toBeUndefined();
      await store.putLogin(loginOf(5), 3_000, 10);
      const left = await Promise.all([3, 4, 5].map((at) => store.findLogin(loginOf(at).key)));
      expect(left).toEqual([undefined, loginOf(4), loginOf(5)]);
      expect(await store.findLogin("")).toBeUndefined();
    });

    test("aggregator store: a claim, used once, and a certificate for it, issued once", async () => {
      const { enrolment } = store;
      const claim = {
        id: "c1",
        tokenHash: new Uint8Array(32).fill(3),
        network: NETWORK,
        site: "here",
        approval: "manual",
        madeBy: "me",
      } as const;
      await enrolment.putClaim({ ...claim, madeAtMs: 1, expiresAtMs: 2, status: "open" });
      expect(await enrolment.findClaim(claim.tokenHash)).toEqual({ ...claim, madeAtMs: 1, expiresAtMs: 2, status: "open" });
      const identityKey = nodeOf("c", 4).identityKey;
      const about = { claimId: "c1", ...refOf("c"), identityKey, csr: utf8("csr"), site: "here", address: "::1", requestedAtMs: 3 };
      const request = { id: "r1", ...about, status: "pending", decidedBy: "" } as const;
      const requests = await Promise.all([
        enrolment.openRequest(request),
        (await subject.another()).enrolment.openRequest({ ...request, id: "r2" }),
      ]);
      expect(requests.toSorted()).toEqual(["stored", "used"]);
      const id = requests[0] === "stored" ? "r1" : "r2";
      const certificate = {
        serial: "1f",
        requestId: id,
        ...refOf("c"),
        pem: "pem",
        notAfterMs: 9,
        issuedAtMs: 4,
        status: "valid",
      } as const;
      expect(await enrolment.issueCertificate(certificate, nodeOf("c", 4))).toBe("refused");
      expect(await enrolment.decideRequest(id, "approved", "me")).toBe(true);
      expect(await enrolment.decideRequest(id, "refused", "me")).toBe(false);
      expect(await enrolment.issueCertificate(certificate, nodeOf("c", 4))).toBe("stored");
      expect(await enrolment.issueCertificate({ ...certificate, serial: "2f" }, nodeOf("c", 4))).toBe("repeated");
      expect(await enrolment.findCertificate("1f")).toEqual(certificate);
      expect(await enrolment.listRequests("issued", 5)).toEqual([{ ...request, id, status: "issued", decidedBy: "me" }]);
      expect((await store.findNode(refOf("c")))?.status).toBe("enrolled");
      expect(await enrolment.issueCertificate({ ...certificate, serial: "3f", requestId: "renewal" }, undefined)).toBe("stored");
      await enrolment.revokeNode(refOf("c"), 7);
      expect(await enrolment.issueCertificate({ ...certificate, serial: "4f", requestId: "later" }, undefined)).toBe("revoked");
      expect((await enrolment.listCertificates(refOf("c"), 5)).map(({ status }) => status)).toEqual(["revoked", "revoked"]);
    });

    test("aggregator store: what a bus was given, by lane, moved only from where it stands", async () => {
      const [a, b] = [appendageOf(refOf("a"), undefined, 4), appendageOf(refOf("b"), undefined, 2)];
      await store.append([a, b]);
      const [first, second] = await store.lanesToForward("bus", undefined, 10);
      expect([first, second]).toEqual([refOf("a"), refOf("b")].map((ref) => ({ ref, lane: "ops", forwarded: START }) as const));
      expect(await store.lanesToForward("bus", present(first, "a lane"), 10)).toEqual([present(second, "another lane")]);
      const step = { ...present(first, "a lane"), to: { epoch: 1, sequence: 3 } };
      const other = await subject.another();
      const outcomes = (await Promise.all([store.moveForwarded("bus", [step]), other.moveForwarded("bus", [step])])).flat();
      expect(outcomes.toSorted()).toEqual(["moved", "stored"]);
      expect((await store.lanesToForward("bus", undefined, 1))[0]?.forwarded).toEqual(step.to);
      expect((await store.lanesToForward("other", undefined, 1))[0]?.forwarded).toEqual(START);
      await store.moveForwarded("bus", [{ ...step, forwarded: step.to, to: { epoch: 1, sequence: 4 } }]);
      expect((await store.lanesToForward("bus", undefined, 10)).map(({ ref }) => ref)).toEqual([refOf("b")]);
    });

    test("aggregator store: the one who hands on, until its time is over", async () => {
      expect(await store.leaseForwarding("bus", "x", 0, 100)).toBe(true);
      expect(await store.leaseForwarding("bus", "y", 99, 200)).toBe(false);
      expect(await store.leaseForwarding("bus", "x", 99, 200)).toBe(true);
      expect(await store.leaseForwarding("bus", "y", 200, 300)).toBe(true);
      expect(await store.leaseForwarding("other", "x", 0, 100)).toBe(true);
    });

    test("aggregator store: opened again after a kill, everything that was promised is there", async () => {
      const first = appendageOf(refOf("a"), undefined, 7);
      await store.append([first]);
      const again = await subject.reopen();
      expect(await again.holdings(refOf("a"))).toEqual([first.after]);
      expect(await again.readEvents(refOf("a"), "ops", START, 100)).toEqual(first.events);
      expect(await again.append([appendageOf(refOf("a"), first.after, 2)])).toEqual(["stored"]);
    });
  });
}
