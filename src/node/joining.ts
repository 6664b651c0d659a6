import { join } from "node:path";
import { BlockStore } from "../blocks/index.ts";
import { compareRounds, type Round } from "../consensus/index.ts";
import { bytesEqual, type Log, toHex, utf8 } from "../kernel/index.ts";
import { genesisEntries } from "../ledger/index.ts";
import { type AskedPeer, Asker, encodeSnapshotRequest, OUTSIDE_PROTOCOLS, parsePeerAddress } from "../network/index.ts";
import {
  type BlockHeader,
  decodeSnapshotManifest,
  encodeSnapshotManifest,
  type Genesis,
  SNAPSHOT_LIMITS,
  type SnapshotManifest,
  verifyChainAnchor,
} from "../protocol/index.ts";
import { type CheckpointParts, SnapshotWriter, State } from "../state/index.ts";
import { type Database, type FileSystem, isStorageError } from "../storage/index.ts";
import { HOME } from "./home.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";
import { VERSION } from "./version.ts";

/** Asked again so often when a peer says that it is too busy, for one thing; others are asked in between. */
const BUSY_TRIES = 300;
const BUSY_MS = 200;

type Ports = Pick<Platform, "fs" | "entropy" | "timers" | "suite" | "freeBytes">;

/** A manifest that proves itself, and those that offer it. */
export type SnapshotCandidate = {
  readonly manifest: SnapshotManifest;
  readonly header: BlockHeader;
  readonly sources: readonly AskedPeer[];
};

/**
 * Takes a snapshot of the peers that are named, for a home without a chain, when they have one that is long enough. What
 * it leaves is whole and proven, or nothing: then the chain begins at genesis and is executed block by block. Peers that
 * cannot be reached, know of no snapshot or lie cost a line in the log and some time.
 *
 * @param floorOf the floor of the home's journal, asked for when a snapshot is wanted (J5)
 */
export async function joinBySnapshot(setup: NodeSetup, platform: Ports, log: Log, floorOf: () => Round): Promise<void> {
  const { home, configuration } = setup;
  const { fs } = platform;
  const { peers } = configuration.network;
  const isTaken = [HOME.chain, HOME.batches, HOME.state, HOME.snapshot].some((name) => fs.stat(join(home, name)) !== undefined);
  const isBehind = fs.stat(join(home, HOME.behind)) !== undefined;
  if ((isTaken && !isBehind) || configuration.storage.snapshotBlocks === 0 || peers.length === 0) return;
  const asker = await Asker.start(platform, `bizra/${VERSION.version}`);
  try {
    const addresses = peers.map(parsePeerAddress).flatMap((address) => (address.ok ? [address.value] : []));
    const reached = await Promise.all(addresses.map((address) => asker.connect(address)));
    await takeSnapshot(
      setup,
      platform,
      reached.filter((peer) => peer !== undefined),
      log,
      floorOf(),
      isBehind ? heightBehind(fs, home) : undefined,
    );
  } finally {
    await asker.stop();
  }
}

/**
 * Takes the highest snapshot that these peers prove and give whole; says whether there was one.
 *
 * @param floor the journal's: what lies below it is no place to begin at (J5)
 * @param aboveHeight tip of a chain that nobody can bring forward any more; absent for a home without a chain
 */
export async function takeSnapshot(
  setup: NodeSetup,
  platform: Ports,
  peers: readonly AskedPeer[],
  log: Log,
  floor: Round = { epoch: 0, view: 0 },
  aboveHeight?: number,
): Promise<boolean> {
  const { home, configuration } = setup;
  const offers = await Promise.all(peers.map((peer) => askManifest(setup, platform, peer, log)));
  const begun = findBegunDownload(setup, platform, peers);
  const candidates = [...(begun ? [begun] : []), ...candidatesOf(offers.filter((offer) => offer !== undefined))];
  const lowest = aboveHeight === undefined ? Math.max(2, configuration.storage.snapshotBlocks) : aboveHeight + 1;
  for (const candidate of candidates) {
    if (candidate.header.height < lowest || compareRounds(candidate.header, floor) < 0) continue;
    try {
      writeDurably(platform.fs, home, HOME.snapshotWanted, encodeSnapshotManifest(candidate.manifest));
      if (await downloadState(setup, platform, candidate, log)) {
        writeDurably(platform.fs, home, HOME.snapshot, encodeSnapshotManifest(candidate.manifest));
        platform.fs.remove(join(home, HOME.snapshotWanted));
        log.info("snapshot.taken", { height: candidate.header.height, parts: candidate.manifest.parts.length });
        return true;
      }
    } catch (error) {
      if (!isStorageError(error)) throw error;
      log.warn("snapshot.notWritten", { file: error.path, detail: error.message });
      return false;
    }
  }
  return false;
}

