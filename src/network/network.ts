import type { Connection, Libp2p, PeerInfo, Stream } from "@libp2p/interface";
import { encodeMessage, type Message, type NetworkPort, type PeerId } from "../consensus/index.ts";
import { publicKeyOf } from "../crypto/index.ts";
import { assert, bytesEqual, type CancelTimer, err, Prng, parseHex, present, type Result, toHex } from "../kernel/index.ts";
import { isForOtherMachines, listenMultiaddr, type PeerAddress, webRtcMultiaddr, withPeer } from "./address.ts";
import { BlockSources } from "./block-sources.ts";
import { Dialler } from "./dialler.ts";
import { Discovered } from "./discovered.ts";
import { encodeFrame } from "./frames.ts";
import { makeGate, nodeKeyOf } from "./gate.ts";
import { Guests } from "./guests.ts";
import { type Hello, PROTOCOL_VERSIONS } from "./hello.ts";
import { FRAME, LANE_RATES, LANE_TRAITS, LANES, type Lane, laneOf } from "./lanes.ts";
import { Link, type LinkTimes } from "./link.ts";
import { Neighbours } from "./neighbours.ts";
import { type Binding, bindNodeKey, deriveNodeSeed } from "./node-key.ts";
import { OutsideService } from "./outside.ts";
import { type Peer, PeerTable } from "./peer-table.ts";
import { type ArchiveNode, Presences } from "./presences.ts";
import { Reception } from "./reception.ts";
import { REDIAL_TIMES, Redial } from "./redial.ts";
import { type CircuitTransport, relayIn } from "./relay.ts";
import { askOnStream, type OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";
import { Reservations } from "./reservations.ts";
import { SharedKeyWatch } from "./shared-key.ts";
import { type Misconduct, Standing } from "./standing.ts";
import { absentPeers, statusOf } from "./status.ts";
import { encodeTip, isOwnFinalization } from "./tip.ts";
import { Traffic } from "./traffic.ts";
import { makeTransport } from "./transport.ts";
import type { AbsentPeer, NetworkOptions, NetworkPorts, PeerStatus, SharedKey } from "./types.ts";

const LINK_TIMES: LinkTimes = { helloMs: 10_000, pingMs: 5_000, guestMs: 30_000 };
/** Where multicast DNS listens. */
const MDNS_PORT = 5_353;
/** Our tip is told at most so often. */
const TIP_INTERVAL_MS = 5_000;

/** Thrown when the network cannot listen where it should. */
export class NetworkStartFailed extends Error {
  override readonly name = "NetworkStartFailed";
}

/** The network of one node: connections to the others, and what is sent over them. */
export class Network {
  /** Counters by kind of message. */
  readonly traffic = new Traffic();
  readonly #options: NetworkOptions;
  readonly #ports: NetworkPorts;
  readonly #nodeSeed: Uint8Array;
  readonly #nodeKey: Uint8Array;
  readonly #binding: Binding | undefined;
  readonly #instance: Uint8Array;
  readonly #times: LinkTimes;
  readonly #table = new PeerTable();
  readonly #standing = new Standing();
  /** Requests between peers that are more than strangers. */
  readonly neighbours: Neighbours;
  readonly #redial: Redial;
  readonly #reception: Reception;
  readonly #guests: Guests;
  readonly #presences: Presences;
  readonly #discovered = new Discovered();
  #named: readonly PeerAddress[];
  #transport: Libp2p | undefined;
  #reservations: Reservations | undefined;
  readonly #shared: SharedKeyWatch;
  readonly #sources: BlockSources;
  #dialler: Dialler | undefined;
  #isTipNew = false;
  #isSeekingArchives = false;
  #cancelTip: CancelTimer | undefined;
  #isStopped = false;

  /** Nothing is opened before `start`. */
  constructor(options: NetworkOptions, ports: NetworkPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#named = [...options.peers, ...(options.relays ?? [])];
    const { identity, chainId } = options;
    this.#nodeSeed = identity.kind === "validator" ? deriveNodeSeed(identity.signer, chainId) : identity.nodeSeed;
    this.#nodeKey = publicKeyOf(this.#nodeSeed);
    this.#binding = identity.kind === "validator" ? bindNodeKey(identity.signer, chainId, this.#nodeKey) : undefined;
    this.#instance = ports.entropy.bytes(8);
    this.#times = { ...LINK_TIMES, ...options.times };
    const seed = new DataView(ports.entropy.bytes(4).buffer).getUint32(0);
    this.#redial = new Redial({ ...REDIAL_TIMES, ...options.times }, new Prng(seed));
    this.#guests = new Guests(ports.timers, this.#times.guestMs, (connection) => this.#table.isLinked(connection));
    this.#shared = new SharedKeyWatch(ports.clock, ports.log);
    this.#sources = new BlockSources({
      ports,
      table: this.#table,
      isNamed: (peer) => this.#reception.isNamed(peer),
      isArchive: (nodeKey) => this.#presences.isArchive(nodeKey),
      isFound: (link) => this.#reception.isFound(link),
      onChoice: () => this.#dialNamed(),
    });
    this.neighbours = new Neighbours(this.#table, options.allow, ports);
    this.#reception = new Reception({
      options,
      ports,
      table: this.#table,
      standing: this.#standing,
      redial: this.#redial,
      traffic: this.traffic,
      nodeKey: this.#nodeKey,
      ownHello: () => this.#ownHello(),
      onPlan: () => this.#dialler?.wake(),
      onLinkUp: (link) => this.#presences.onUp(link),
      onPresence: (link, encoded) => this.#presences.onPresence(link, encoded),
      onTwin: (address) => this.#shared.onTwin(address),
      isArchive: (nodeKey) => this.#presences.isArchive(nodeKey),
      sources: this.#sources,
    });
    this.#presences = new Presences({
      chainId,
      nodeSeed: this.#nodeSeed,
      ownNodeKey: this.#nodeKey,
      binding: this.#binding,
      instance: this.#instance,
      services: { isRelay: options.isRelay === true, isArchive: options.isArchive === true },
      isValidator: ports.isValidator,
      clock: ports.clock,
      timers: ports.timers,
      table: this.#table,
      ownAddresses: () => this.#reachableAt(),
      onMisconduct: this.#reception.onMisconduct,
      onAddresses: () => this.#dialNamed(),
      isUp: (nodeKey) => this.#table.isNodeUp(nodeKey),
      onArchive: (nodeKey) => {
        this.#sources.onArchive(nodeKey);
        if (this.#isSeekingArchives) this.#dialNamed();
      },
      rankOf: (peer) => this.#sources.rankOf(peer),
      onTwin: (address) => this.#shared.onTwin(address),
    });
  }

  /**
   * Listens and begins to dial.
   *
   * @throws NetworkStartFailed when the address is taken or not this machine's
   */
  async start(): Promise<void> {
    assert(this.#transport === undefined, "a network starts once");
    const { listen, webRtcListen, software, discovery, chainId, isRelay } = this.#options;
    const { clock, timers, entropy, log } = this.#ports;
    let circuits: CircuitTransport | undefined;
    const transport = await makeTransport({
      nodeSeed: this.#nodeSeed,
      listen: [
        ...(listen ? [listenMultiaddr(listen.host, listen.port)] : []),
        ...(webRtcListen ? [webRtcMultiaddr(webRtcListen.host, webRtcListen.port)] : []),
      ],
      announce: [],
      discovery: discovery && {
        service: `_bizra-${toHex(chainId.subarray(0, 4))}._udp.local`,
        port: discovery.port ?? MDNS_PORT,
        onFound: (found) => this.#onDiscovered(found),
      },
      software,
      gater: makeGate(this.#standing, clock, (nodeKey) => this.#isCarried(nodeKey)),
      entropy,
      isRelay: isRelay === true,
      onCircuits: (made) => {
        circuits = made;
      },
    });
    this.#transport = transport;
    for (const lane of LANES)
      await transport.handle(LANE_TRAITS[lane].protocol, (stream, connection) => this.#onStream(lane, stream, connection));
    await new OutsideService(this.#ports, (connection) => this.#guests.renew(connection)).register(transport);
    await this.neighbours.register(transport);
    // Nothing here reads the library's address book, and whoever knocks with ever new keys would fill it.
    transport.addEventListener("peer:disconnect", ({ detail }) => {
      transport.peerStore.delete(detail).catch(() => {}); // gone already, or the node stops: either way it is not there
    });
    transport.addEventListener("connection:open", ({ detail }) => this.#onConnection(detail));
    try {
      await transport.start();
    } catch (error) {
      if (!(error instanceof Error)) throw error; // a transport that cannot listen says so by an Error of its own class
      throw new NetworkStartFailed(`cannot listen on ${listen?.host}:${listen?.port}: ${error.message}`, { cause: error });
    }
    this.#dialler = new Dialler({
      transport,
      clock,
      timers,
      redial: this.#redial,
      dialMs: this.#options.times?.dialMs ?? REDIAL_TIMES.dialMs,
      onConnection: (connection, address) => this.#onDialled(connection, address),
      obstacleTo: (address) => this.#obstacleTo(address),
    });
    this.#reservations = new Reservations({
      transport,
      circuits: present(circuits, "a transport dials through relays"),
      timers,
      log,
      relays: () => this.#relaysUp(),
    });
    await this.#reservations.start();
    this.#dialNamed();
    this.#presences.start();
  }

  /** Closes every connection; nothing is told any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTip?.();
    this.#dialler?.stop();
    this.#reservations?.stop();
    this.#presences.stop();
    for (const link of [...this.#table.links]) link.close("this node stops");
    await this.#transport?.stop();
  }

  /** Multiaddrs on which this node listens, its peer id included; the port is the real one. */
  get addresses(): readonly string[] {
    const listening = present(this.#transport, "the network runs").getMultiaddrs().map(String);
    return [...listening, ...(this.#reservations?.addresses ?? [])];
  }

  /** Another box that runs this node's key; undefined when none was heard of for two minutes. */
  get sharedKey(): SharedKey | undefined {
    return this.#shared.current;
  }

  /** Key of this node's connections, 32 bytes. */
  get nodeKey(): Uint8Array {
    return this.#nodeKey;
  }

  /** The port through which consensus speaks; fetching batches is dissemination's. */
  consensusPort(fetchBatches: NetworkPort["fetchBatches"]): NetworkPort {
    return {
      broadcast: (message) => this.#broadcast(message),
      send: (peer, message) => {
        this.#sendTo(this.#table.find(peer), laneOf(message.kind), message.kind, encodeFrame(FRAME.message, encodeMessage(message)));
        this.#sources.onSent(peer, message);
      },
      fetchBatches,
    };
  }

  /**
   * Queues a message of dissemination; false when the peer is not up or has no room, in which case `onBatchRoom` follows.
   * An urgent one (an announcement, a request) goes ahead of batches, and of too many the oldest are dropped.
   */
  sendBatchMessage(to: PeerId, payload: Uint8Array, priority: "urgent" | "bulk"): boolean {
    const frame = encodeFrame(FRAME.message, payload);
    return this.#sendTo(this.#table.find(to), "batches", priority === "urgent" ? "talk" : "batch", frame, priority === "urgent");
  }

  /** Tells all validators; encoded once. */
  broadcastBatchMessage(payload: Uint8Array): void {
    const frame = encodeFrame(FRAME.message, payload);
    for (const peer of this.#table.peers) if (peer.isValidator) this.#sendTo(peer, "batches", "talk", frame, true);
  }

  /** Peers that are up: all, or the validators among them. */
  peersUp(isValidatorOnly = false): PeerId[] {
    return [...this.#table.peers].filter((peer) => peer.isValidator || !isValidatorOnly).map((peer) => peer.id);
  }

  /** Takes note of what a peer's message turned out to be; enough of it and the peer is banned for a while. */
  report(peer: PeerId, misconduct: Misconduct): void {
    this.#sources.onUseless(peer);
    const found = this.#table.find(peer);
    if (found) this.#reception.onMisconduct(found.link, misconduct, "reported");
    else this.#reception.penalize(peer, misconduct, this.#isValidatorId(peer));
  }

  /** The set of validators changed: who is one now counts from here on. */
  onValidatorsChanged(): void {
    this.#dialNamed();
    for (const peer of this.#table.peers) {
      const isValidator = this.#isValidatorId(peer.id);
      if (isValidator && !peer.isValidator) peer.link.grantValidator();
      peer.isValidator = isValidator;
    }
  }

  /** There is a new final block; peers hear of it within five seconds. */
  onTipChanged(): void {
    this.#isTipNew = true;
    if (this.#cancelTip === undefined && !this.#isStopped) this.#tellTip();
  }

  /** The lowest block that can be served from here is another: every peer is told. */
  onReachChanged(): void {
    const lowestHeight = this.#ports.lowestHeight?.();
    if (lowestHeight !== undefined) for (const { link } of this.#table.peers) link.sendReach(lowestHeight);
  }

  /** Nodes that say that they keep every block, and where they are reached. */
  get archives(): readonly ArchiveNode[] {
    return this.#presences.archives;
  }

  /** Whether a node has shown the block that is missing here within a minute, and so may still give it. */
  get isMissingShown(): boolean {
    return this.#sources.isShown;
  }

  /** Dials archives too, or no longer, where nobody has what is missing. Said again, those not reached meanwhile give way to others. */
  seekArchives(isWanted: boolean): void {
    if (!isWanted && !this.#isSeekingArchives) return;
    this.#isSeekingArchives = isWanted;
    for (const { text, expected = "" } of isWanted ? this.#presences.archiveTargets : [])
      if (this.#redial.failuresAt(text) > 0 && !this.#table.find(expected)) this.#sources.onUnreachable(expected);
    this.#dialNamed();
  }

  /** Names the addresses to keep connected from now on. */
  setAddresses(addresses: readonly PeerAddress[]): void {
    this.#named = [...addresses, ...(this.#options.relays ?? [])];
    this.#dialNamed();
  }

  /** Every peer that is up. */
  peers(): PeerStatus[] {
    const nowMs = this.#ports.clock.monotonicMs();
    const archives = new Set(this.archives.map(({ nodeKey }) => nodeKey));
    return [...this.#table.peers].map((peer) => {
      const told = { isNamed: this.#reception.isNamed(peer.id), isArchive: archives.has(toHex(peer.link.nodeKey)) };
      return statusOf(peer, told, this.#standing, nowMs);
    });
  }

  /** Configured addresses without a connection, and why. */
  absentPeers(): AbsentPeer[] {
    return absentPeers(this.#redial.targets, this.#ports.clock.monotonicMs());
  }

  /** Asks a libp2p node at an address by one of the outside protocols, on a connection of its own. */
  async request(
    address: PeerAddress,
    protocol: (typeof OUTSIDE_PROTOCOLS)[keyof typeof OUTSIDE_PROTOCOLS],
    request: Uint8Array,
  ): Promise<Result<Uint8Array, RequestFault>> {
    const transport = present(this.#transport, "the network runs");
    let connection: Connection | undefined;
    try {
      connection = await transport.dial(address.multiaddr, { force: true });
      const stream = await connection.newStream(protocol);
      return await askOnStream(stream, this.#ports.timers, request);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every way of not reaching a machine is an Error of its own class
      return err("unreachable");
    } finally {
      await connection?.close();
    }
  }

  /** What is named, then what was found, then, for a validator, where the others say they are. */
  #dialNamed(): void {
    const isValidator = this.#binding !== undefined && this.#ports.isValidator(this.#binding.validatorKey);
    const found = [...(isValidator ? this.#presences.targets : []), ...(this.#isSeekingArchives ? this.#presences.archiveTargets : [])];
    this.#dialler?.setAddresses([...this.#named, ...this.#discovered.addresses, ...found]);
    const nowMs = this.#ports.clock.monotonicMs();
    for (const { id, link } of this.#table.peers) this.#redial.onPeerUp(id, link.isRelayed, nowMs);
  }

  /** Where others reach this node: as announced, else where it listens for other machines; and through its relays. */
  #reachableAt(): string[] {
    const { announce, relays } = this.#options;
    const id = present(this.#transport, "the network runs").peerId.toString();
    const relayed = this.#reservations?.addresses ?? [];
    if (announce && announce.length > 0) return [...announce.map(({ multiaddr }) => withPeer(multiaddr.toString(), id)), ...relayed];
    return relays && relays.length > 0 ? [...relayed] : this.addresses.filter(isForOtherMachines);
  }

  /** A relay carries who is up here and a validator or named: they have more to lose than a stranger with a new key. */
  #isCarried(nodeKey: string): boolean {
    const peer = this.#table.findNode(nodeKey);
    return peer !== undefined && (peer.isValidator || this.#options.allow.includes(peer.id));
  }

  #relaysUp(): Connection[] {
    const { relays } = this.#options;
    const texts = new Set(relays?.map(({ text }) => text));
    const ids = new Set(this.#redial.targets.filter(({ address }) => texts.has(address)).map(({ peer }) => peer));
    return [...this.#table.peers].filter(({ id, link }) => ids.has(id) && !link.isRelayed).map(({ link }) => link.connection);
  }

  /** A way through a relay is none while the relay itself is not up. */
  #obstacleTo({ text }: PeerAddress): string | undefined {
    const relay = relayIn(text);
    if (relay === undefined) return undefined;
    for (const { link } of this.#table.peers) if (!link.isRelayed && link.connection.remotePeer.toString() === relay) return undefined;
    return "its relay is not connected";
  }

  #broadcast(message: Message): void {
    const lane = laneOf(message.kind);
    const frame = encodeFrame(FRAME.message, encodeMessage(message));
    for (const peer of this.#table.peers) if (peer.isValidator) this.#sendTo(peer, lane, message.kind, frame);
  }

  #sendTo(peer: Peer | undefined, lane: Lane, label: string, frame: Uint8Array, isUrgent = false): boolean {
    return peer?.link.send(lane, label, frame, isUrgent) ?? false;
  }

  #onConnection(connection: Connection): void {
    if (!this.#isStopped && connection.direction === "inbound") this.#guests.admit(connection);
  }

  #onDialled(connection: Connection, address: PeerAddress): void {
    // The library gives one connection to all who dial the same node at the same time.
    if (this.#table.isLinked(connection)) {
      this.#redial.onFailed(address.text, "reached at another address at the same time", false, this.#ports.clock.monotonicMs());
      this.#dialler?.wake();
      return;
    }
    const link = this.#makeLink(connection);
    if (!link) {
      connection.abort(new Error("not an Ed25519 key"));
      this.#redial.onFailed(address.text, "not an Ed25519 key", true, this.#ports.clock.monotonicMs());
      return;
    }
    this.#reception.onDialled(link, address);
    link.begin();
  }

  #onStream(lane: Lane, stream: Stream, connection: Connection): void {
    const link = this.#table.linkOf(connection.id) ?? (lane === "consensus" ? this.#makeLink(connection) : this.#linkFrom(connection));
    if (!link?.accept(lane, stream, connection)) stream.abort(new Error("out of turn"));
  }

  #onDiscovered({ id, multiaddrs }: PeerInfo): void {
    const nodeKey = parseHex(nodeKeyOf(id) ?? "");
    if (this.#isStopped || !nodeKey || this.#table.isNodeUp(nodeKey) || bytesEqual(nodeKey, this.#nodeKey)) return;
    const isShorter = this.#discovered.forgetSilent((address) => this.#redial.failuresAt(address));
    if (this.#discovered.offer(id.toString(), multiaddrs) || isShorter) this.#dialNamed();
  }

  #linkFrom({ remotePeer }: Connection): Link | undefined {
    const nodeKey = parseHex(nodeKeyOf(remotePeer) ?? "");
    return nodeKey && this.#table.linkFrom(nodeKey);
  }

  #makeLink(connection: Connection): Link | undefined {
    const nodeKey = parseHex(nodeKeyOf(connection.remotePeer) ?? "");
    if (this.#isStopped || nodeKey?.length !== 32) return undefined;
    const { clock, timers } = this.#ports;
    const own = this.#ownHello();
    const { traffic } = this;
    const link = new Link({
      connection,
      own,
      ownNodeKey: this.#nodeKey,
      nodeKey,
      times: this.#times,
      rates: { ...LANE_RATES, ...this.#options.rates },
      clock,
      timers,
      traffic,
      events: this.#reception,
      dialAgain: () => present(this.#transport, "the network runs").dial(connection.remoteAddr, { force: true }),
      isLinked: (other) => this.#table.isLinked(other),
    });
    this.#table.add(link);
    return link;
  }

  #ownHello(): Hello {
    const { chainId, software, versions } = this.#options;
    const tip = this.#encodedTip();
    return {
      versions: versions ?? PROTOCOL_VERSIONS,
      chainId,
      instance: this.#instance,
      ...(this.#binding ? { binding: this.#binding } : {}),
      ...(tip ? { tip } : {}),
      software,
    };
  }

  /** Our tip, unless it is a block that a later one made final: that would be a height without proof, which others ban. */
  #encodedTip(): Uint8Array | undefined {
    const tip = this.#ports.ownTip();
    return tip && isOwnFinalization(tip) ? encodeTip(tip) : undefined;
  }

  #isValidatorId(id: PeerId): boolean {
    const key = parseHex(id);
    const peer = this.#table.find(id);
    return key !== undefined && peer?.link.greeted?.isBound !== false && this.#ports.isValidator(key);
  }

  #tellTip(): void {
    this.#cancelTip = undefined;
    if (!this.#isTipNew) return;
    this.#isTipNew = false;
    const tip = this.#encodedTip();
    if (tip) for (const peer of this.#table.peers) peer.link.sendTip(tip);
    this.#cancelTip = this.#ports.timers.after(TIP_INTERVAL_MS, () => this.#tellTip());
  }
}
