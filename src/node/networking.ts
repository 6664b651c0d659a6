import { buildReceiptProof } from "../blocks/index.ts";
import type { Notice } from "../consensus/index.ts";
import { bytesEqual, CborWriter, err, type Log, ok, type Result } from "../kernel/index.ts";
import { encodeDisseminationMessage, type PeerFault } from "../mempool/index.ts";
import {
  type ArchiveNode,
  type Misconduct,
  Network,
  NetworkStartFailed,
  type OutsideAnswers,
  type PeerAddress,
  PROTOCOL_VERSIONS,
  type PrunedAnswer,
  parsePeerAddress,
  type Tip,
} from "../network/index.ts";
import { encodeBlock, encodeCertificate, encodeProofBundle, versionsOfRelease } from "../protocol/index.ts";
import type { Contexts } from "./contexts.ts";
import { noteBehind } from "./joining.ts";
import { isLackBelieved, OutOfReach } from "./out-of-reach.ts";
import type { NodeNetwork } from "./peers.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";
import { SnapshotOffers } from "./snapshot-offers.ts";
import { StartRefused } from "./start-refused.ts";
import { VERSION } from "./version.ts";

/** What a peer's fault in dissemination is to its standing. Slowness is none of its lies. */
const BATCH_MISCONDUCT = {
  flood: "outOfTurn",
  unsolicited: "outOfTurn",
  withheld: undefined,
  malformed: "garbage",
  tooLarge: "oversized",
  wrongDigest: "badBatch",
  badSignature: "badBatch",
  faulty: "badBatch",
} as const satisfies Record<PeerFault, Misconduct | undefined>;

/**
 * The network of a node, between the contexts that speak through it and the peers that it hears. It is made before the
 * contexts and told of them afterwards; until then nothing is heard, for it starts last.
 */
export class NodeNetworking {
  /** The way out, for the contexts. */
  readonly outward: NodeNetwork;
  readonly #setup: NodeSetup;
  readonly #network: Network;
  readonly #platform: Platform;
  readonly #log: Log;
  #offers: SnapshotOffers | undefined;
  #contexts: Contexts | undefined;
  readonly #fail: (error: unknown) => void;
  #epoch = -1;
  #toldLowestHeight = 0;
  readonly #outOfReach = new OutOfReach();
  #answerNeighbour: OutsideAnswers["neighbour"];

