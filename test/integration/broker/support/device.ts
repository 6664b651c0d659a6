/** What a conformance case asks of any MQTT client, so that it runs with clients of several makes against several brokers. */
import type { IConnackPacket, IConnectPacket, IPublishPacket } from "mqtt-packet";

/** 4 is MQTT 3.1.1. */
export type Version = 4 | 5;

/** Which makes of client drive the cases. */
export type Make = "wire" | "mqtt.js";

/** How a device connects; names are those of the packet library. */
export type DeviceSettings = {
  readonly clientId: string;
  readonly version: Version;
  readonly clean?: boolean;
  readonly keepalive?: number;
  readonly will?: NonNullable<IConnectPacket["will"]>;
  readonly username?: string;
  readonly password?: string;
  readonly properties?: NonNullable<IConnectPacket["properties"]>;
};

/** A message as it arrived. */
export type Arrived = {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly properties: NonNullable<IPublishPacket["properties"]>;
};

/** How a subscription is asked for. */
export type SubscribeSettings = {
  readonly qos?: 0 | 1 | 2;
  readonly nl?: boolean;
  readonly rap?: boolean;
  readonly rh?: 0 | 1 | 2;
  readonly id?: number;
};

/** How something is published. */
export type PublishSettings = {
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly properties?: NonNullable<IPublishPacket["properties"]>;
};

/** One connected client. */
export interface Device {
  readonly connack: IConnackPacket;
  /** Resolves with the code of SUBACK. */
  subscribe(filter: string, settings?: SubscribeSettings): Promise<number>;
  unsubscribe(filter: string): Promise<void>;
  /** Resolves with the reason of PUBACK or PUBREC, 0 in 3.1.1, when the exchange is over; for QoS 0 when the broker has read it. */
  publish(topic: string, payload: string, settings?: PublishSettings): Promise<number>;
  /**
   * Every message that the broker has sent so far and was not taken yet, all acknowledged.
   *
   * @param least how many are waited for: QoS 2 takes two round trips, and its commit
   */
  take(least?: number): Promise<Arrived[]>;
  /** The next message; throws when none comes in time. */
  next(limitMs?: number): Promise<Arrived>;
  /** DISCONNECT, with a reason where one is given. */
  end(reasonCode?: number): Promise<void>;
  /** Goes away without a word. */
  cut(): Promise<void>;
  /** Resolves when the broker has ended the connection; with the reason of its DISCONNECT, if it said one. */
  ended(limitMs?: number): Promise<number | undefined>;
}

/** A promise that fails after a while. */
export async function within<T>(what: string, limitMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
