import { RELAY_V2_STOP_CODEC } from "@libp2p/circuit-relay-v2";
import type { Connection, Libp2p } from "@libp2p/interface";
import type { CancelTimer, Log, Timers } from "../kernel/index.ts";
import { type CircuitTransport, isRelayed } from "./relay.ts";

/** What keeping reservations works on. */
export type ReservationsParts = {
  readonly transport: Libp2p;
  readonly circuits: CircuitTransport;
  readonly timers: Timers;
  readonly log: Log;
  /** Connections to the relays that the operator named and that are up. */
  readonly relays: () => readonly Connection[];
};

/** How often it is looked whether every relay that is up holds a reservation. */
const LOOK_MS = 2_000;
/** How many looks are let pass after each refusal, up to so many. */
const PATIENCE_MAX = 16;

/** Keeps a place at each relay that the operator named, so that others reach this node through it. */
export class Reservations {
  readonly #parts: ReservationsParts;
  /** Addresses by peer id of the relay. */
  readonly #held = new Map<string, string>();
  readonly #patience = new Map<string, { looks: number; left: number }>();
  #cancel: CancelTimer = () => {};
  #isStopped = false;

  constructor(parts: ReservationsParts) {
    this.#parts = parts;
  }

  /**
   * Begins to reserve. From then on only relays that hold a place for this node may bring it connections: the library would
   * take them from anyone and ask whoever brings one for a place.
   */
  async start(): Promise<void> {
    const { transport, circuits } = this.#parts;
    await transport.unhandle(RELAY_V2_STOP_CODEC);
    await transport.handle(
      RELAY_V2_STOP_CODEC,
      async (stream, connection) => {
        if (this.#held.has(connection.remotePeer.toString())) await circuits.onStop(stream, connection);
        else stream.abort(new Error("no relay of ours"));
      },
      { runOnLimitedConnection: true },
    );
    this.#look();
  }

  /** Ends. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Multiaddrs through relays at which others reach this node now. */
  get addresses(): readonly string[] {
    return [...this.#held.values()];
  }

  #look(): void {
    if (this.#isStopped) return;
    const { circuits, relays, timers } = this.#parts;
    const up = new Map(relays().map((connection) => [connection.remotePeer.toString(), connection]));
    for (const id of this.#held.keys()) {
      const relay = up.get(id)?.remotePeer;
      if (!relay || !circuits.reservationStore.hasReservation(relay)) this.#held.delete(id);
    }
    for (const [id, connection] of up) if (!this.#held.has(id) && this.#mayAsk(id)) this.#reserve(id, connection);
    this.#cancel = timers.after(LOOK_MS, () => this.#look());
  }

  #mayAsk(id: string): boolean {
    const patience = this.#patience.get(id);
    return patience === undefined || patience.left-- <= 0;
  }

  #reserve(id: string, { remotePeer, remoteAddr }: Connection): void {
    const { circuits, transport, log } = this.#parts;
    if (isRelayed(remoteAddr.toString())) return;
    const before = this.#patience.get(id)?.looks ?? 0;
    this.#patience.set(id, { looks: before, left: Number.POSITIVE_INFINITY }); // until it is answered
    circuits.reservationStore.addRelay(remotePeer, "configured").then(
      () => {
        this.#patience.delete(id);
        const place = remoteAddr.toString().split("/p2p/")[0];
        this.#held.set(id, `${place}/p2p/${id}/p2p-circuit/p2p/${transport.peerId.toString()}`);
        log.info("relay.reserved", { relay: id });
      },
      (error: unknown) => {
        // The relay refused, or the way to it failed: it is asked again, later from time to time.
        const looks = Math.min(PATIENCE_MAX, 2 * before + 1);
        this.#patience.set(id, { looks, left: looks });
        log.warn("relay.refused", { relay: id, reason: error instanceof Error ? error.message : String(error) });
      },
    );
  }
}
