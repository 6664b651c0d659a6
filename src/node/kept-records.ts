import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  EscrowTable,
  type KeptParcel,
  recordsOfParcel,
  SYNC_APPLICATION_ID,
  SYNC_MIGRATIONS,
  SYNC_PAGE_BYTES,
} from "../../sync/agent/index.ts";
import { decodeParcel } from "../../sync/protocol/index.ts";
import type { LaneRecord } from "../events/index.ts";
import { bytesEqual, toHex } from "../kernel/index.ts";
import { named } from "./files.ts";
import { HOME } from "./home.ts";
import { systemPlatform } from "./platform.ts";
import { StartRefused } from "./start-refused.ts";

/** A part of another node's vital lane as it lies here: what its identity signed, or why it is not that. */
export type KeptRun = {
  readonly records: readonly LaneRecord[];
  readonly fault?: "malformed" | "badSignature" | "brokenChain" | "otherNode";
  /** Whether its first record follows the last of the run before by number and hash; false at a gap, and at the first. */
  readonly isLinked: boolean;
  readonly place: Pick<KeptParcel, "epoch" | "from" | "to">;
};

/** What a home keeps for one other node. */
export type KeptNode = {
  readonly node: string;
  /** Public key of its identity, hex. */
  readonly identity: string;
  readonly bytes: number;
  /** Up to where an aggregator's witness said that it holds it; epoch 0: nowhere. */
  readonly released: { readonly epoch: number; readonly sequence: number };
  /** Its parcels, oldest first, each verified when it is read. */
  readonly runs: () => Iterable<KeptRun>;
};

/** Parcels that are read at a time. */
const PAGE = 64;

/**
 * Opens what a stopped node keeps for others until their aggregators have it; needs no passphrase. Nothing is changed.
 *
 * @throws StartRefused naming the file that is missing, damaged or in use
 */
export function openKeptNodes(home: string): { readonly nodes: readonly KeptNode[]; readonly close: () => void } {
  const path = join(home, HOME.sync);
  if (!existsSync(path)) throw new StartRefused(`${path}: expected the sync database of a node with an aggregator, which does not exist`);
  const options = { path, applicationId: SYNC_APPLICATION_ID, migrations: SYNC_MIGRATIONS, pageBytes: SYNC_PAGE_BYTES } as const;
  const database = named(home, () => systemPlatform.openDatabase({ ...options, durability: "normal", create: false }));
  const table = new EscrowTable(database);
  const nodes = table.origins().map(({ identityKey, node, bytes, released }) => {
    const runs = () => readRuns(table, identityKey, node);
    return { node, identity: toHex(identityKey), bytes, released, runs };
  });
  return { nodes, close: () => database.close() };
}

function* readRuns(table: EscrowTable, identityKey: Uint8Array, node: string): Iterable<KeptRun> {
  let before: LaneRecord | undefined;
  let after = { epoch: 0, sequence: 0 };
  for (;;) {
    const kept = table.parcelsAfter(identityKey, after, PAGE);
    for (const parcel of kept) {
      const run = openRun(parcel, identityKey, node, before);
      yield run;
      before = run.records.at(-1);
      after = { epoch: parcel.epoch, sequence: parcel.to };
    }
    if (kept.length < PAGE) return;
  }
}

/** The file may have been changed since it was judged, so all of it is judged again. */
function openRun(kept: KeptParcel, identityKey: Uint8Array, node: string, before: LaneRecord | undefined): KeptRun {
  const { epoch, from, to } = kept;
  const place = { epoch, from, to };
  const decoded = decodeParcel(kept.parcel, systemPlatform.suite.verify);
  if (!decoded.ok) return { records: [], fault: decoded.error, isLinked: false, place };
  const parcel = decoded.value;
  if (!bytesEqual(parcel.identityKey, identityKey) || parcel.node !== node)
    return { records: [], fault: "otherNode", isLinked: false, place };
  const records = recordsOfParcel(parcel);
  if (!records) return { records: [], fault: "brokenChain", isLinked: false, place };
  const first = records[0];
  const isNext = first !== undefined && before !== undefined && (first.epoch > before.epoch || first.sequence === before.sequence + 1);
  return { records, isLinked: isNext && bytesEqual(parcel.previousHash, before.hash), place };
}
