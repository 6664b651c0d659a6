import { homeOf, makeTestnet } from "../e2e/support/bizra.ts";
import { captureBirth, captureEntities, table } from "../integration/telemetry/capture.ts";
import { findMosquitto, Mosquitto } from "../integration/telemetry/mosquitto.ts";
import { jsonSeen, Observer } from "../integration/telemetry/observer.ts";
import type { Soak } from "./soak.ts";

/** Starts a broker of another make and a node that tells it everything, and prints what outside tools make of it. */
export const telemetryCaptureSoak: Soak = {
  name: "telemetry-capture",
  summary: "a Sparkplug birth and the entities of Home Assistant, from a node at a mosquitto, as outside tools read them",
  options: {},
  run: async (place) => {
    const found = await findMosquitto();
    if ("reason" in found) return [`skipped: ${found.reason}`];
    const broker = await Mosquitto.start(found.path);
    const observer = await Observer.connect(`mqtt://127.0.0.1:${broker.port}`);
    try {
      const testnet = await makeTestnet(place.at("net"), 1);
      await place.start(homeOf(testnet), {
        words: ["--http-listen", "127.0.0.1:0", "--telemetry-url", `mqtt://127.0.0.1:${broker.port}`],
      });
      const wanted = [/\/NBIRTH\//, /^homeassistant\//, /\/health$/, /\/status$/, /\/events\//];
      await observer.until(() => wanted.every((topic) => observer.on(topic).length > 0), "every view");
      const [birth] = observer.on(/\/NBIRTH\//);
      const [event] = observer.on(/\/events\//);
      const metrics = birth ? captureBirth(birth) : [];
      const entities = captureEntities(observer);
      console.log(`Sparkplug birth on ${birth?.topic}, decoded by sparkplug-payload:\n${table(metrics)}\n`);
      console.log(`Home Assistant entities of the discovery message, with their states:\n${table(entities)}\n`);
      console.log(`A CloudEvent on ${event?.topic}:\n${JSON.stringify(jsonSeen(event), undefined, 2)}`);
      return [
        ...(metrics.length > 30 ? [] : ["the birth has too few metrics"]),
        ...(entities.length > 10 ? [] : ["there are too few entities"]),
      ];
    } finally {
      await observer.end();
      await broker.end();
    }
  },
};
