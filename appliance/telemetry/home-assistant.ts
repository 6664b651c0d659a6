import { utf8 } from "../../src/kernel/index.ts";
import { METRIC_NAMES, type MetricName, metricSpec } from "./metrics.ts";
import type { OutletMessage } from "./outlet.ts";
import type { Sample } from "./report.ts";
import { type NodeName, nodeTopic } from "./topics.ts";

/** What a Home Assistant shows of the box as a device. */
export type DeviceIdentity = { readonly version: string; readonly model?: string; readonly chainName: string };

type Component = Readonly<Record<string, string>>;

const SUPPORT_URL = "https://www.home-assistant.io/integrations/mqtt/";

/**
 * Home Assistant's device discovery: one retained message that makes the box one device with an entity for each figure that
 * is known here or was. Figures are read from the `health` topic; an entity is available while `status` says online.
 *
 * @param prefix the discovery prefix of that Home Assistant, `homeassistant` unless it was changed there
 * @see https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
 */
export function homeAssistantDiscovery(
  prefix: string,
  name: NodeName,
  identity: DeviceIdentity,
  known: readonly MetricName[],
): OutletMessage {
  const id = `bizra_${name.node}`;
  const components: Record<string, Component> = { status: statusComponent(id, name) };
  for (const metric of known) {
    const component = componentOf(id, name, metric);
    if (component) components[metric] = component;
  }
  const payload = {
    device: {
      identifiers: [id],
      name: `BIZRA ${name.node}`,
      manufacturer: "BIZRA",
      ...(identity.model !== undefined && { model: identity.model }),
      sw_version: identity.version,
      serial_number: `${identity.chainName}/${name.node}`,
    },
    origin: { name: "bizra", sw_version: identity.version, support_url: SUPPORT_URL },
    components,
    qos: 1,
  };
  return { topic: `${prefix}/device/${id}/config`, payload: utf8(JSON.stringify(payload)), qos: 1, isRetained: true };
}

/** The figures of a sample that are known and that Home Assistant has an entity for. */
export function showableIn(sample: Sample): readonly MetricName[] {
  return METRIC_NAMES.filter((name) => sample.values[name] !== null && metricSpec(name).homeAssistant !== undefined);
}

/** The connection itself; it has no availability, for it is what tells of it. */
function statusComponent(id: string, name: NodeName): Component {
  return {
    platform: "binary_sensor",
    name: "Connection",
    unique_id: `${id}_status`,
    device_class: "connectivity",
    entity_category: "diagnostic",
    state_topic: nodeTopic(name, "status"),
    value_template: "{{ value_json.status }}",
    payload_on: "online",
    payload_off: "offline",
  };
}

function componentOf(id: string, name: NodeName, metric: MetricName): Component | undefined {
  const { homeAssistant: look, path, unit } = metricSpec(metric);
  if (look === undefined) return undefined;
  const value = `value_json['values']['${metric}']`;
  return {
    platform: look.platform,
    name: path.replace("/", " "),
    unique_id: `${id}_${metric}`,
    state_topic: nodeTopic(name, "health"),
    value_template: look.platform === "binary_sensor" ? `{{ {true: 'ON', false: 'OFF'}.get(${value}, 'None') }}` : `{{ ${value} }}`,
    availability_topic: nodeTopic(name, "status"),
    availability_template: "{{ value_json.status }}",
    ...(look.deviceClass !== undefined && { device_class: look.deviceClass }),
    ...(look.stateClass !== undefined && { state_class: look.stateClass }),
    ...(look.icon !== undefined && { icon: look.icon }),
    ...(unit !== undefined && { unit_of_measurement: unit }),
    ...(metricSpec(metric).isEssential ? {} : { entity_category: "diagnostic" }),
  };
}