/** A download that was cut short, to go on with from whoever still has its parts; it proves itself again. */
function findBegunDownload(
  { home, genesis, validatorSet }: NodeSetup,
  { fs, suite }: Ports,
  peers: readonly AskedPeer[],
): SnapshotCandidate | undefined {
  const path = join(home, HOME.snapshotWanted);
  if (fs.stat(path) === undefined) return undefined;
  const manifest = decodeSnapshotManifest(readWhole(fs, path));
  const trusted = { chainId: genesis.hash, epoch: 0, set: validatorSet };
  const proven = manifest.ok ? verifyChainAnchor(suite, trusted, manifest.value) : undefined;
  return manifest.ok && proven?.ok ? { manifest: manifest.value, header: proven.value, sources: peers } : undefined;
}

/** Notes that nobody has the block after a chain's tip any more, durably, for the next start. */
export function noteBehind(fs: FileSystem, home: string, tipHeight: number): void {
  writeDurably(fs, home, HOME.behind, utf8(String(tipHeight)));
}

/** The chain has gone on, so the note counts for nothing. */
export function forgetBehind(fs: FileSystem, home: string, tipHeight: number): void {
  if (fs.stat(join(home, HOME.behind)) !== undefined && tipHeight > heightBehind(fs, home)) fs.remove(join(home, HOME.behind));
}

function heightBehind(fs: FileSystem, home: string): number {
  const height = Number(new TextDecoder().decode(fs.readFile(join(home, HOME.behind))));
  return Number.isSafeInteger(height) ? height : 0;
}

/** Manifests of the same snapshot are one candidate with several sources; the highest come first. */
function candidatesOf(offers: readonly SnapshotCandidate[]): readonly SnapshotCandidate[] {
  const byName = new Map<string, SnapshotCandidate>();
  for (const offer of offers) {
    const name = `${toHex(offer.header.stateRoot)} ${offer.header.height} ${offer.manifest.parts.map(({ hash }) => toHex(hash)).join()}`;
    byName.set(name, { ...offer, sources: [...(byName.get(name)?.sources ?? []), ...offer.sources] });
  }
  return [...byName.values()].sort((a, b) => b.header.height - a.header.height || b.sources.length - a.sources.length);
}

async function askManifest(
  { genesis, validatorSet }: NodeSetup,
  { suite, timers }: Ports,
  peer: AskedPeer,
  log: Log,
): Promise<SnapshotCandidate | undefined> {
  const answer = await askPatiently(peer, timers);
  if (!answer) return undefined;
  const manifest = decodeSnapshotManifest(answer);
  if (!manifest.ok) {
    log.warn("snapshot.unproven", { detail: manifest.error });
    return undefined;
  }
  const proven = verifyChainAnchor(suite, { chainId: genesis.hash, epoch: 0, set: validatorSet }, manifest.value);
  if (proven.ok) return { manifest: manifest.value, header: proven.value, sources: [peer] };
  log.warn("snapshot.unproven", { detail: proven.error.detail });
  return undefined;
}

/** Fetches the parts in order, each from any source that gives it right; the whole must then give the header's state root. */
async function downloadState(
  setup: NodeSetup,
  platform: Ports,
  { manifest, header, sources }: SnapshotCandidate,
  log: Log,
): Promise<boolean> {
  const { home, genesis, configuration } = setup;
  const { fs, timers } = platform;
  const path = join(home, HOME.snapshotState);
  const sizeBytes = manifest.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes + configuration.storage.freeBytesMin > platform.freeBytes(home)) {
    log.warn("snapshot.noRoom", { sizeBytes });
    return false;
  }
  const { height, stateRoot } = header;
  const writer = new SnapshotWriter(fs, path, { chainId: genesis.hash, height, stateRoot }, manifest.parts);
  if (writer.taken > 0) log.info("snapshot.resumed", { height, taken: writer.taken, parts: manifest.parts.length });
  if (!(await fetchParts(writer, sources, timers, log))) return false;
  // The proof of an earlier one, which a start may not have come to: it must never stand beside this state.
  if (fs.stat(join(home, HOME.snapshot)) !== undefined) {
    fs.remove(join(home, HOME.snapshot));
    fs.syncDirectory(home);
  }
  writer.finish();
  const loaded = State.load(fs, path, genesis.hash);
  if (loaded.ok && bytesEqual(loaded.value.root, stateRoot)) return true;
  log.warn("snapshot.otherState", { height, detail: loaded.ok ? "another state root" : loaded.error.detail });
  fs.remove(path);
  return false;
}

