import { assert, type CancelTimer, type Clock, type Log, type Timers } from "../../../src/kernel/index.ts";
import type { Outlet, OutletMessage, ReceivedMessage } from "../outlet.ts";
import type { Report, Sample } from "../report.ts";
import type { SampleQueue } from "../store.ts";
import { type HostState, onHostState, UNKNOWN_HOST } from "./host-state.ts";
import {
  deviceBirth,
  deviceData,
  deviceDeath,
  type EdgeNodeName,
  nodeBirth,
  nodeData,
  nodeDeath,
  REBIRTH,
  type SparkplugDevice,
  sparkplugTopic,
} from "./messages.ts";
import { decodeCommand } from "./payload.ts";

/** What an edge node stands on. */
export type EdgeNodeParts = {
  readonly name: EdgeNodeName;
  /** Id of the host without which nothing is told; empty: none. */
  readonly primaryHost: string;
  readonly sample: () => Sample;
  readonly devices: () => readonly SparkplugDevice[];
  /** Reports that were made while nobody heard, or that may not have arrived. */
  readonly queue: SampleQueue;
  /** The number of the connection before, kept across restarts; undefined before the first. */
  readonly bdSeq: { read(): number | undefined; write(value: number): void };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Two births asked for by hosts are this far apart, in milliseconds. */
const REBIRTH_MS = 5_000;
/** Reports told but not known to have arrived, at most; then the broker is asked. */
const UNCONFIRMED_MAX = 8;
const CONFIRM_MS = 60_000;
/** Historical reports in one message. */
const HISTORICAL_MAX = 20;

/**
 * A Sparkplug B 3.0 edge node in one MQTT session of its own, for its will is the NDEATH. Tells births, data and deaths with
 * one sequence; keeps what could not be told and tells it later as historical, oldest first.
 *
 * QoS 0 is the specification's: a report counts as told once the broker has answered something sent after it. One that was
 * under way when the connection broke is told again as historical, with the timestamps it had, so a host that got it
 * the first time sees the same value of the same moment twice.
 */
export class EdgeNode {
  readonly #parts: EdgeNodeParts;
  #outlet: Outlet | undefined;
  #state: "offline" | "waiting" | "born" = "offline";
  #host: HostState = UNKNOWN_HOST;
  #bdSeq: number;
  #nextSeq = 0;
  #unconfirmed: Report[] = [];
  readonly #toldDevices = new Map<string, SparkplugDevice>();
  #bornAtMs = Number.NEGATIVE_INFINITY;
  #cancelRebirth: CancelTimer | undefined;
  #cancelConfirm: CancelTimer | undefined;
  #isFlushing = false;
  #flushesAgain = false;

  constructor(parts: EdgeNodeParts) {
    this.#parts = parts;
    this.#bdSeq = parts.bdSeq.read() ?? -1;
  }

  /** Whether hosts have a birth of this connection. */
  get isBorn(): boolean {
    return this.#state === "born" && this.#cancelRebirth === undefined;
  }

  /** The will of the next connection, which takes the next number from 0 to 255. */
  will(): OutletMessage {
    this.#bdSeq = (this.#bdSeq + 1) % 256;
    this.#parts.bdSeq.write(this.#bdSeq);
    return nodeDeath(this.#parts.name, this.#parts.clock.nowMs(), this.#bdSeq);
  }

  /** Takes the session that `will` is the will of, before it is opened. */
  attach(outlet: Outlet): void {
    assert(this.#outlet === undefined, "an edge node has one session");
    this.#outlet = outlet;
    const { name, primaryHost } = this.#parts;
    outlet.subscribe(sparkplugTopic(name, "NCMD"), 1, (message) => this.#onCommand(message));
    if (primaryHost !== "") outlet.subscribe(`spBv1.0/STATE/${primaryHost}`, 1, (message) => this.#onHost(message));
    outlet.onConnectionChange((isConnected) => this.#onConnection(isConnected));
  }

  /** Tells a report, or keeps it for later. */
  async tell(report: Report): Promise<void> {
    if (!this.isBorn || this.#isFlushing || this.#parts.queue.length > 0) {
      this.#parts.queue.put([report]);
      void this.#flush();
      return;
    }
    this.#unconfirmed.push(report);
    const message = nodeData(this.#parts.name, this.#parts.clock.nowMs(), this.#seq(), [report], false);
    if ((await this.#publish(message)) && this.#unconfirmed.length >= UNCONFIRMED_MAX) await this.#confirm();
    else this.#cancelConfirm ??= this.#parts.timers.after(CONFIRM_MS, () => void this.#confirm());
  }

  /** Looks at the devices: births for new ones, data for changed ones, deaths for those that are gone. */
  tellDevices(): void {
    if (!this.isBorn) return;
    const { name, clock } = this.#parts;
    const present = new Map(this.#parts.devices().map((device) => [device.name, device]));
    for (const [gone, { index }] of [...this.#toldDevices]) {
      if (present.get(gone)?.index === index) continue; // one that was away meanwhile has other aliases: another birth
      this.#toldDevices.delete(gone);
      void this.#publish(deviceDeath(name, clock.nowMs(), this.#seq(), gone));
    }
    for (const device of present.values()) {
      const told = this.#toldDevices.get(device.name);
      this.#toldDevices.set(device.name, device);
      if (told === undefined) void this.#publish(deviceBirth(name, clock.nowMs(), this.#seq(), device));
      else if (hasChanged(told, device)) void this.#publish(deviceData(name, clock.nowMs(), this.#seq(), device, told));
    }
  }

  /** Asks for a birth, as a host's rebirth command does: at once, or when the last one is long enough ago. */
  requestRebirth(): void {
    if (this.#state !== "born" || this.#cancelRebirth !== undefined) return;
    const waitMs = this.#bornAtMs + REBIRTH_MS - this.#parts.clock.monotonicMs();
    this.#cancelRebirth = this.#parts.timers.after(Math.max(0, waitMs), () => {
      this.#cancelRebirth = undefined;
      if (this.#state === "born") this.#bear();
    });
  }

  /** Says the death of a session that ends in good order; what is not known to have arrived is kept. */
  async farewell(): Promise<void> {
    if (this.#state === "born") {
      this.#state = "offline"; // nothing follows the death, however long the broker takes
      await this.#publish(nodeDeath(this.#parts.name, this.#parts.clock.nowMs(), this.#bdSeq));
      await this.#confirm();
    }
    this.#end();
  }

  #onConnection(isConnected: boolean): void {
    if (!isConnected) {
      this.#end();
      return;
    }
    this.#state = "waiting";
    this.#parts.log.info("telemetry.sparkplug.connected", { bdSeq: this.#bdSeq });
    if (this.#parts.primaryHost === "" || this.#host.isOnline) this.#bear();
  }

  /** The retained word comes right after subscribing, perhaps before the broker's answer to that. */
  #onHost({ payload }: ReceivedMessage): void {
    const before = this.#host;
    this.#host = onHostState(before, payload);
    if (this.#host === before) return;
    if (this.#host.isOnline && this.#state === "waiting") this.#bear();
    else if (!this.#host.isOnline && this.#state === "born") void this.#leave();
  }

  /** The primary host is gone: this session ends, and the next one waits for it. */
  async #leave(): Promise<void> {
    this.#parts.log.info("telemetry.sparkplug.hostOffline", { host: this.#parts.primaryHost });
    await this.farewell();
    await this.#outlet?.cycle();
  }

  #onCommand({ payload, isRetained }: ReceivedMessage): void {
    if (isRetained === true) return; // none may be: it would bring a birth with each subscription
    const command = decodeCommand(payload);
    if (!command.ok) {
      this.#parts.log.warn("telemetry.sparkplug.malformedCommand", { bytes: payload.length });
      return;
    }
    if (command.value.metrics.some(({ name, value }) => name === REBIRTH && value === true)) this.requestRebirth();
  }

  #bear(): void {
    const { name, clock, sample, devices } = this.#parts;
    const timeMs = clock.nowMs();
    this.#state = "born";
    this.#bornAtMs = clock.monotonicMs();
    this.#nextSeq = 0;
    void this.#publish(nodeBirth(name, timeMs, this.#seq(), this.#bdSeq, sample()));
    this.#toldDevices.clear();
    for (const device of devices()) {
      this.#toldDevices.set(device.name, device);
      void this.#publish(deviceBirth(name, timeMs, this.#seq(), device));
    }
    void this.#flush();
  }

  /** Tells what was kept, oldest first, and forgets it once the broker has it. */
  async #flush(): Promise<void> {
    const { queue, name, clock } = this.#parts;
    this.#flushesAgain = this.#isFlushing;
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.isBorn) {
        const kept = queue.peek(HISTORICAL_MAX);
        if (kept.length === 0) break;
        const reports = kept.map(({ report }) => report);
        if (!(await this.#publish(nodeData(name, clock.nowMs(), this.#seq(), reports, true)))) break;
        if (!(await this.#outlet?.settle())) break;
        if (!queue.remove(kept)) break; // told again with the next
      }
    } finally {
      this.#isFlushing = false;
      if (this.#flushesAgain) void this.#flush(); // another session was born while this one's answer was awaited
    }
  }

  async #confirm(): Promise<void> {
    this.#cancelConfirm?.();
    this.#cancelConfirm = undefined;
    const asked = this.#unconfirmed;
    if (asked.length === 0 || !(await this.#outlet?.settle())) return;
    this.#unconfirmed = this.#unconfirmed.filter((report) => !asked.includes(report));
  }

  #end(): void {
    this.#cancelRebirth?.();
    this.#cancelConfirm?.();
    this.#cancelRebirth = undefined;
    this.#cancelConfirm = undefined;
    this.#state = "offline";
    this.#host = { ...this.#host, isOnline: false }; // another connection hears it anew; older words stay refused
    this.#parts.queue.put(this.#unconfirmed);
    this.#unconfirmed = [];
  }

  async #publish(message: OutletMessage): Promise<boolean> {
    return (await this.#outlet?.publish(message)) === "acknowledged";
  }

  #seq(): number {
    const seq = this.#nextSeq;
    this.#nextSeq = (seq + 1) % 256;
    assert(seq >= 0 && seq <= 255, "a sequence number is a byte");
    return seq;
  }
}

function hasChanged(a: SparkplugDevice, b: SparkplugDevice): boolean {
  return (
    a.submissions !== b.submissions || a.accepted !== b.accepted || a.rejected !== b.rejected || a.lastSubmissionMs !== b.lastSubmissionMs
  );
}
