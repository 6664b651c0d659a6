import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../src/cli/network-files.ts";
import { localSigner, parsePkcs8Pem, type Signer } from "../../src/crypto/index.ts";
import { err, ok, Prng, present, silentLog, utf8 } from "../../src/kernel/index.ts";
import { type AskedPeer, Asker, encodeSnapshotRequest, OUTSIDE_PROTOCOLS, parsePeerAddress } from "../../src/network/index.ts";
import { HOME } from "../../src/node/home.ts";
import { examineHome, type NodeSetup, openSetup, type RunningNode, startNode } from "../../src/node/index.ts";
import { takeSnapshot } from "../../src/node/joining.ts";
import { systemPlatform } from "../../src/node/platform.ts";
import { decodeSnapshotManifest, encodeSnapshotManifest, signTransaction, transactionAad } from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";
import { MemoryFileSystem } from "../../src/storage/index.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-snapshot-"));
const running = new Map<number, RunningNode>();
let net: Awaited<ReturnType<typeof createNetwork>>;
let rich: Signer;
let nonce = 0n;
let ports: readonly number[];

/** Ports of loopback that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }));
  const found = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return found;
}

const setupOf = (index: number): Promise<NodeSetup> => openSetup(net.homes[index] as string, {}, () => Promise.resolve(undefined));

async function start(index: number): Promise<RunningNode> {
  const node = await startNode(await setupOf(index), silentLog);
  running.set(index, node);
  return node;
}

async function stop(index: number): Promise<void> {
  await running.get(index)?.stop();
  running.delete(index);
}

const get = async (node: RunningNode, path: string): Promise<{ status: number; json: Record<string, unknown> }> => {
  const answer = await fetch(`${node.http}/api/v2${path}`);
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
};
const heightOf = async (node: RunningNode): Promise<number> => Number((await get(node, "/status")).json["height"]);

/** Resolves when something holds; the test's own limit ends what never does. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Submits one anchor and waits until it is final; gives its id. */
async function anchor(node: RunningNode): Promise<string> {
  const body = { type: 2, stream: "s", content: { data: utf8("1") } } as const;
  const order = { sender: rich.publicKey, nonce: nonce++, fee: 1000n, validUntil: 100_000n, body };
  const encoded = signTransaction(rich, transactionAad(net.genesisHash), order);
  const init = { method: "POST", headers: { "content-type": "application/cose" }, body: Uint8Array.from(encoded) };
  let id = "";
  await until(async () => {
    const answer = await fetch(`${node.http}/api/v2/transactions`, init);
    const { transactions } = (await answer.json()) as { transactions?: { id: string; status: string; code?: string }[] };
    id = transactions?.[0]?.id ?? "";
    return transactions?.[0]?.status === "accepted" || transactions?.[0]?.code === "duplicate";
  });
  await until(async () => (await get(node, `/transactions/${id}?wait=final&timeoutMs=5000`)).json["status"] === "final");
  return id;
}

beforeAll(async () => {
  ports = freePorts(4);
  const random = new Prng(7);
  net = await createNetwork(
    {
      directory: join(folder, "net"),
      chainName: "unit",
      validators: 4,
      timeMs: Date.now() - 1_000,
      settingsOf: (index, keys) => ({
        "http.listen": "127.0.0.1:0",
        "network.listen": `127.0.0.1:${ports[index]}`,
        "network.peers": keys.flatMap((key, other) => (other === index ? [] : [`${key}@127.0.0.1:${ports[other]}`])).join(","),
        "storage.checkpointBlocks": "2",
        "storage.snapshotBlocks": "3",
      }),
    },
    { bytes: (count) => random.bytes(count) },
  );
  const seed = parsePkcs8Pem(readFileSync(net.accounts[0]?.key as string, "utf8"));
  if (!seed.ok) throw new Error("the demo key parses");
  rich = localSigner(seed.value);
  const nodes = await Promise.all([0, 1, 2].map(start));
  for (let count = 0; count < 8; count++) await anchor(nodes[count % 3] as RunningNode);
}, 240_000);

afterAll(async () => {
  for (const index of [...running.keys()]) await stop(index);
  rmSync(folder, { recursive: true, force: true });
});

