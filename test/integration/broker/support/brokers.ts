/** The brokers that conformance cases run against: ours on real sockets, and mosquitto to see that the case itself is right. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Access,
  BROKER_DATABASE,
  type Broker,
  type BrokerLimits,
  createBroker,
  DoorCounts,
  type DoorPlan,
  openDoors,
} from "../../../../appliance/broker/index.ts";
import { ok, silentLog } from "../../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../../src/node/ports.ts";
import { openDatabase } from "../../../../src/storage/index.ts";
import type { Certificates } from "../../telemetry/certificates.ts";
import { findMosquitto } from "../../telemetry/mosquitto.ts";
import type { ClientTls } from "./wire.ts";

/** Something to connect to. */
export type Endpoint = {
  readonly name: "bizra" | "mosquitto";
  readonly tcp: string;
  readonly tls?: string;
  readonly webSocket?: string;
  /** A client certificate that the TLS door takes. */
  readonly client?: ClientTls;
};

/** Lets everybody do everything; the principal is the name in the certificate, the user name, else the client id. */
const OPEN: Access = {
  authenticate: async ({ clientId, username, security }) => ok({ name: security.certificateName ?? username ?? clientId, role: "any" }),
  mayPublish: () => true,
  maySubscribe: () => true,
};

/** Our broker in this process, on loopback, its file in a folder of its own. */
export class OwnBroker {
  readonly broker: Broker;
  readonly endpoint: Endpoint;
  readonly failures: unknown[];
  readonly #end: () => Promise<void>;

  private constructor(broker: Broker, endpoint: Endpoint, failures: unknown[], end: () => Promise<void>) {
    this.broker = broker;
    this.endpoint = endpoint;
    this.failures = failures;
    this.#end = end;
  }

  static start(options: { access?: Access; limits?: Partial<BrokerLimits>; certificates?: Certificates } = {}): OwnBroker {
    const folder = mkdtempSync(join(tmpdir(), "bizra-broker-"));
    const database = openDatabase({ ...BROKER_DATABASE, path: join(folder, "broker.db"), create: true });
    const failures: unknown[] = [];
    const broker = createBroker({
      clock: systemClock,
      timers: systemTimers,
      entropy: systemEntropy,
      log: silentLog,
      database,
      access: options.access ?? OPEN,
      limits: { connectBurst: 100_000, connectsPerSecond: 100_000, ...options.limits },
      version: "test",
      onFailure: (error) => failures.push(error),
    });
    const address = { host: "127.0.0.1", port: 0 };
    const secured = options.certificates && securityOf(options.certificates);
    const plan: DoorPlan = {
      tcp: address,
      webSocket: { address, origins: [] },
      ...(secured ? { tls: { address, identity: { ...secured.identity, isClientCertificateRequired: true } } } : {}),
    };
    const doors = openDoors(plan, { broker, timers: systemTimers, log: silentLog, counts: new DoorCounts() });
    if (!doors.ok) throw new Error(doors.error.detail);
    const { tcp = "", tls, webSocket = "" } = doors.value.urls;
    const endpoint = { name: "bizra" as const, tcp, webSocket, ...(tls && secured ? { tls, client: secured.client } : {}) };
    return new OwnBroker(broker, endpoint, failures, async () => {
      doors.value.close();
      await broker.stop();
      doors.value.closeAll();
      database.close();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Ends it and removes what it kept. */
  end(): Promise<void> {
    return this.#end();
  }
}

function securityOf(certificates: Certificates): {
  identity: { certificate: string; key: string; clientAuthority: string };
  client: ClientTls;
} {
  const read = (path: string): string => readFileSync(path, "utf8");
  const server = certificates.issue("broker");
  const device = certificates.issue("sensor-7");
  const ca = read(server.ca);
  return {
    identity: { certificate: read(server.certificate), key: read(server.key), clientAuthority: ca },
    client: { ca, cert: read(device.certificate), key: read(device.key) },
  };
}

/** Debian's mosquitto on loopback, or why there is none. */
export async function startOracle(): Promise<
  { readonly endpoint: Endpoint; readonly end: () => Promise<void> } | { readonly reason: string }
> {
  const found = await findMosquitto();
  if ("reason" in found) return found;
  const folder = mkdtempSync(join(tmpdir(), "bizra-oracle-"));
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = taken;
  taken.stop(true);
  const path = join(folder, "mosquitto.conf");
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "set_tcp_nodelay true",
    "sys_interval 1",
    "max_keepalive 3600",
    `user ${process.env["USER"] ?? "root"}`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  const child = Bun.spawn([found.path, "-c", path], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 300; tries++) {
    const open = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).catch(() => undefined);
    open?.end();
    if (open) return { endpoint: { name: "mosquitto", tcp: `mqtt://127.0.0.1:${port}` }, end };
    await Bun.sleep(20);
  }
  await end();
  throw new Error("mosquitto takes no connections");
}
