/**
 * What Home Assistant asks of a device discovery message, written down from its documentation of the MQTT integration, its
 * sensors and its binary sensors (release 2025.1): fields that are required, and words that it knows.
 */
const DEVICE_FIELDS = [
  "configuration_url",
  "connections",
  "hw_version",
  "identifiers",
  "manufacturer",
  "model",
  "model_id",
  "name",
  "serial_number",
  "suggested_area",
  "sw_version",
  "via_device",
];
const ORIGIN_FIELDS = ["name", "sw_version", "support_url"];
const ROOT_FIELDS = [
  "device",
  "origin",
  "components",
  "state_topic",
  "command_topic",
  "qos",
  "encoding",
  "availability",
  "availability_mode",
  "availability_topic",
  "availability_template",
  "payload_available",
  "payload_not_available",
];
const ENTITY_FIELDS = [
  "platform",
  "availability_topic",
  "availability_template",
  "device_class",
  "entity_category",
  "expire_after",
  "icon",
  "name",
  "qos",
  "state_topic",
  "unique_id",
  "value_template",
  "enabled_by_default",
];
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  sensor: [...ENTITY_FIELDS, "state_class", "unit_of_measurement", "suggested_display_precision", "options"],
  binary_sensor: [...ENTITY_FIELDS, "payload_on", "payload_off", "off_delay"],
};
const UNITS: Readonly<Record<string, readonly string[]>> = {
  temperature: ["°C", "°F", "K"],
  data_size: ["bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB"],
  duration: ["d", "h", "min", "s", "ms", "µs"],
};
const BINARY_CLASSES = ["connectivity", "problem", "heat", "running", "power", "safety"];
const STATE_CLASSES = ["measurement", "total", "total_increasing"];

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a discovery message, in sentences; empty when Home Assistant takes it. */
export function discoveryFaultsOf(topic: string, message: Fields): string[] {
  const faults = strangers("message", message, ROOT_FIELDS);
  if (!/^homeassistant\/device\/[a-zA-Z0-9_-]+\/config$/.test(topic)) faults.push(`${topic} is no discovery topic of a device`);
  const device = fieldsOf(message["device"]);
  faults.push(...strangers("device", device, DEVICE_FIELDS));
  if (!Array.isArray(device["identifiers"]) || device["identifiers"].length === 0) faults.push("a device needs identifiers or connections");
  const origin = fieldsOf(message["origin"]);
  faults.push(...strangers("origin", origin, ORIGIN_FIELDS));
  if (typeof origin["name"] !== "string" || origin["name"] === "") faults.push("origin needs a name");
  const components = Object.entries(fieldsOf(message["components"]));
  if (components.length === 0) faults.push("a device has components");
  const ids = components.map(([, component]) => fieldsOf(component)["unique_id"]);
  if (new Set(ids).size !== ids.length) faults.push("each unique_id is used once");
  for (const [key, component] of components) faults.push(...componentFaults(key, fieldsOf(component)));
  return faults;
}

function componentFaults(key: string, component: Fields): string[] {
  const platform = String(component["platform"]);
  const faults = strangers(key, component, FIELDS[platform] ?? []);
  if (!(platform in FIELDS)) faults.push(`${key}: ${platform} is no platform of these rules`);
  for (const name of ["unique_id", "name", "state_topic", "value_template"])
    if (typeof component[name] !== "string" || component[name] === "") faults.push(`${key} needs ${name}`);
  if (/[+#]/.test(String(component["state_topic"]))) faults.push(`${key}: state_topic has a wildcard`);
  const { device_class: deviceClass, unit_of_measurement: unit, state_class: stateClass, icon } = component;
  if (platform === "sensor" && deviceClass !== undefined && !UNITS[String(deviceClass)]?.includes(String(unit)))
    faults.push(`${key}: ${unit} is no unit of ${deviceClass}`);
  if (platform === "binary_sensor" && deviceClass !== undefined && !BINARY_CLASSES.includes(String(deviceClass)))
    faults.push(`${key}: ${deviceClass} is no class of a binary sensor`);
  if (stateClass !== undefined && !STATE_CLASSES.includes(String(stateClass))) faults.push(`${key}: ${stateClass} is no state class`);
  if (icon !== undefined && !/^mdi:[a-z0-9-]+$/.test(String(icon))) faults.push(`${key}: ${icon} is no icon`);
  if (component["entity_category"] !== undefined && component["entity_category"] !== "diagnostic") faults.push(`${key}: no such category`);
  return faults;
}

function strangers(where: string, fields: Fields, known: readonly string[]): string[] {
  return Object.keys(fields)
    .filter((name) => !known.includes(name))
    .map((name) => `${where}: ${name} is not known`);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
