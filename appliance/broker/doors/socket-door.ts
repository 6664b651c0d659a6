import type { Socket } from "bun";
import type { CancelTimer, Result } from "../../../src/kernel/index.ts";
import { certificateNameOf, isCertificate } from "./certificate-name.ts";
import { listening, urlOf } from "./listen-fault.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { Door, DoorAddress, DoorFault, SharedDoorPorts, TlsIdentity } from "./types.ts";

/** TLS handshakes going on at the same time; more are turned away. Each may hold some 40 KiB. */
const HANDSHAKES_MAX = 256;
/** How long a handshake may take. */
const HANDSHAKE_MS = 10_000;

/** What the runtime keeps with a socket: its transport once the broker has it, before that the timer of its handshake. */
type Seat = { transport?: SocketTransport; cancelHandshake?: CancelTimer | undefined };

/** Opens the door for MQTT over TCP. */
export function openTcpDoor(address: DoorAddress, ports: SharedDoorPorts): Result<Door, DoorFault> {
  return new SocketDoor(ports, undefined).open("mqtt.listen", "mqtt", address);
}

/**
 * Opens the door for MQTT over TLS. With a client authority, certificates are asked for; one that does not verify ends the
 * connection, whatever else the client could show.
 */
export function openTlsDoor(address: DoorAddress, identity: TlsIdentity, ports: SharedDoorPorts): Result<Door, DoorFault> {
  return new SocketDoor(ports, identity).open("mqtt.tlsListen", "mqtts", address);
}

/** One listener and its connections. */
class SocketDoor {
  readonly #ports: SharedDoorPorts;
  readonly #identity: TlsIdentity | undefined;
  readonly #sockets = new Set<Socket<Seat>>();
  #handshakes = 0;

  constructor(ports: SharedDoorPorts, identity: TlsIdentity | undefined) {
    this.#ports = ports;
    this.#identity = identity;
  }

  open(name: string, scheme: string, address: DoorAddress): Result<Door, DoorFault> {
    const { host, port } = address;
    const tls = this.#identity && {
      cert: this.#identity.certificate,
      key: this.#identity.key,
      ...(this.#identity.clientAuthority === undefined
        ? {}
        : { ca: this.#identity.clientAuthority, requestCert: true, rejectUnauthorized: false }), // judged below, where it can be counted
    };
    const listener = listening(name, address, () =>
      Bun.listen<Seat>({
        hostname: host,
        port,
        ...(tls ? { tls } : {}),
        socket: {
          open: (socket) => this.#onOpen(socket),
          handshake: (socket, isDone) => this.#onHandshake(socket, isDone),
          data: (socket, chunk) => socket.data.transport?.onBytes(chunk),
          drain: (socket) => socket.data.transport?.onWritable(),
          close: (socket, error) => this.#onClose(socket, error instanceof Error ? error : undefined),
          error: (socket, error) => socket.data.transport?.onError(error),
        },
      }),
    );
    if (!listener.ok) return listener;
    const { value } = listener;
    const door: Door = {
      url: urlOf(scheme, host, value.port),
      port: value.port,
      close: () => value.stop(false),
      closeAll: () => {
        for (const socket of [...this.#sockets]) socket.terminate();
      },
    };
    return { ok: true, value: door };
  }

  #onOpen(socket: Socket<Seat>): void {
    socket.data = {};
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    if (!this.#identity) {
      this.#admit(socket, { isEncrypted: false });
      return;
    }
    if (this.#handshakes >= HANDSHAKES_MAX) {
      this.#ports.counts.add("tls", "handshakesFull");
      socket.terminate();
      return;
    }
    this.#handshakes += 1;
    const cancel = this.#ports.timers.after(HANDSHAKE_MS, () => {
      this.#endHandshake(socket);
      this.#ports.counts.add("tls", "handshakeTimedOut");
      socket.terminate();
    });
    socket.data.cancelHandshake = cancel;
  }

  #onHandshake(socket: Socket<Seat>, isDone: boolean): void {
    if (!this.#endHandshake(socket)) return;
    if (!isDone) {
      this.#ports.counts.add("tls", "handshakeFailed");
      socket.terminate();
      return;
    }
    const certificate = this.#identity?.clientAuthority === undefined ? undefined : socket.getPeerCertificate();
    const name = certificateNameOf(certificate);
    const shown = isCertificate(certificate);
    const isRefused = shown ? !socket.authorized || name === undefined : this.#identity?.isClientCertificateRequired === true;
    if (isRefused) {
      this.#ports.counts.add("tls", "certificateRefused");
      this.#ports.log.warn("mqtt.certificateRefused", {
        address: socket.remoteAddress,
        reason: shown ? (socket.getAuthorizationError()?.message ?? "it names no device") : "none was shown",
      });
      socket.terminate();
      return;
    }
    this.#admit(socket, { isEncrypted: true, ...(name === undefined ? {} : { certificateName: name }) });
  }

  /** Says whether a handshake was going on. */
  #endHandshake(socket: Socket<Seat>): boolean {
    const { cancelHandshake } = socket.data;
    if (!cancelHandshake) return false;
    cancelHandshake();
    socket.data.cancelHandshake = undefined;
    this.#handshakes -= 1;
    return true;
  }

  #admit(socket: Socket<Seat>, security: { readonly isEncrypted: boolean; readonly certificateName?: string }): void {
    const { broker, counts } = this.#ports;
    const kind = security.isEncrypted ? "tls" : "tcp";
    const transport = new SocketTransport(socket, security, this.#ports, () => counts.add(kind, "outgoingFull"));
    const connection = broker.accept(transport);
    counts.add(kind, connection.ok ? "opened" : "refused");
    if (!connection.ok) {
      socket.terminate();
      return;
    }
    socket.data.transport = transport;
    transport.serve(connection.value);
  }

  #onClose(socket: Socket<Seat>, error: Error | undefined): void {
    this.#sockets.delete(socket);
    if (this.#endHandshake(socket)) this.#ports.counts.add("tls", "handshakeFailed");
    socket.data.transport?.onClosed(error);
  }
}
