import { afterAll, expect, test } from "bun:test";
import { readGenesisKeys } from "./support/audit.ts";
import { makeTestnet, type Testnet } from "./support/bizra.ts";
import { findNatObstacle, type Machine, NatWorld } from "./support/nat-world.ts";
import { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Two boxes in the street, two behind a router each: those two reach each other through the first only. */
const MACHINES: readonly Machine[] = [false, false, true, true].map((isBehindRouter, index) => ({ name: `box${index}`, isBehindRouter }));
const LIMIT_MS = 120_000;
const [HTTP, PORT] = ["http://127.0.0.1:8645", 8646];
/** Boxes by their place in the street: the relay, and those behind routers. */
const RELAY = 0;
const HIDDEN = [2, 3] as const;

/** Any address. */
const RECEIVER = "bz1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsqfs2j8";

const place = new Workplace();
const obstacle = await findNatObstacle();
if (obstacle !== undefined) console.warn(`SKIPPED, boxes behind routers: ${obstacle}`);

afterAll(() => place.end());

const nameOf = (index: number): string => MACHINES[index]?.name ?? "";

/** Starts the node of a box on its machine. */
function launch(world: NatWorld, net: Testnet, keys: readonly string[], index: number): NodeProcess {
  const street = [0, 1].filter((other) => other !== index).map((other) => `${keys[other]}@${NatWorld.addressOf(other)}:${PORT}`);
  const isHidden = MACHINES[index]?.isBehindRouter === true;
  const words = ["--http-listen", "127.0.0.1:8645", "--network-listen", `0.0.0.0:${PORT}`, "--network-peers", street.join(",")];
  if (index === RELAY) words.push("--network-relay", "on");
  if (isHidden) words.push("--network-relays", `${keys[RELAY]}@${NatWorld.addressOf(RELAY)}:${PORT}`);
  return place.keep(new NodeProcess(net.homes[index] ?? "", { words, command: world.binaryOn(nameOf(index)) }));
}

/** Resolves with the milliseconds until a condition holds. */
async function until(what: string, holds: () => Promise<boolean>, nodes: readonly NodeProcess[]): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > LIMIT_MS)
      throw new Error(`${what}: not after ${LIMIT_MS} ms; ${nodes.map((node) => node.output.slice(-1_500)).join("\n--\n")}`);
    await Bun.sleep(50);
  }
  return Math.round(performance.now() - began);
}

type Peers = { connected: { peer: string; address: string }[]; missingValidators: string[] };

test.skipIf(obstacle !== undefined)(
  "e2e: four validators, two behind a router each, those reach each other through a relay and lead final blocks",
  async () => {
    const world = place.keep(await NatWorld.make(MACHINES));
    const net = await makeTestnet(place.at("net"), 4);
    const keys = readGenesisKeys(net.genesis);
    const seats = keys.map((key) => keys.toSorted().indexOf(key));
    const nodes = MACHINES.map((_, index) => launch(world, net, keys, index));
    const get = async (index: number, path: string) => (await world.get(nameOf(index), `${HTTP}${path}`))?.json;
    const peersOf = async (index: number): Promise<Peers | undefined> => (await get(index, "/api/v2/peers")) as Peers | undefined;
    const isMeshed = async (index: number): Promise<boolean> => (await peersOf(index))?.missingValidators.length === 0;
    const meshMs = await until(
      "each has three others",
      async () => (await Promise.all(MACHINES.map((_, at) => isMeshed(at)))).every(Boolean),
      nodes,
    );
    const addressBetween = async (from: number, to: number) =>
      (await peersOf(from))?.connected.find(({ peer }) => peer === keys[to])?.address ?? "";
    expect(await addressBetween(HIDDEN[0], HIDDEN[1])).toContain("/p2p-circuit");
    expect(await addressBetween(1, HIDDEN[0])).not.toContain("/p2p-circuit");

    const [sender] = Object.values(net.accounts);
    const before = MACHINES.map(({ name }) => world.bytesOf(name));
    const transfers = 16;
    const began = performance.now();
    for (let sent = 0; sent < transfers; sent++) {
      const words = [
        "tx",
        "transfer",
        "--url",
        HTTP,
        "--key",
        sender ?? "",
        "--to",
        RECEIVER,
        "--amount",
        "5",
        "--wait",
        "final",
        "--json",
      ];
      const child = Bun.spawn([...world.binaryOn(nameOf(HIDDEN[0])), ...words], { stdout: "pipe", stderr: "pipe" });
      const [code, err] = [await child.exited, await new Response(child.stderr).text()];
      expect({ code, err }).toMatchObject({ code: 0 });
    }
    const tookMs = Math.round(performance.now() - began);
    const { blocks } = (await get(1, "/api/v2/blocks?from=1&limit=100")) as { blocks: { header: { leader: number } }[] };
    const led = new Set(blocks.map(({ header }) => header.leader));
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    for (const index of HIDDEN) expect(led.has(seats[index] ?? -1)).toBe(true);
    const traffic = MACHINES.map(({ name }, index) => {
      const now = world.bytesOf(name);
      const [sent, received] = [now.sent - (before[index]?.sent ?? 0), now.received - (before[index]?.received ?? 0)];
      return `${name} ${Math.round(sent / 1024)} out ${Math.round(received / 1024)} in`;
    });
    console.log(
      `network: two of four behind routers: meshed after ${meshMs} ms; ${transfers} transfers, each waited for, in ${tookMs} ms and ${blocks.length} blocks; KiB: ${traffic.join(", ")}`,
    );

    // The hidden boxes have only the other open one now, which is no relay.
    await nodes[RELAY]?.kill();
    await until("they are apart", async () => (await addressBetween(HIDDEN[0], HIDDEN[1])) === "", nodes);
    nodes[RELAY] = launch(world, net, keys, RELAY);
    const backMs = await until(
      "all together again",
      async () => (await Promise.all(MACHINES.map((_, at) => isMeshed(at)))).every(Boolean),
      nodes,
    );
    console.log(`network: the relay killed and started again: a full mesh after ${backMs} ms`);
    await Promise.all(nodes.map((node) => node.kill()));
  },
  180_000,
);
