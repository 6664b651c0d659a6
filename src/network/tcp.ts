import type { DialTransportOptions, Transport } from "@libp2p/interface";
import { type TCPComponents, type TCPOptions, tcp } from "@libp2p/tcp";

type DialOptions = DialTransportOptions;

/**
 * libp2p's TCP transport whose dials can be aborted under Bun. The library hands the abort signal to the socket as well and
 * takes its error listener away before the socket has told of the abort; under Bun that is an error nobody listens
 * to, which ends the process: a single address that answers nothing would do. So the socket is not shown the signal:
 * it is out of sight of the copy that the library makes for the socket, while the library itself still reads it.
 */
export function abortableTcp(init: TCPOptions): (components: TCPComponents) => Transport {
  const make = tcp(init);
  return (components) => {
    const transport = make(components);
    const dial = transport.dial.bind(transport);
    transport.dial = (address, options) => dial(address, withHiddenSignal(options));
    return transport;
  };
}

/** The options with their signal on the prototype, where copies of the object leave it behind; the upgrade gets it back. */
function withHiddenSignal({ signal, upgrader, ...rest }: DialOptions): DialOptions {
  const upgradeOutbound: DialOptions["upgrader"]["upgradeOutbound"] = (connection, options) =>
    upgrader.upgradeOutbound(connection, { ...options, signal });
  const seen: DialOptions = Object.assign(Object.create({ signal }), rest, {
    upgrader: Object.assign(Object.create(upgrader), { upgradeOutbound }),
  });
  return seen;
}
