import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { DoorPlan, TlsIdentity } from "../../../appliance/broker/index.ts";
import { networkIdOf } from "../../protocol/index.ts";
import { HOME } from "../home.ts";
import type { NodeSetup } from "../setup.ts";
import { StartRefused } from "../start-refused.ts";
import { VERSION } from "../version.ts";
import type { ServicePlan } from "./mqtt-service.ts";

/**
 * What the configuration wants of a broker; undefined when it opens no door.
 *
 * @throws StartRefused when a certificate or key that it names is absent, or a door lacks them
 */
export function planBroker({ home, configuration, genesis, nodeId }: NodeSetup): ServicePlan | undefined {
  const { mqtt } = configuration;
  const doors = planDoors(home, mqtt);
  if (!doors.tcp && !doors.tls && !doors.webSocket) return undefined;
  const { connectionsMax, connectionsPerAddressMax, connectsPerSecond, packetBytesMax } = mqtt;
  return {
    databasePath: join(home, HOME.broker),
    accessPath: join(home, HOME.mqttAccess),
    scope: { network: networkIdOf(genesis.hash), node: nodeId },
    version: `bizra ${VERSION.version}`,
    anonymous: mqtt.anonymous,
    doors,
    limits: { connectionsMax, connectionsPerAddressMax, connectsPerSecond, packetBytesMax },
    submissionLimits: { itemsMax: mqtt.transactionsPerSubmissionMax, receiptsMax: mqtt.receiptsMax },
  };
}

function planDoors(home: string, mqtt: NodeSetup["configuration"]["mqtt"]): DoorPlan {
  const { listen, tlsListen, webSocketListen, webSocketOrigins } = mqtt;
  const identity = mqtt.certificate === "" ? undefined : readIdentity(home, mqtt);
  if (tlsListen && !identity) {
    throw new StartRefused(
      `${join(home, HOME.configuration)}: mqtt.tlsListen is set, but mqtt.certificate and mqtt.key are not; set all three`,
    );
  }
  return {
    ...(listen ? { tcp: listen } : {}),
    ...(tlsListen && identity ? { tls: { address: tlsListen, identity } } : {}),
    ...(webSocketListen ? { webSocket: { address: webSocketListen, ...(identity ? { identity } : {}), origins: webSocketOrigins } } : {}),
  };
}

function readIdentity(home: string, { certificate, key, clientCa, clientCertificate }: NodeSetup["configuration"]["mqtt"]): TlsIdentity {
  if (key === "") throw new StartRefused(`${join(home, HOME.configuration)}: mqtt.certificate is set, but mqtt.key is not; set both`);
  return {
    certificate: readPem(home, certificate, "mqtt.certificate"),
    key: readPem(home, key, "mqtt.key"),
    ...(clientCa === "" ? {} : { clientAuthority: readPem(home, clientCa, "mqtt.clientCa") }),
    isClientCertificateRequired: clientCertificate === "required",
  };
}

function readPem(home: string, name: string, setting: string): string {
  const path = isAbsolute(name) ? name : join(home, name);
  if (!existsSync(path))
    throw new StartRefused(`expected the file that ${setting} names at ${path}, which does not exist; put it there, or correct ${setting}`);
  const text = readFileSync(path, "utf8");
  if (text.includes("-----BEGIN ")) return text;
  throw new StartRefused(`${path}: expected PEM, which begins with -----BEGIN; put the file that ${setting} is to name there`);
}
