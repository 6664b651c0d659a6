import { isJson, type Json, wideIn } from "./json.ts";
import type { MqttAcknowledgement, MqttPort } from "./mqtt-carrier.ts";

/** The part of an mqtt.js 5 client that is used; the caller makes it, connects it and ends it. */
export interface MqttJsClient {
  readonly options: { readonly protocolVersion?: number | undefined };
  /** Its types want a Buffer, which browsers do not have; its codec takes any Uint8Array. */
  publish(topic: string, payload: never, options: { qos: 1 }, done: (error?: Error | null, packet?: unknown) => void): unknown;
  subscribe(topic: string, options: { qos: 1 }, done: (error: Error | null, granted?: unknown) => void): unknown;
  on(event: "message", listener: (topic: string, payload: Uint8Array) => void): unknown;
}

/** Makes an MQTT port of an mqtt.js client. */
export function mqttJsPort(client: MqttJsClient): MqttPort {
  return {
    version: client.options.protocolVersion === 5 ? 5 : 4,
    publish: (topic, payload) =>
      new Promise((resolve, reject) => {
        client.publish(topic, payload as never, { qos: 1 }, (error, packet) => {
          const refused = refusalOf(error, packet);
          if (refused) resolve(refused);
          else if (error) reject(error);
          else resolve({ reasonCode: 0 });
        });
      }),
    subscribe: (topic) =>
      new Promise((resolve, reject) => {
        client.subscribe(topic, { qos: 1 }, (error) => (error ? reject(error) : resolve()));
      }),
    onMessage: (listener) => void client.on("message", listener),
  };
}

/** A PUBACK that refuses: mqtt.js gives an error with its reason code, and the packet with its properties. */
function refusalOf(error: Error | null | undefined, packet: unknown): MqttAcknowledgement | undefined {
  if (!error || !("code" in error) || typeof error.code !== "number" || error.code < 0x80) return undefined;
  const properties: Json = isJson(packet) && isJson(packet["properties"]) ? packet["properties"] : {};
  const { reasonString, userProperties } = properties;
  const seconds = isJson(userProperties) ? wideIn(userProperties, "retry-after") : undefined;
  return {
    reasonCode: error.code,
    ...(typeof reasonString === "string" ? { reasonString } : {}),
    ...(seconds !== undefined && seconds < 1_000_000n ? { retryAfterSeconds: Number(seconds) } : {}),
  };
}
