import { homeOf, makeTestnet } from "./bizra.ts";
import type { Chance } from "./chance.ts";
import { readKeys, type Signed } from "./independent-client.ts";
import { doorsOf, MqttDevice, Signer } from "./mqtt-device.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial is told. */
export type MqttKillPlan = {
  readonly chance: Chance;
  readonly kills: number;
  /** Longest time of publishing before a kill, in ms. */
  readonly publishMsMax: number;
  readonly onProgress?: (line: string) => void;
};

/** What a trial found; `faults` is empty when every acknowledged publication is final. */
export type MqttKillReport = {
  readonly kills: number;
  readonly published: number;
  readonly acknowledged: number;
  readonly final: number;
  readonly resubmitted: number;
  readonly faults: readonly string[];
};

/** Publications of one device that wait for their acknowledgement. */
const WINDOW = 8;
const LIMIT_MS = 90_000;

/** A device with an account of its own: what it signed, and what of it was acknowledged. */
class Lane {
  readonly signer: Signer;
  readonly name: string;
  readonly signed: Signed[] = [];
  readonly acknowledged = new Set<string>();

  constructor(signer: Signer, name: string) {
    this.signer = signer;
    this.name = name;
  }

  /** What was signed and not acknowledged, in the order of its nonces. */
  get open(): readonly Signed[] {
    return this.signed.filter(({ id }) => !this.acknowledged.has(id));
  }
}

/**
 * Kills a node at random moments while devices publish at QoS 1, and starts it again. After each start the devices hand in
 * again what was not acknowledged, as a device does. In the end everything acknowledged is final.
 */
export async function runMqttKillTrial(
  place: Workplace,
  { chance, kills, publishMsMax, onProgress }: MqttKillPlan,
): Promise<MqttKillReport> {
  const net = await makeTestnet(place.at("mqtt-kill"), 1, ["--mqtt"]);
  const home = homeOf(net);
  const network = net.hash.toString("hex").slice(0, 8);
  let node = await place.start(home);
  const lanes = await Promise.all(
    Object.entries(net.accounts).map(async ([name, key]) => new Lane(await Signer.of(readKeys(key), net.hash, node), name)),
  );
  let resubmitted = 0;
  const faults: string[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const { tcp } = await doorsOf(node);
    const stop = new AbortController();
    const running = lanes.map((lane, i) => runLane(lane, { url: tcp, network, protocolVersion: i % 2 === 0 ? 5 : 4 }, stop.signal));
    await Bun.sleep(chance.between(20, publishMsMax));
    await node.kill();
    stop.abort();
    for (const outcome of await Promise.all(running)) {
      resubmitted += outcome.resubmitted;
      faults.push(...outcome.faults);
    }
    node = await place.start(home);
    onProgress?.(`kill ${kill}/${kills}: ${lanes.reduce((sum, lane) => sum + lane.acknowledged.size, 0)} acknowledged so far`);
  }
  const final = await countFinal(node, lanes, faults);
  await node.stop();
  const count = (of: (lane: Lane) => number): number => lanes.reduce((sum, lane) => sum + of(lane), 0);
  return {
    kills,
    published: count((lane) => lane.signed.length),
    acknowledged: count((lane) => lane.acknowledged.size),
    final,
    resubmitted,
    faults,
  };
}

type Door = { readonly url: string; readonly network: string; readonly protocolVersion: 4 | 5 };

/** Publishes from one device until the node is gone. */
async function runLane(
  lane: Lane,
  { url, network, protocolVersion }: Door,
  stop: AbortSignal,
): Promise<{ resubmitted: number; faults: string[] }> {
  const faults: string[] = [];
  let device: MqttDevice;
  try {
    device = await MqttDevice.connect(url, network, lane.name, { protocolVersion });
  } catch (error) {
    if (!(error instanceof Error)) throw error; // killed while it connected
    return { resubmitted: 0, faults };
  }
  const left = [...lane.open];
  const resubmitted = left.length;
  const publishNext = async (): Promise<void> => {
    while (!stop.aborted && device.client.connected) {
      const signed = left.shift() ?? lane.signer.sign();
      if (!lane.signed.includes(signed)) lane.signed.push(signed);
      const topic = `bizra/v1/${network}/tx/${lane.name}/submit`;
      const gone = new Promise<false>((resolve) => stop.addEventListener("abort", () => resolve(false), { once: true }));
      const isAcknowledged = await Promise.race([
        device.client.publishAsync(topic, signed.encoded, { qos: 1 }).then(
          () => true,
          (error: Error) => {
            if (!/clos|disconnect/i.test(error.message)) faults.push(`${signed.id} refused: ${error.message}`);
            return false;
          },
        ),
        gone,
      ]);
      if (isAcknowledged) lane.acknowledged.add(signed.id);
      else return;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, publishNext));
  device.kill();
  return { resubmitted, faults };
}

/** Asks for the end of everything that was acknowledged. */
async function countFinal(node: NodeProcess, lanes: readonly Lane[], faults: string[]): Promise<number> {
  let final = 0;
  const deadline = performance.now() + LIMIT_MS;
  for (const lane of lanes) {
    for (const id of lane.acknowledged) {
      let status = String((await node.get(`/api/v2/transactions/${id}`))["status"]);
      while (status === "accepted" && performance.now() < deadline)
        status = String((await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=2000`))["status"]);
      if (status === "final") final += 1;
      else faults.push(`the acknowledged ${id} of ${lane.name} is ${status}`);
    }
  }
  return final;
}

/** The report as a line for people. */
export function describeMqttKillReport({ kills, published, acknowledged, final, resubmitted, faults }: MqttKillReport): string {
  return `${kills} kills, ${published} signed, ${acknowledged} acknowledged, ${final} of them final, ${resubmitted} handed in again, ${faults.length} faults`;
}
