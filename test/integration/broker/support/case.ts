/** A conformance case and what it is given. */

import type { Endpoint } from "./brokers.ts";
import { type Device, type DeviceSettings, type Make, type Version, within } from "./device.ts";
import { JsDevice } from "./js-device.ts";
import { type ClientTls, Wire } from "./wire.ts";

/** Where a case runs: a broker, a version, a make of client, and names that no other case uses. */
type Stage = {
  readonly endpoint: Endpoint;
  readonly version: Version;
  /** A topic of this case alone. */
  topic(rest: string): string;
  /** Connects a device, ended with the case. */
  connect(name: string, settings?: Partial<DeviceSettings>): Promise<Device>;
  /** As `connect`, with a client to the letter. */
  wire(name: string, settings?: Partial<DeviceSettings>): Promise<Wire>;
};

/** One case. */
export type Case = {
  /** After the feature, what is expected. */
  readonly title: string;
  readonly versions: readonly Version[];
  readonly run: (stage: Stage) => Promise<void>;
};

/** Cases of both versions, and of MQTT 5 alone. */
export const BOTH: readonly Version[] = [4, 5];
export const FIVE: readonly Version[] = [5];

/** A session that outlives its connection, in the words of its version. */
export function lasting(version: Version, seconds = 600): Partial<DeviceSettings> {
  return version === 4 ? { clean: false } : { clean: false, properties: { sessionExpiryInterval: seconds } };
}

let run = 0;

/** Runs a case once and ends what it connected. */
export async function play(
  { run: body }: Case,
  endpoint: Endpoint,
  version: Version,
  make: Make,
  door: { readonly url: string; readonly tls?: ClientTls } = { url: endpoint.tcp },
): Promise<void> {
  const prefix = `r${++run}`;
  const open: (Device | Wire)[] = [];
  const settle = (name: string, settings: Partial<DeviceSettings>): DeviceSettings => ({
    clientId: name && `${prefix}-${name}`,
    version,
    ...settings,
  });
  const stage: Stage = {
    endpoint,
    version,
    topic: (rest) => `${prefix}/${rest}`,
    connect: async (name, settings = {}) => {
      const kind = make === "wire" ? Wire : JsDevice;
      const device = await kind.connect(door.url, settle(name, settings), door.tls);
      open.push(device);
      return device;
    },
    wire: async (name, settings = {}) => {
      const wire = await Wire.connect(door.url, settle(name, settings), door.tls);
      open.push(wire);
      return wire;
    },
  };
  try {
    await within("the case", 20_000, body(stage));
  } finally {
    await Promise.all(open.map((device) => device.cut().catch(() => {})));
  }
}
