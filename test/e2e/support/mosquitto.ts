/** Debian's mosquitto: a broker to compare with, and clients that know nothing of us. */
import { writeFileSync } from "node:fs";
import { installPackages } from "./debian.ts";
import type { Workplace } from "./workplace.ts";

/** Where its programs are, or why there are none. */
export type Mosquitto = { readonly broker: string; readonly publish: string; readonly subscribe: string };

/** Finds mosquitto and its clients, and installs them where there is apt-get and the right to use it. */
export async function findMosquitto(): Promise<Mosquitto | { readonly reason: string }> {
  const find = (): Mosquitto | undefined => {
    const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
    const [broker, publish, subscribe] = ["mosquitto", "mosquitto_pub", "mosquitto_sub"].map((name) => Bun.which(name, { PATH: path }));
    return broker && publish && subscribe ? { broker, publish, subscribe } : undefined;
  };
  const found = find();
  if (found) return found;
  const fault = await installPackages(["mosquitto", "mosquitto-clients"]);
  return find() ?? { reason: `no mosquitto here: ${fault ?? "it was installed and is not found"}` };
}

/** Starts a broker on loopback that lets everybody in and keeps nothing. */
export async function startMosquitto(place: Workplace, { broker }: Mosquitto): Promise<{ readonly port: number }> {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = taken;
  taken.stop(true);
  const path = place.at(`mosquitto-${port}.conf`);
  writeFileSync(path, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\n`);
  place.keep(Bun.spawn([broker, "-c", path], { stdout: "ignore", stderr: "ignore" }));
  for (let tries = 0; tries < 200; tries++) {
    const open = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).catch(() => undefined);
    open?.end();
    if (open) return { port };
    await Bun.sleep(20);
  }
  throw new Error("mosquitto takes no connections");
}
