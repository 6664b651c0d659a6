import { circuitRelayServer, circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import type { Connection, PeerId, Stream, Transport } from "@libp2p/interface";

/** Boxes that may reserve at one relay, and how long a reservation holds unless renewed; with it end the circuits of a box that is gone. */
const RESERVATIONS_MAX = 64;
const RESERVATION_MS = 30 * 60_000;
/** Circuits through a relay from, or to, one box: two a link, within the streams that one connection takes. */
const CIRCUITS_MAX = 56;

/**
 * The service of a relay. A circuit has no limit of time or bytes, for a link of validators lasts and carries all they say;
 * who may reserve or call is bounded instead, by the gate: nodes that are up here and are validators or named.
 */
export function relayServer(): ReturnType<typeof circuitRelayServer> {
  return circuitRelayServer({
    reservations: { maxReservations: RESERVATIONS_MAX, reservationTtl: RESERVATION_MS, applyDefaultLimit: false },
    maxInboundHopStreams: CIRCUITS_MAX,
    maxOutboundStopStreams: CIRCUITS_MAX,
  });
}

/** The library's transport through relays, as far as it is used here beside being one. */
export type CircuitTransport = Transport & {
  readonly reservationStore: {
    addRelay(relay: PeerId, type: "configured"): Promise<unknown>;
    hasReservation(relay: PeerId): boolean;
  };
  onStop(stream: Stream, connection: Connection): Promise<void>;
};

/** A transport that dials through relays; `onMade` gets it, for what is reserved and answered. */
export function circuitTransport(onMade: (transport: CircuitTransport) => void): ReturnType<typeof circuitRelayTransport> {
  const make = circuitRelayTransport({ maxInboundStopStreams: CIRCUITS_MAX });
  return (components) => {
    const transport = make(components);
    if (!isCircuitTransport(transport)) throw new TypeError("the library's circuit transport has a store of reservations");
    onMade(transport);
    return transport;
  };
}

/** Whether an address leads through a relay. */
export function isRelayed(address: string): boolean {
  return address.includes("/p2p-circuit");
}

/** Peer id of the relay in an address that leads through one. */
export function relayIn(address: string): string | undefined {
  return /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1];
}

function isCircuitTransport(transport: Transport): transport is CircuitTransport {
  return "reservationStore" in transport && "onStop" in transport;
}
