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

/** TCP ports of loopback that the system picks, all different: fixed ones could be wanted by two systems that start at once. */
export function freePorts(count: number): readonly number[] {
  const listeners = Array.from({ length: count }, () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }));
  const ports = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}

/** A UDP port of loopback that the system picks: a fixed one could be wanted by two systems that start at once. */
export async function freeUdpPort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  const { port } = socket;
  socket.close();
  return port;
}