/**
 * Gives the writer each part that it wants, from any source. One that is gone or gives something else is not asked again; one
 * that is busy is asked again after the others, and not for ever.
 *
 * @returns whether all parts came; if not, the download was abandoned
 */
async function fetchParts(writer: SnapshotWriter, sources: readonly AskedPeer[], timers: Ports["timers"], log: Log): Promise<boolean> {
  let givers = sources;
  for (let busyInARow = 0; writer.wanted; ) {
    const [peer, ...others] = givers;
    if (!peer) {
      writer.abandon();
      return false;
    }
    const answer = await peer.ask(OUTSIDE_PROTOCOLS.snapshot, encodeSnapshotRequest(writer.wanted.hash));
    if (answer.ok && writer.take(answer.value).ok) {
      busyInARow = 0;
      continue;
    }
    const isBusy = !answer.ok && answer.error === "busy" && ++busyInARow < BUSY_TRIES * givers.length;
    givers = isBusy ? [...others, peer] : others;
    if (!isBusy) log.warn("snapshot.partMissing", { part: toHex(writer.wanted.hash), left: givers.length });
    else if (busyInARow % givers.length === 0) await new Promise<void>((resolve) => void timers.after(BUSY_MS, resolve));
  }
  return true;
}

/** The manifest that a peer offers. */
async function askPatiently(peer: AskedPeer, timers: Ports["timers"]): Promise<Uint8Array | undefined> {
  for (let tries = 0; tries < BUSY_TRIES; tries++) {
    const answer = await peer.ask(OUTSIDE_PROTOCOLS.snapshot, encodeSnapshotRequest());
    if (answer.ok) return answer.value;
    if (answer.error !== "busy") return undefined;
    await new Promise<void>((resolve) => void timers.after(BUSY_MS, resolve));
  }
  return undefined;
}

/**
 * The snapshot that a chain is to begin at, when it has no rows, or to go on at, when it ends below: the one that was taken,
 * its proof verified again. Undefined when there is none or the chain is past it.
 *
 * @throws StartRefused when the file is not what was written
 */
export function findChainBase(
  { home, genesis, validatorSet }: NodeSetup,
  chain: Database,
  { fs, suite }: Pick<Platform, "fs" | "suite">,
): SnapshotManifest | undefined {
  const path = join(home, HOME.snapshot);
  if (fs.stat(path) === undefined) return undefined;
  const tipHeight = new BlockStore(chain).tipHeight ?? -1;
  const manifest = decodeSnapshotManifest(readWhole(fs, path));
  if (tipHeight >= 0 && !(manifest.ok && manifest.value.block.header.height > tipHeight)) return undefined; // kept for who looks
  const trusted = { chainId: genesis.hash, epoch: 0, set: validatorSet };
  if (manifest.ok && verifyChainAnchor(suite, trusted, manifest.value).ok) return manifest.value;
  throw new StartRefused(`${path}: it does not prove the snapshot that the chain was to begin at; remove it, and the node takes another`);
}

/**
 * The state of the snapshot that the chain begins at.
 *
 * @throws StartRefused when the file is not what was written: the chain below is not here to build it again from
 */
export function loadSnapshotState({ home, genesis }: NodeSetup, { fs }: Pick<Platform, "fs">, checkpoints?: CheckpointParts): State {
  const path = join(home, HOME.snapshotState);
  const loaded = State.load(fs, path, genesis.hash, checkpoints);
  if (loaded.ok) return loaded.value;
  throw new StartRefused(
    `${loaded.error.detail}. The chain of ${home} begins at this snapshot, so its state cannot be built again without it; ` +
      "put the file back, or begin anew from the home's configuration, genesis, keys and journal alone",
  );
}

/** Root of the state of a genesis, which its row in the chain names. */
export function genesisStateRootOf(genesis: Genesis): Uint8Array {
  return State.ofGenesis(genesis.hash, genesisEntries(genesis)).root;
}

/** Puts a file in place whole: beside it first, synced, then moved. */
function writeDurably(fs: FileSystem, directory: string, name: string, bytes: Uint8Array): void {
  const beside = join(directory, `${name}.new`);
  if (fs.stat(beside) !== undefined) fs.remove(beside);
  const file = fs.open(beside, "createNew");
  file.write(0, bytes);
  file.sync();
  file.close();
  fs.rename(beside, join(directory, name));
  fs.syncDirectory(directory);
}

function readWhole(fs: FileSystem, path: string): Uint8Array {
  const file = fs.open(path, "read");
  try {
    const bytes = new Uint8Array(Math.min(file.size(), SNAPSHOT_LIMITS.manifestBytesMax + 1));
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}
