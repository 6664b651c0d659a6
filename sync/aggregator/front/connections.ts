import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Names of client certificates by connection: what a handler cannot see of its request. */
const names = new WeakMap<Socket, string>();

/** Notes who proved a connection by a client certificate that the server's authority signed. */
export function noteCertificate(socket: TLSSocket): void {
  const name = socket.authorized ? socket.getPeerCertificate()?.subject?.CN : undefined;
  if (typeof name === "string") names.set(socket, name);
}

/** The name in the client certificate of a connection; undefined when it has none. */
export function certificateNameOf(socket: Socket): string | undefined {
  return names.get(socket);
}
