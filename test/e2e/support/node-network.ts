import { readGenesisKeys } from "./audit.ts";
import { makeTestnet, type Testnet } from "./bizra.ts";
import type { Chance } from "./chance.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** Where a node listens for the others: an address and a port that stay over its restarts. */
type Place = { readonly host: string; readonly port: number };

/** How a network of nodes is laid out. */
export type NetworkPlan = {
  readonly validators: number;
  /** Flags of every node. */
  readonly words?: readonly string[];
  /** What stands before the binary of a node, such as the namespace it runs in. */
  readonly commandOf?: (index: number) => readonly string[];
  /** Where each node listens; default free ports of loopback. */
  readonly placeOf?: (index: number) => Place;
  /** Where each node answers HTTP; default any free port of loopback. */
  readonly httpOf?: (index: number) => string;
};

/** Validators as processes of the binary on this machine, each of which can be killed, stopped and started again. */
export class NodeNetwork {
  readonly net: Testnet;
  /** Running processes by index; undefined while down. */
  readonly nodes: (NodeProcess | undefined)[] = [];
  readonly #place: Workplace;
  readonly #plan: NetworkPlan;
  readonly #places: readonly Place[];
  readonly #keys: readonly string[];

  private constructor(place: Workplace, net: Testnet, plan: NetworkPlan) {
    this.net = net;
    this.#place = place;
    this.#plan = plan;
    this.#places = net.homes.map((_, index) => plan.placeOf?.(index) ?? { host: "127.0.0.1", port: freePort() });
    this.#keys = readGenesisKeys(net.genesis);
  }

  /** Makes homes and starts every node; resolves when all are ready. */
  static async start(place: Workplace, name: string, plan: NetworkPlan): Promise<NodeNetwork> {
    const net = await makeTestnet(place.at(name), plan.validators);
    const network = new NodeNetwork(place, net, plan);
    await Promise.all(net.homes.map((_, index) => network.startNode(index)));
    return network;
  }

  /** Starts a node without waiting. */
  launch(index: number, words: readonly string[] = []): NodeProcess {
    const home = this.net.homes[index] ?? "";
    const listen = this.#places[index];
    const peers = this.#places.flatMap(({ host, port }, other) => (other === index ? [] : [`${this.#keys[other]}@${host}:${port}`]));
    const node = this.#place.launch(home, {
      words: [
        ...["--network-listen", `${listen?.host}:${listen?.port}`, "--network-peers", peers.join(",")],
        ...(this.#plan.httpOf ? ["--http-listen", this.#plan.httpOf(index)] : []),
        ...(this.#plan.words ?? []),
        ...words,
      ],
      ...(this.#plan.commandOf && { command: this.#plan.commandOf(index) }),
    });
    this.nodes[index] = node;
    return node;
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

/** A port of loopback that is free now. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