describe("snapshot", () => {
  test("snapshot: an empty home, a chain that begins at a peer's snapshot, goes on, restarts and proves", async () => {
    const first = present(running.get(0), "it runs");
    const early = await anchor(first);
    const joined = await start(3);
    const late = await anchor(joined);
    expect((await get(joined, `/transactions/${late}/proof`)).status).toBe(200);
    const below = await get(joined, "/blocks/1");
    expect(below.status).toBe(410);
    expect(below.json["code"]).toBe("pruned");
    const lowest = Number(below.json["lowestHeight"]);
    expect(lowest).toBeGreaterThan(3);
    expect((await get(joined, `/blocks/${lowest}`)).status).toBe(200);
    const { blocks } = (await get(joined, "/blocks?from=1&limit=1")).json as { blocks: { height: number }[] };
    expect(blocks.map(({ height }) => height)).toEqual([lowest]);
    const { events: records } = (await get(joined, "/events?lane=chain&limit=100")).json as { events: { sequence: number }[] };
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, at) => at + 1));
    expect((await get(first, `/transactions/${early}`)).json["status"]).toBe("final");
    await stop(3);
    const again = await start(3);
    const after = await anchor(again);
    expect((await get(again, `/transactions/${after}`)).json["status"]).toBe("final");
    await until(async () => (await heightOf(again)) === (await heightOf(first)));
    await stop(3);
    const options = { reexecutes: true, askPassphrase: () => Promise.resolve(undefined), onProgress() {} };
    const report = await examineHome(net.homes[3] as string, options);
    expect(report.findings).toEqual([]);
    expect(report.reexecutedStateRoot).toBe(report.stateRoot as string);
  }, 240_000);

  describe("of liars", () => {
    let honest: AskedPeer;
    let asker: Asker;
    let manifest: Uint8Array;
    beforeAll(async () => {
      asker = await Asker.start(systemPlatform, "test");
      const address = parsePeerAddress(`127.0.0.1:${ports[0]}`);
      honest = present(address.ok ? await asker.connect(address.value) : undefined, "a running node is reached");
      const answer = await honest.ask(OUTSIDE_PROTOCOLS.snapshot, encodeSnapshotRequest());
      manifest = answer.ok ? answer.value : new Uint8Array(0);
    });
    afterAll(() => asker.stop());

    /** A peer that answers requests for parts in its own way. */
    const peerOf = (part: AskedPeer["ask"], offer: Uint8Array = manifest): AskedPeer => ({
      ask: (protocol, request) => (request.length === 1 ? Promise.resolve(ok(offer)) : part(protocol, request)),
    });
    const take = async (
      peers: readonly AskedPeer[],
      fs = diskOf(),
      timers = systemPlatform.timers,
    ): Promise<{ isTaken: boolean; fs: MemoryFileSystem }> => {
      const setup = { ...(await setupOf(3)), home: "/home" };
      const platform = { ...systemPlatform, fs, freeBytes: () => 2 ** 40, timers };
      return { isTaken: await takeSnapshot(setup, platform, peers, silentLog), fs };
    };
    const diskOf = (): MemoryFileSystem => {
      const fs = new MemoryFileSystem();
      fs.makeDirectory("/home");
      return fs;
    };
    const vanished: AskedPeer["ask"] = () => Promise.resolve(err("unreachable"));
    const damaging: AskedPeer["ask"] = async (protocol, request) => {
      const answer = await honest.ask(protocol, request);
      return answer.ok ? ok(answer.value.map((byte, at) => (at === answer.value.length >> 1 ? byte ^ 1 : byte))) : answer;
    };

    test("snapshot: a part that is damaged, or a peer that vanishes, taken from another", async () => {
      expect((await take([peerOf(damaging), peerOf(vanished), honest])).isTaken).toBe(true);
    });

    test("snapshot: a peer that says for every part that it is too busy, the others give them meanwhile; alone, given up on", async () => {
      let waits = 0;
      const after = (_delayMs: number, action: () => void): (() => void) => {
        waits++;
        action();
        return () => {};
      };
      const busy = peerOf(() => Promise.resolve(err("busy")));
      expect((await take([busy, honest], diskOf(), { after })).isTaken).toBe(true);
      expect(waits).toBe(0);
      expect((await take([busy], diskOf(), { after })).isTaken).toBe(false);
      expect(waits).toBe(299);
    });

    test("snapshot: nobody gives the parts, nothing is left that a start would use", async () => {
      const { isTaken, fs } = await take([peerOf(damaging), peerOf(vanished)]);
      expect(isTaken).toBe(false);
      expect([HOME.snapshot, HOME.snapshotState].map((name) => fs.stat(`/home/${name}`))).toEqual([undefined, undefined]);
    });

    test("snapshot: of a block below the journal's floor, or of too short a chain, not taken", async () => {
      const decoded = decodeSnapshotManifest(manifest);
      if (!decoded.ok) throw new Error("an honest manifest decodes");
      const { epoch, view, height } = decoded.value.block.header;
      const platform = { ...systemPlatform, fs: diskOf(), freeBytes: () => 2 ** 40 };
      const setup = { ...(await setupOf(3)), home: "/home" };
      expect(await takeSnapshot(setup, platform, [honest], silentLog, { epoch, view: view + 1 })).toBe(false);
      const storage = { ...setup.configuration.storage, snapshotBlocks: height + 1 };
      const patient = { ...setup, configuration: { ...setup.configuration, storage } };
      expect(await takeSnapshot(patient, platform, [honest], silentLog)).toBe(false);
      expect(await takeSnapshot(setup, platform, [honest], silentLog, { epoch, view })).toBe(true);
    });

    test("snapshot: a manifest of parts that give another state, or of a block that is not final, refused", async () => {
      const decoded = decodeSnapshotManifest(manifest);
      if (!decoded.ok) throw new Error("an honest manifest decodes");
      const { block, parts } = decoded.value;
      const short = encodeSnapshotManifest({ ...decoded.value, parts: parts.slice(1) });
      expect((await take([peerOf((protocol, request) => honest.ask(protocol, request), short)])).isTaken).toBe(false);
      const forged = { ...block, header: { ...block.header, stateRoot: new Uint8Array(32) } };
      expect((await take([peerOf(vanished, encodeSnapshotManifest({ ...decoded.value, block: forged }))])).isTaken).toBe(false);
      expect((await take([peerOf(vanished, manifest.subarray(1)), honest])).isTaken).toBe(true);
    });

    test("snapshot: the power cut before any effect on the disk, whole or not there, and taken again", async () => {
      for (let cutAt = 0, wasCut = true; wasCut; cutAt++) {
        let effects = 0;
        const fs = new MemoryFileSystem({
          prng: new Prng(cutAt + 1),
          onEffect: () => {
            if (++effects === cutAt + 3 && wasCut) throw new PowerCut();
          },
        });
        fs.makeDirectory("/home");
        fs.syncDirectory("/");
        wasCut = true;
        wasCut = await take([honest], fs).then(
          () => false,
          (error: unknown) => error instanceof PowerCut,
        );
        fs.crash();
        const isMarked = fs.stat(`/home/${HOME.snapshot}`) !== undefined;
        expect(isMarked || wasCut).toBe(true);
        if (isMarked) expect(State.load(fs, `/home/${HOME.snapshotState}`, net.genesisHash).ok).toBe(true);
        expect((await take([honest], fs)).isTaken).toBe(true);
      }
    });

    test("snapshot: the power cut while another takes the place of one that no chain began at, no state beside the other's proof", async () => {
      for (let cutAt = 0, wasCut = true; wasCut; cutAt++) {
        let effects = Number.NEGATIVE_INFINITY;
        const fs = new MemoryFileSystem({
          prng: new Prng(cutAt + 1),
          onEffect: () => {
            if (++effects === cutAt) throw new PowerCut();
          },
        });
        fs.makeDirectory("/home");
        fs.syncDirectory("/");
        const file = fs.open(`/home/${HOME.snapshot}`, "createNew");
        file.write(0, Uint8Array.of(1));
        file.sync();
        file.close();
        fs.syncDirectory("/home");
        effects = -1;
        wasCut = await take([honest], fs).then(
          () => false,
          (error: unknown) => error instanceof PowerCut,
        );
        fs.crash();
        const isEarlier = fs.stat(`/home/${HOME.snapshot}`)?.sizeBytes === 1;
        const isStateThere = fs.stat(`/home/${HOME.snapshotState}`) !== undefined;
        expect([cutAt, isEarlier && isStateThere]).toEqual([cutAt, false]);
      }
    });
  });
});

/** Stops everything before an effect on the disk. */
class PowerCut extends Error {
  override readonly name = "PowerCut";
}
