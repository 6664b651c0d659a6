import { dlopen, FFIType, ptr } from "bun:ffi";
import { utf8 } from "../../src/kernel/index.ts";

/** Linux on every architecture this program is built for. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** Room for a name in a socket's address. */
const NAME_BYTES_MAX = 108;

/**
 * A way to send datagrams to a unix socket, which neither Bun nor `node:dgram` has: two calls of the C library
 * (docs/adr/service-notifications.md). Sends without waiting; a message that finds no room or no receiver is lost, as it
 * would be with `sd_notify`.
 */
export class NotifySocket {
  readonly #libc;
  readonly #address: Uint8Array;
  readonly #descriptor: number;

  private constructor(libc: ReturnType<typeof openLibc>, address: Uint8Array, descriptor: number) {
    this.#libc = libc;
    this.#address = address;
    this.#descriptor = descriptor;
  }

  /**
   * Opens one for a name as `NOTIFY_SOCKET` has it: a path, or `@` and an abstract name.
   *
   * @returns undefined when the name is none, or when this system has no GNU C library or no sockets left
   */
  static open(name: string): NotifySocket | undefined {
    const address = encodeAddress(name);
    const libc = address && openLibc();
    if (!address || !libc) return undefined;
    const descriptor = libc.symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? undefined : new NotifySocket(libc, address, descriptor);
  }

  /** Sends one message; says whether it was taken. */
  send(text: string): boolean {
    const message = utf8(text);
    const { sendto } = this.#libc?.symbols ?? {};
    if (sendto === undefined || message.length === 0) return false;
    const sent = sendto(this.#descriptor, ptr(message), message.length, MSG_NOSIGNAL, ptr(this.#address), this.#address.length);
    return Number(sent) === message.length;
  }

  /** Lets the descriptor go. */
  close(): void {
    this.#libc?.symbols.close(this.#descriptor);
  }
}

/** A `sockaddr_un`: the family in the machine's order (all ours are little-endian), then the name. */
function encodeAddress(name: string): Uint8Array | undefined {
  if (!/^[/@]./.test(name)) return undefined;
  const isAbstract = name.startsWith("@");
  const bytes = utf8(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (bytes.length > NAME_BYTES_MAX) return undefined;
  const address = new Uint8Array(2 + bytes.length);
  address[0] = AF_UNIX;
  address.set(bytes, 2);
  return address;
}

function openLibc() {
  try {
    return dlopen("libc.so.6", {
      socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
      sendto: {
        args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
        returns: FFIType.i64,
      },
      close: { args: [FFIType.i32], returns: FFIType.i32 },
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error; // no such library: another C library, or none
    return undefined;
  }
}
