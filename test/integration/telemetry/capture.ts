/** What outside tools make of what a node tells: a Sparkplug birth by its decoder, Home Assistant's entities with their values. */
import { decodedBy } from "../../unit/telemetry/telemetry-fixture.ts";
import { jsonSeen, type Observer, type Seen } from "./observer.ts";

/** A metric of a birth as the outside decoder reads it. */
export type CapturedMetric = {
  readonly name: string;
  readonly alias: string;
  readonly type: string;
  readonly value: string;
  readonly unit: string;
};

/** The metrics of a birth. */
export function captureBirth(message: Seen): readonly CapturedMetric[] {
  const { metrics } = decodedBy({ topic: message.topic, payload: message.payload, qos: 0, isRetained: false });
  return metrics.map(({ name, alias, type, value, properties }) => ({
    name: name ?? "",
    alias: alias === undefined ? "" : String(alias),
    type: type ?? "",
    value: value === null ? "null" : String(value),
    unit: String(properties?.["engUnit"]?.value ?? ""),
  }));
}

/** An entity that Home Assistant makes of the discovery message, with the state it would show. */
export type CapturedEntity = { readonly entity: string; readonly name: string; readonly state: string; readonly unit: string };

/**
 * The entities of a device, each state found as Home Assistant finds it: the value template applied to the last message on the
 * state topic. Only the templates that this project writes are understood.
 */
export function captureEntities(observer: Observer): readonly CapturedEntity[] {
  const discovery = jsonSeen(observer.on(/^homeassistant\/device\/.*\/config$/).at(-1));
  const components = discovery["components"] as Readonly<Record<string, Readonly<Record<string, string>>>>;
  return Object.values(components).map((component) => {
    const last = observer.seen.filter(({ topic }) => topic === component["state_topic"]).at(-1);
    return {
      entity: `${component["platform"]}.${component["unique_id"]}`,
      name: component["name"] ?? "",
      state: stateOf(component, jsonSeen(last)),
      unit: component["unit_of_measurement"] ?? "",
    };
  });
}

function stateOf(
  { value_template: template = "", platform }: Readonly<Record<string, string>>,
  message: Readonly<Record<string, unknown>>,
): string {
  const word = /^\{\{ value_json\.(\w+) \}\}$/.exec(template)?.[1];
  const figure = /value_json\['values'\]\['(\w+)'\]/.exec(template)?.[1];
  const value = word === undefined ? (message["values"] as Readonly<Record<string, unknown>>)[figure ?? ""] : message[word];
  if (platform === "binary_sensor" && figure !== undefined) return value === true ? "ON" : value === false ? "OFF" : "None";
  return value === null || value === undefined ? "None" : String(value);
}

/** Lines in columns. */
export function table(rows: readonly Readonly<Record<string, string>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => (row[name] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(names), ...rows.map((row) => line(names.map((name) => row[name] ?? "")))].join("\n");
}
