/** Our broker in a process of its own, to be killed: `bun broker-process.ts FILE` prints its address. */
import { BROKER_DATABASE, createBroker, DoorCounts, openDoors } from "../../../../appliance/broker/index.ts";
import { ok, silentLog } from "../../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../../src/node/ports.ts";
import { openDatabase } from "../../../../src/storage/index.ts";

const [path = ""] = process.argv.slice(2);
const broker = createBroker({
  clock: systemClock,
  timers: systemTimers,
  entropy: systemEntropy,
  log: silentLog,
  database: openDatabase({ ...BROKER_DATABASE, path, create: true }),
  access: {
    authenticate: async ({ clientId }) => ok({ name: clientId, role: "any" }),
    mayPublish: () => true,
    maySubscribe: () => true,
  },
  version: "test",
  onFailure: (error) => {
    throw error;
  },
});
const ports = { broker, timers: systemTimers, log: silentLog, counts: new DoorCounts() };
const doors = openDoors({ tcp: { host: "127.0.0.1", port: 0 } }, ports);
if (!doors.ok) throw new Error(doors.error.detail);
console.log(doors.value.urls.tcp);
