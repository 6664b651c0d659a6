import { present } from "../../kernel/index.ts";

/** Whether a TCP port of loopback can be listened on now. */
function isFree(port: number): boolean {
  try {
    const listener = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    listener.stop(true);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    return false;
  }
}

/** Address to listen on: the wanted port of loopback when it is free, else one that the system picks. */
export function loopbackAddress(wantedPort: number): string {
  return `127.0.0.1:${isFree(wantedPort) ? wantedPort : 0}`;
}

/** A free port of loopback for each place: the wanted one and those after it where they are free, else what the system picks. */
export function freePorts(wantedFirst: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => (isFree(wantedFirst + at) ? wantedFirst + at : pickPort()));
}

/** A free UDP port of loopback: the wanted one when it is free, else one that the system picks. */
export async function freeUdpPort(wanted: number): Promise<number> {
  return (await tryUdp(wanted)) ?? present(await tryUdp(0), "the system has a free port left");
}

async function tryUdp(wanted: number): Promise<number | undefined> {
  try {
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: wanted });
    const { port } = socket;
    socket.close();
    return port;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    return undefined;
  }
}

function pickPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
