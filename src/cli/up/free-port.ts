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

/** A UDP port of loopback that the system picks: a fixed one could be wanted by two systems that start at once. */
export async function freeUdpPort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  const { port } = socket;
  socket.close();
  return port;
}

function pickPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
