import type { Clock } from "../../src/kernel/index.ts";
import type { SparkplugDevice } from "./sparkplug/messages.ts";

/** Devices told of at a time; one more takes the place of the one silent longest. */
const DEVICES_MAX = 256;
/** A device that submitted nothing for so long counts as gone. */
const SILENCE_MS = 3_600_000;

/** The devices that submit at this box over MQTT. Counts since the process started. */
export class DeviceRoll {
  readonly #clock: Clock;
  readonly #devices = new Map<string, { device: SparkplugDevice; heardAtMs: number }>();
  readonly #free: number[] = Array.from({ length: DEVICES_MAX }, (_, i) => DEVICES_MAX - 1 - i);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A device handed in a transaction, which was accepted or refused. Names are 1-64 of `A-Za-z0-9_-`. */
  onSubmission(name: string, isAccepted: boolean): void {
    const before = this.#devices.get(name)?.device ?? this.#enrol(name);
    const device = {
      ...before,
      submissions: before.submissions + 1,
      accepted: before.accepted + (isAccepted ? 1 : 0),
      rejected: before.rejected + (isAccepted ? 0 : 1),
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
