import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { canonicalSerial } from "../../../src/crypto/index.ts";
import type { PeerCertificate } from "../types.ts";

/** Client certificates by connection: what a handler cannot see of its request. */
const peers = new WeakMap<Socket, PeerCertificate>();

/** Notes who proved a connection by a client certificate that the server's authority signed and that was valid then. */
export function noteCertificate(socket: TLSSocket): void {
  const certificate = socket.authorized ? socket.getPeerCertificate() : undefined;
  const name = certificate?.subject?.CN;
  if (!certificate || typeof name !== "string") return;
  peers.set(socket, { name, serial: canonicalSerial(certificate.serialNumber), notAfterMs: Date.parse(certificate.valid_to) });
}

/** The client certificate of a connection; undefined when it has none that counts. */
export function peerOf(socket: Socket): PeerCertificate | undefined {
  return peers.get(socket);
}
