import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../../e2e/image/machine.ts";
import { overlayDisk } from "../../e2e/image/machine-disk.ts";
import { HOST_ADDRESS } from "../../e2e/image/machine-words.ts";
import { buildTrialImage } from "../../e2e/image/trial-image.ts";
import { bizraJson } from "../../e2e/support/bizra.ts";
import { addressOf, readKeys } from "../../e2e/support/independent-client.ts";
import { NetworkLoad } from "../../e2e/support/network-trial.ts";
import { NodeNetwork } from "../../e2e/support/node-network.ts";
import type { ImageWorld } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { BOX_HOME } from "./updating.ts";

/** Final blocks that must come while the box's votes are needed for each. */
const BLOCKS = 10;

/**
 * Four validators on this machine and a box that becomes the fifth: flashed, given provision.json and genesis.json, switched
 * on, registered with the key that it made, staked to. Then one of the four is stopped: what is left is a quorum only with
 * the box, so each further final block has its votes.
 */
export const network: Scenario = {
  name: "network",
  summary: "a box from provision.json joins a network on the host, becomes a validator, and its votes make blocks final",
  async run(world) {
    const { place, table, chance } = world;
    const host = await NodeNetwork.start(place, "host-network", { validators: 4, netWords: ["--epoch-blocks", "16"] });
    const machine = await startProvisioned(world, host);
    let load: NetworkLoad | undefined;
    try {
      const isReady = async (): Promise<true | undefined> =>
        (await askInside(machine, "/readyz")).startsWith("HTTP/1.1 200") ? true : undefined;
      await table.time("network", "start to node level with the chain", () =>
        machine.until("be level with the chain", START_LIMIT_MS, isReady),
      );
      const key = await becomeValidator(host, machine);
      load = await NetworkLoad.of(host, chance, 500);
      load.start();
      const isMember = async (): Promise<true | undefined> =>
        (await host.nodes[0]?.get(`/api/v2/validators/${key}`))?.["status"] === "active" ? true : undefined;
      await table.time("network", "staked to member of the set", () => machine.until("come into the set", START_LIMIT_MS, isMember));
      return await proveVotes(world, host, machine, key);
    } finally {
      await machine.cut();
      await load?.stop();
      await host.stop();
    }
  },
};

/** An image without a home, its plan and the network's genesis in it, and a machine that it was written to. */
async function startProvisioned(world: ImageWorld, host: NodeNetwork): Promise<Machine> {
  const folder = join(world.folder, "network");
  mkdirSync(folder);
  const { image } = await world.table.time("build", "image without a home", () =>
    buildTrialImage({ folder, architecture: "amd64", version: "1.0.0", hasDebugShell: true, keys: join(world.folder, "keys") }),
  );
  const peers = [0, 1, 2, 3].map((index) => `${host.keyOf(index)}@${HOST_ADDRESS}:${host.placeOf(index).port}`);
  const chain = { genesis: host.net.hash.toString("hex"), role: "validator", peers };
  writeFileSync(join(folder, "provision.json"), JSON.stringify({ schema: 1, hostname: "mill-7", chain }));
  copyFileSync(host.net.genesis, join(folder, "genesis.json"));
  await bizraJson("image", "provision", image, join(folder, "provision.json"));
  const disk = await overlayDisk(image, join(folder, "disk.qcow2"));
  return await world.start("network", { disk, vars: join(folder, "vars.fd") });
}

/** Registers the key that the box made for itself, and gives it as much stake as each other validator has; resolves with the key. */
async function becomeValidator(host: NodeNetwork, machine: Machine): Promise<string> {
  const [account] = Object.values(host.net.accounts);
  const url = host.nodes[0]?.http ?? "";
  if (account === undefined) throw new Error("the network has no account");
  const signing = ["--key", account, "--url", url, "--wait", "final"];
  const owner = addressOf(readKeys(account).publicKey);
  const chain = ["--chain-id", host.net.hash.toString("hex"), "--owner", owner];
  const files = [`${BOX_HOME}/keys/validator.json`, "--passphrase-file", `${BOX_HOME}/keys/passphrase`];
  const shown = JSON.parse(await machine.must(`bizra keys prove ${[...files, ...chain].join(" ")} --json`)) as Record<string, string>;
  const [key, proof] = [String(shown["publicKey"]), String(shown["proof"])];
  await bizraJson("tx", "validator-register", ...signing, "--public-key", key, "--proof", proof);
  const member = (await host.nodes[0]?.get(`/api/v2/validators/${host.keyOf(0)}`)) ?? {};
  await bizraJson("tx", "stake", ...signing, "--validator", key, "--amount", String(member["stake"]));
  return key;
}

/** Asks the box's node from within, since it answers no other machine; the whole answer as text, empty while there is none. */
async function askInside(machine: Machine, path: string): Promise<string> {
  const request = `exec 3<>/dev/tcp/127.0.0.1/8645 && printf 'GET ${path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3`;
  const { code, out } = await machine.run(request, 30_000);
  return code === 0 ? out : "";
}

/** Stops one of the others: from then on no block is final without the box. */
async function proveVotes({ table }: ImageWorld, host: NodeNetwork, machine: Machine, key: string): Promise<readonly string[]> {
  await host.killNode(3);
  const asked = host.nodes[0];
  if (!asked) throw new Error("the first node runs");
  const { validators } = (await asked.get("/api/v2/validators")) as { validators: { id: string; weight: string }[] };
  const total = validators.reduce((sum, { weight }) => sum + BigInt(weight), 0n);
  const quorum = total - (total - 1n) / 3n;
  const others = validators.filter(({ id }) => id !== key && id !== host.keyOf(3)).reduce((sum, { weight }) => sum + BigInt(weight), 0n);
  if (others >= quorum) return [`${others} of ${total} is a quorum without the box: nothing is shown by what follows`];
  const heightNow = async (): Promise<number> => Number((await asked.get("/api/v2/status"))["height"]);
  const from = await heightNow();
  const reaches = async (): Promise<true | undefined> => ((await heightNow()) >= from + BLOCKS ? true : undefined);
  await table.time("network", `${BLOCKS} final blocks that need the box's votes`, () =>
    machine.until(`make ${BLOCKS} blocks final with the others`, START_LIMIT_MS, reaches),
  );
  // And without it, none: what was final so far stays the last.
  await machine.cut();
  const stopped = await heightNow();
  await Bun.sleep(15_000);
  const later = await heightNow();
  return later > stopped + 2 ? [`${later - stopped} blocks became final without the box`] : [];
}
