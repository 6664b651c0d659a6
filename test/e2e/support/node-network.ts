import { readGenesisKeys } from "./audit.ts";
import { makeTestnet, type Testnet } from "./bizra.ts";
import { Chance } from "./chance.ts";
import { type LinkManner, LinkRelay } from "./link-relay.ts";
import type { NodeProcess, StartOptions } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** Where a node listens for the others: an address and a port that stay over its restarts. */
type Place = { readonly host: string; readonly port: number };

/** How a network of nodes is laid out. */
export type NetworkPlan = {
  readonly validators: number;
  /** Flags of every node. */
  readonly words?: readonly string[];
  /** More flags of `bizra testnet`. */
  readonly netWords?: readonly string[];
  /** Whether each pair of nodes talks over a relay that can delay, lose and cut; whoever dials finds the relay. */
  readonly hasRelays?: boolean;
  readonly chance?: Chance;
  /** Nodes that are not started with the rest. */
  readonly absent?: readonly number[];
};

/** A box that a node is started on instead of its own: another home, environment or disk. */
export type Box = Pick<StartOptions, "command" | "environment" | "innerHome"> & { readonly home: string };

/** Validators as processes of the binary on this machine, each of which can be killed, stopped and started again. */
export class NodeNetwork {
  readonly net: Testnet;
  /** Running processes by index; undefined while down. */
  readonly nodes: (NodeProcess | undefined)[] = [];
  /** Boxes that nodes start on from now on, by index; a node without one has its own home and the binary alone. */
  readonly boxes = new Map<number, Box>();
  readonly #place: Workplace;
  readonly #plan: NetworkPlan;
  readonly #places: readonly Place[];
  readonly #keys: readonly string[];
  /** Relays by dialling node, then by the node behind it. */
  readonly #relays: Map<number, LinkRelay>[] = [];

  private constructor(place: Workplace, net: Testnet, plan: NetworkPlan) {
    this.net = net;
    this.#place = place;
    this.#plan = plan;
    this.#places = net.homes.map(() => ({ host: "127.0.0.1", port: freePort() }));
    this.#keys = readGenesisKeys(net.genesis);
  }

  /** Makes homes and starts every node; resolves when all are ready. */
  static async start(place: Workplace, name: string, plan: NetworkPlan): Promise<NodeNetwork> {
    const net = await makeTestnet(place.at(name), plan.validators, plan.netWords);
    const network = new NodeNetwork(place, net, plan);
    if (plan.hasRelays) await network.#openRelays(plan.chance ?? new Chance(1));
    await Promise.all(net.homes.map((_, index) => (plan.absent?.includes(index) === true ? undefined : network.startNode(index))));
    return network;
  }

  /** Starts a node without waiting. */
  launch(index: number, words: readonly string[] = []): NodeProcess {
    const box = this.boxes.get(index) ?? { home: this.net.homes[index] ?? "" };
    const node = this.#launchOn(box, this.placeOf(index), this.#peersOf(index), words);
    this.nodes[index] = node;
    return node;
  }

  /** Starts a second process with a node's keys, on a home and an address of its own. It is none of the network's nodes. */
  launchTwin(index: number, box: Box, peers = this.#peersOf(index)): NodeProcess {
    return this.#launchOn(box, { host: "127.0.0.1", port: freePort() }, peers, []);
  }

  /** The addresses that a node dials. */
  #peersOf(index: number): string[] {
    return this.#places.flatMap(({ host, port }, other) => {
      const relay = this.#relays[index]?.get(other);
      return other === index ? [] : [`${this.#keys[other]}@${host}:${relay?.port ?? port}`];
    });
  }

  #launchOn(box: Box, listen: Place, peers: readonly string[], words: readonly string[]): NodeProcess {
    const { home, ...start } = box;
    return this.#place.launch(home, {
      words: [
        ...["--network-listen", `${listen.host}:${listen.port}`, "--network-peers", peers.join(",")],
        ...(this.#plan.words ?? []),
        ...words,
      ],
      ...start,
    });
  }

  async #openRelays(chance: Chance): Promise<void> {
    for (const index of this.#places.keys()) {
      const relays = new Map<number, LinkRelay>();
      for (const [other, target] of this.#places.entries()) {
        if (other !== index) relays.set(other, this.#place.keep(await LinkRelay.open(target, chance)));
      }
      this.#relays[index] = relays;
    }
  }

  /** Treats what one node sends to another so from now on, whichever of the two dialled. */
  treat(from: number, to: number, manner: Partial<LinkManner>): void {
    this.#relays[from]?.get(to)?.treat("out", manner);
    this.#relays[to]?.get(from)?.treat("back", manner);
  }

  /** Treats every link so. */
  treatAll(manner: Partial<LinkManner>): void {
    for (const from of this.#places.keys()) for (const to of this.#places.keys()) if (from !== to) this.treat(from, to, manner);
  }

  /** The place of each node in the set, which is in the order of the keys. */
  get seats(): readonly number[] {
    const sorted = this.#keys.toSorted();
    return this.#keys.map((key) => sorted.indexOf(key));
  }

  /** Where a node listens for the others. */
  placeOf(index: number): Place {
    const place = this.#places[index];
    if (!place) throw new Error(`there is no node ${index}`);
    return place;
  }

  /** A validator's public key, in hex. */
  keyOf(index: number): string {
    return this.#keys[index] ?? "";
  }

  /** Bytes that all relays have carried. */
  get carriedBytes(): number {
    return this.#relays.flatMap((relays) => [...relays.values()]).reduce((sum, { carried }) => sum + carried.out + carried.back, 0);
  }

  /** Starts a node; resolves when it is ready. */
  async startNode(index: number, limitMs?: number): Promise<NodeProcess> {
    const node = this.launch(index);
    await node.ready(limitMs);
    return node;
  }

  /** Ends a node as a power cut of the process would. */
  async killNode(index: number): Promise<void> {
    const node = this.nodes[index];
    this.nodes[index] = undefined;
    await node?.kill();
  }

  /** Stops every node in good order; sentences on those that did not. */
  async stop(): Promise<string[]> {
    const codes = await Promise.all(this.nodes.map((node) => node?.stop()));
    this.nodes.fill(undefined);
    return codes.flatMap((code, index) => (code === 0 || code === undefined ? [] : [`node ${index} ended with ${code}`]));
  }

  /** A running node, by chance. */
  any(chance: Chance): NodeProcess | undefined {
    const running = this.nodes.filter((node) => node !== undefined);
    return running.length > 0 ? chance.pick(running) : undefined;
  }

  /** Final heights of the running nodes, by index. */
  async heights(): Promise<(number | undefined)[]> {
    return await Promise.all(this.nodes.map(async (node) => (node ? Number((await node.get("/api/v2/status"))["height"]) : undefined)));
  }

  /** Resolves with the milliseconds it took until every running node has reached a height; throws when that takes too long. */
  async reach(height: number, limitMs: number): Promise<number> {
    const began = performance.now();
    for (;;) {
      const heights = await this.heights();
      if (heights.every((each) => each === undefined || each >= height)) return performance.now() - began;
      if (performance.now() - began > limitMs)
        throw new Error(`the nodes stand at ${heights.join(", ")} after ${limitMs} ms, expected ${height}`);
      await Bun.sleep(20);
    }
  }
}

/** Below the ports that a system gives away by itself, so that nobody gets one of these while its node is down. */
const PORTS = { first: 10_000, last: 32_000 } as const;
const given = new Set<number>();

/** A port of loopback that is free now and was given to nobody before. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
    if (given.has(port)) continue;
    given.add(port);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error; // taken: another one
    }
  }
}
