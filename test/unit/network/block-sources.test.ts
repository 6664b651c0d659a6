import { beforeEach, describe, expect, test } from "bun:test";
import type { Message } from "../../../src/consensus/index.ts";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { silentLog, toHex } from "../../../src/kernel/index.ts";
import { BlockSources, type BlockSourcesParts } from "../../../src/network/block-sources.ts";
import { Budget } from "../../../src/network/budget.ts";
import type { Link } from "../../../src/network/link.ts";
import { type Peer, PeerTable } from "../../../src/network/peer-table.ts";
import type { Block, Certificate } from "../../../src/protocol/index.ts";
import { ManualTime } from "../mempool/mempool-world.ts";

const NONE = Number.MAX_SAFE_INTEGER;
const ask = (fromHeight: number): Message => ({ kind: "fetch", target: { kind: "finalBlocks", fromHeight } });
const given = (height: number): Message =>
  // Only the height is looked at here; consensus judges the rest.
  ({ kind: "finalBlocks", blocks: [{ header: { height } } as Block], finalization: {} as Certificate });

let time: ManualTime;
let table: PeerTable;
let told: [string, number][];
let closed: string[];
let asked: string[];
let archives: Set<string>;
let sources: BlockSources;

/** A peer that is up; streams to it never open. */
function up(id: string, isValidator: boolean, lowestHeight?: number): Peer {
  const nodeKey = new Uint8Array(32).fill(id.charCodeAt(0));
  const newStream = (): Promise<never> => {
    asked.push(id);
    return new Promise(() => {});
  };
  const link = { nodeKey, connection: { id, newStream }, close: () => void closed.push(id) } as unknown as Link;
  const reaches = new Budget({ perSecond: 1, burst: 1 }, 0);
  const peer: Peer = { id, link, isValidator, provenHeight: undefined, lowestHeight, isBeyondUs: false, reaches, tipJudgedAtMs: 0 };
  table.add(link);
  table.raise(peer);
  sources.onChange(peer);
  return peer;
}

beforeEach(() => {
  [time, table, told, closed, asked, archives] = [new ManualTime(), new PeerTable(), [], [], [], new Set()];
  const tips = { chainId: new Uint8Array(32), findEpochSet: () => undefined, isFinalHere: () => false, verify: verifyEd25519 };
  const onPeerReach = (peer: string, lowest: number): void => void told.push([peer, lowest]);
  const ports = { clock: time, timers: time, log: silentLog, ownTip: () => undefined, tips, onPeerReach };
  sources = new BlockSources({
    ports: ports as unknown as BlockSourcesParts["ports"],
    table,
    isNamed: (peer) => peer === "n",
    isArchive: (nodeKey) => archives.has(toHex(nodeKey)),
    isFound: () => true,
    onChoice() {},
  });
});

describe("network: whom consensus may ask for final blocks", () => {
  test("sources: a validator's and a named peer's word is passed on, a stranger's is not", () => {
    up("v", true, 7);
    up("n", false, 9);
    up("s", false, 1);
    up("q", true);
    expect(told).toEqual([
      ["v", 7],
      ["n", 9],
      ["s", NONE],
    ]);
  });

  test("sources: a validator that claims everything and gives nothing, left out after three questions, heard again once it gives", () => {
    const liar = up("v", true, 1);
    up("w", true, 900);
    told.length = 0;
    for (let n = 0; n < 3; n++) {
      sources.onSent("v", ask(5));
      expect(told).toEqual([]);
    }
    sources.onSent("v", ask(5));
    expect(told).toEqual([["v", NONE]]);
    expect(closed).toEqual([]); // it is needed for its votes
    sources.onHeard(liar, given(5));
    expect(told.at(-1)).toEqual(["v", 1]);
  });

  test("sources: who is left out, may be asked again after a while without having given anything", async () => {
    up("v", true, 1);
    for (let n = 0; n < 4; n++) sources.onSent("v", ask(5));
    expect(told.at(-1)).toEqual(["v", NONE]);
    await time.advance(30_000);
    sources.onSent("v", ask(5));
    expect(told.at(-1)).toEqual(["v", 1]);
  });

  test("sources: an archive that is no member, asked to show the block once some are missing, and hung up on when it does not", async () => {
    archives.add(toHex(new Uint8Array(32).fill("a".charCodeAt(0))));
    const archive = up("a", false, 1);
    expect(asked).toEqual([]);
    expect(told).toEqual([["a", NONE]]);
    sources.onSent("v", ask(5));
    sources.onSent("v", ask(5));
    sources.onChange(archive);
    expect(asked).toEqual(["a"]);
    sources.onHeard(archive, given(5)); // nobody asked it
    expect(told).toEqual([["a", NONE]]);
  });

  test("sources: an archive that answers late, stays connected the first time and counts again; one that never does, is hung up on", async () => {
    archives.add(toHex(new Uint8Array(32).fill("a".charCodeAt(0))));
    const archive = up("a", false, 1);
    sources.onSent("a", ask(5));
    sources.onSent("v", ask(5));
    expect([told.at(-1), closed]).toEqual([["a", NONE], []]);
    sources.onHeard(archive, given(5));
    expect(told.at(-1)).toEqual(["a", 1]);
    for (let n = 0; n < 2; n++) {
      for (let asks = 0; asks < 2; asks++) sources.onSent("a", ask(6));
      sources.onSent("v", ask(6));
      await time.advance(30_001);
    }
    expect(closed).toEqual(["a"]);
  });

  test("sources: an archive whose blocks consensus asked for and got, may be asked; one whose blocks were refused, not", () => {
    archives.add(toHex(new Uint8Array(32).fill("a".charCodeAt(0))));
    const archive = up("a", false, 1);
    sources.onSent("a", ask(5));
    sources.onHeard(archive, given(5));
    expect(told.at(-1)).toEqual(["a", 1]);
    sources.onUseless("a");
    expect(told.at(-1)).toEqual(["a", 1]);
    expect(closed).toEqual(["a"]);
    expect(sources.rankOf("a")).toBeGreaterThan(100);
  });
});
