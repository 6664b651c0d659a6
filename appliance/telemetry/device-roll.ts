import { z } from "zod";
import type { Clock } from "../../src/kernel/index.ts";
import type { ReceivedMessage } from "./outlet.ts";
import type { SparkplugDevice } from "./sparkplug/messages.ts";

/** Devices told of at a time; one more takes the place of the one silent longest. */
const DEVICES_MAX = 256;
/** A device that submitted nothing for so long counts as gone. */
const SILENCE_MS = 3_600_000;

const receipt = z.object({ id: z.string(), status: z.enum(["accepted", "final", "rejected"]) });

/** The devices that submit at this box, as their receipts on the own broker tell. Counts since the process started. */
export class DeviceRoll {
  readonly #clock: Clock;
  readonly #devices = new Map<string, { device: SparkplugDevice; heardAtMs: number }>();
  readonly #free: number[] = Array.from({ length: DEVICES_MAX }, (_, i) => DEVICES_MAX - 1 - i);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in a receipt: its topic names the device. What is no receipt is passed over. */
  onReceipt({ topic, payload }: Pick<ReceivedMessage, "topic" | "payload">): void {
    const name = /^bizra\/v1\/[^/]+\/tx\/([A-Za-z0-9_-]{1,64})\/receipt$/.exec(topic)?.[1];
    const status = name === undefined ? undefined : statusOf(payload);
    if (name === undefined || status === undefined || status === "final") return;
    const before = this.#devices.get(name)?.device ?? this.#enrol(name);
    const device = {
      ...before,
      submissions: before.submissions + 1,
      accepted: before.accepted + (status === "accepted" ? 1 : 0),
      rejected: before.rejected + (status === "rejected" ? 1 : 0),
      lastSubmissionMs: this.#clock.nowMs(),
    };
    this.#devices.delete(name); // the map's order is that of the last word
    this.#devices.set(name, { device, heardAtMs: this.#clock.monotonicMs() });
  }

  /** The devices that are not gone. */
  devices(): readonly SparkplugDevice[] {
    for (const [name, { device, heardAtMs }] of this.#devices) {
      if (this.#clock.monotonicMs() - heardAtMs > SILENCE_MS) this.#dismiss(name, device.index);
    }
    return [...this.#devices.values()].map(({ device }) => device);
  }

  #enrol(name: string): SparkplugDevice {
    const [oldest] = this.#devices;
    if (this.#free.length === 0 && oldest) this.#dismiss(oldest[0], oldest[1].device.index);
    return { name, index: this.#free.pop() ?? 0, submissions: 0, accepted: 0, rejected: 0, lastSubmissionMs: 0 };
  }

  #dismiss(name: string, index: number): void {
    this.#devices.delete(name);
    this.#free.push(index);
  }
}

function statusOf(payload: Uint8Array): "accepted" | "final" | "rejected" | undefined {
  try {
    const parsed = receipt.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    return parsed.success ? parsed.data.status : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a receipt in CBOR, which counts for nothing here
    return undefined;
  }
}