  /** @param fail called when the node cannot go on as it is: the process has to end, and a start decides what to do */
  constructor(setup: NodeSetup, platform: Platform, log: Log, fail: (error: unknown) => void) {
    this.#fail = fail;
    this.#setup = setup;
    this.#platform = platform;
    this.#log = log;
    const { network: settings } = setup.configuration;
    this.#network = new Network(
      {
        identity: { kind: "validator", signer: setup.validator },
        chainId: setup.genesis.hash,
        listen: settings.listen,
        webRtcListen: settings.webRtcPort === 0 ? undefined : { host: settings.listen.host, port: settings.webRtcPort },
        peers: settings.peers.map((text) => addressOf("peers", text)),
        isRelay: settings.relay === "on",
        isArchive: setup.configuration.storage.archive,
        relays: settings.relays.map((text) => addressOf("relays", text)),
        announce: settings.announce.map((text) => addressOf("announce", text)),
        discovery: settings.discovery === "lan" ? {} : undefined,
        allow: settings.allow,
        observersMax: settings.observersMax,
        software: `bizra/${VERSION.version}`,
        versions: versionsOfRelease(PROTOCOL_VERSIONS),
        times: { pingMs: settings.pingMs },
        rates: { batches: settings.batchBytesPerSecond, blocks: settings.blockBytesPerSecond },
      },
      {
        clock: platform.clock,
        timers: platform.timers,
        entropy: platform.entropy,
        log,
        isValidator: (key) => this.#isMember(key),
        ownTip: () => this.#ownTip(),
        lowestHeight: () => this.#contexts?.blocks.queries.lowestHeight ?? 1,
        tips: {
          chainId: setup.genesis.hash,
          findEpochSet: (epoch) => this.#contexts?.blocks.findEpoch(epoch)?.validatorSet,
          isFinalHere: (height, hash) => {
            const found = this.#contexts?.blocks.reader.find(height);
            return found !== undefined && bytesEqual(found.hash, hash);
          },
          verify: platform.suite.verify,
        },
        answers: {
          findProof: (id) => this.#findProof(id),
          findFinalBlock: (height) => this.#findFinalBlock(height),
          findSnapshot: async (part) => (await this.#offers?.find(part)) ?? err("notFound"),
          submit: (encoded, source) => this.#submit(encoded, source),
          neighbour: async (from, request) => (await this.#answerNeighbour?.(from, request)) ?? err("busy"),
        },
        onPeerUp: (peer) => this.#contexts?.peers.onPeerUp(peer),
        onPeerDown: (peer) => this.#contexts?.peers.onPeerDown(peer),
        onPeerReach: (peer, lowestHeight) => this.#contexts?.peers.onPeerReach(peer, lowestHeight),
        onMessage: (from, message) => this.#contexts?.peers.onMessage(from, message),
        onBatchMessage: (from, payload) => this.#contexts?.peers.onBatchMessage(from, payload),
        onBatchRoom: (peer) => this.#contexts?.peers.onBatchRoom(peer),
      },
    );
    const consensus = this.#network.consensusPort(() => {});
    this.outward = {
      broadcast: consensus.broadcast,
      send: consensus.send,
      sendBatchMessage: (peer, message) =>
        this.#network.sendBatchMessage(peer, encodeDisseminationMessage(message), message.kind === "batch" ? "bulk" : "urgent"),
      onBatchFault: (peer, fault) => {
        const misconduct = BATCH_MISCONDUCT[fault];
        if (misconduct) this.#network.report(peer, misconduct);
      },
    };
  }

  /** Whether a home has anyone to talk to: a chain of several validators, peers that are named or looked for, or browsers. */
  static isWanted({ validatorSet, configuration }: NodeSetup): boolean {
    const { peers, relays, discovery, webRtcPort } = configuration.network;
    return validatorSet.validators.length > 1 || peers.length > 0 || relays.length > 0 || discovery !== "off" || webRtcPort !== 0;
  }

  /** Hears what consensus refuses, which costs the peer its standing. */
  onNotice(notice: Notice): void {
    if (notice.kind === "refused") this.#network.report(notice.from, notice.code);
    else if (notice.kind === "outOfReach") this.#onOutOfReach(notice.fromHeight);
  }

  /**
   * Listens and dials. The contexts hear of peers from here on.
   *
   * @throws StartRefused when the address cannot be listened on
   */
  async start(contexts: Contexts): Promise<void> {
    this.#contexts = contexts;
    this.#offers = new SnapshotOffers(this.#setup, this.#platform, contexts);
    contexts.blocks.subscribe(() => this.#onBlock());
    try {
      await this.#network.start();
    } catch (error) {
      if (!(error instanceof NetworkStartFailed)) throw error;
      const { host, port } = this.#setup.configuration.network.listen;
      const reason = /EADDRINUSE/.test(error.message)
        ? "another program uses it"
        : (/Error: (.*)/.exec(error.message)?.[1] ?? error.message);
      throw new StartRefused(
        `expected to listen for other nodes on ${host}:${port}, but ${reason}; stop what uses it, or change network.listen in node.toml`,
      );
    }
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    await this.#network.stop();
    this.#offers?.close();
  }

  /** Peers that are more than strangers, and the way to ask them. */
  get neighbours(): Network["neighbours"] {
    return this.#network.neighbours;
  }

  /** Names who answers what they ask; until then they hear that there is no time. */
  serveNeighbours(answer: NonNullable<OutsideAnswers["neighbour"]>): void {
    this.#answerNeighbour = answer;
  }

  /** Multiaddrs that this node listens on. */
  get addresses(): readonly string[] {
    return this.#contexts ? this.#network.addresses : [];
  }

  /** Peers that are connected, and configured ones that are not, with the reason. */
  peers(): { readonly connected: ReturnType<Network["peers"]>; readonly absent: ReturnType<Network["absentPeers"]> } {
    return { connected: this.#network.peers(), absent: this.#network.absentPeers() };
  }

  /** Another box that runs this node's key, while it is heard of. */
  get sharedKey(): Network["sharedKey"] {
    return this.#network.sharedKey;
  }

  /** Nodes that say that they keep every block, and where they are reached; this one, when it is one, is not among them. */
  get archives(): readonly ArchiveNode[] {
    return this.#contexts ? this.#network.archives : [];
  }

  /** Counters by kind of message. */
  get traffic(): Network["traffic"] {
    return this.#network.traffic;
  }

  /**
   * Nobody who is connected has the next block. Archives are dialled, if any is known; if after a while none was found that
   * has it, only a snapshot helps, which is taken at a start: before that the chain's files are in use. Not in an archive, which
   * would lose its blocks for it: its operator decides.
   */
  #onOutOfReach(fromHeight: number): void {
    const { network, storage } = this.#setup.configuration;
    const peers = this.#network.peers();
    const isBelieved = isLackBelieved(peers, fromHeight);
    // What those say whose word counts: consensus is told of others that they have nothing.
    const told = peers.filter((peer) => peer.isValidator || peer.isNamed).flatMap((peer) => peer.lowestHeight ?? []);
    const lowestHeight = Math.min(...told);
    this.#network.seekArchives(true);
    const { isHeldBack } = this.#running().pruning;
    const mayWait = isHeldBack || this.#network.isMissingShown;
    if (!this.#outOfReach.note(this.#platform.clock.monotonicMs(), isBelieved, mayWait)) return;
    if (isHeldBack)
      this.#log.warn("chain.leftUnsent", { tipHeight: fromHeight - 1, reason: "no aggregator took the last records in 10 minutes" });
    if (storage.archive) this.#log.error("chain.outOfReach", { fromHeight, lowestHeight, remedy: "name an archive in network.peers" });
    if (storage.archive || storage.snapshotBlocks === 0 || network.peers.length === 0) return;
    noteBehind(this.#platform.fs, this.#setup.home, fromHeight - 1);
    this.#fail(
      new StartRefused(
        `the next block here is ${fromHeight}, the lowest that any peer still has is ${lowestHeight}, and no archive is known that ` +
          "has those between. A start takes a snapshot of the peers in network.peers and goes on from there, with the journal as it is",
      ),
    );
  }

  #onBlock(): void {
    this.#outOfReach.end();
    const { lowestHeight } = this.#running().blocks.queries;
    if (lowestHeight !== this.#toldLowestHeight) this.#network.onReachChanged();
    this.#toldLowestHeight = lowestHeight;
    const { epoch } = this.#running().blocks.reader.currentEpoch();
    if (epoch !== this.#epoch) this.#network.onValidatorsChanged();
    this.#epoch = epoch;
    this.#network.onTipChanged();
  }

  /** Members of the running epoch and of the one before, whose last votes and batches are still on their way. */
  #isMember(key: Uint8Array): boolean {
    const contexts = this.#contexts;
    const running = contexts?.blocks.reader.currentEpoch();
    const before = running && running.epoch > 0 ? contexts?.blocks.findEpoch(running.epoch - 1) : undefined;
    const sets = running ? [running.validatorSet, before?.validatorSet] : [this.#setup.validatorSet];
    return sets.some((set) => set?.validators.some(({ publicKey }) => bytesEqual(publicKey, key)) === true);
  }

  #ownTip(): Tip | undefined {
    const { height, finalization } = this.#running().blocks.tip();
    const header = this.#running().blocks.reader.find(height)?.block.header;
    return header && finalization && { header, finalization };
  }

  #findProof(id: Uint8Array): Uint8Array | PrunedAnswer | undefined {
    const { blocks } = this.#running();
    const bundle = buildReceiptProof(blocks.reader, blocks.queries, id);
    if (bundle) return encodeProofBundle(bundle);
    return blocks.queries.findExecuted(id) && this.#pruned();
  }

  #pruned(): PrunedAnswer {
    const { lowestHeight } = this.#running().blocks.queries;
    return { lowestHeight, archives: this.archives.flatMap(({ addresses }) => addresses) };
  }

  async #submit(encoded: Uint8Array, source: string): Promise<Result<Uint8Array, { readonly refused: string }>> {
    const [outcome] = await this.#running().mempool.submit([encoded], source);
    if (outcome?.status === "accepted") return ok(outcome.id);
    return err({ refused: outcome?.code ?? "malformed" });
  }

  #findFinalBlock(height: number): Uint8Array | PrunedAnswer | undefined {
    const { blocks } = this.#running();
    const found = blocks.findFinalized(height);
    if (!found) return height > 0 && height < blocks.queries.lowestHeight ? this.#pruned() : undefined;
    return new CborWriter(4_096).array(2).raw(encodeBlock(found.block)).raw(encodeCertificate(found.finalization)).finish();
  }

  #running(): Contexts {
    if (!this.#contexts) throw new StartRefused("the network is asked before the node runs");
    return this.#contexts;
  }
}

function addressOf(setting: "peers" | "relays" | "announce", text: string): PeerAddress {
  const address = parsePeerAddress(text);
  if (!address.ok) throw new StartRefused(`network.${setting}: ${address.error}; correct it in node.toml`);
  return address.value;
}
