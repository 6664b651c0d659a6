import type { Log, Timers } from "../../../src/kernel/index.ts";
import type { Broker } from "../types.ts";
import type { DoorCounts } from "./door-counts.ts";
import type { OutgoingBudget } from "./outgoing-budget.ts";

/** Where a door stands; port 0 lets the system choose. */
export type DoorAddress = { readonly host: string; readonly port: number };

/** What a door needs beside its address. */
export type DoorPorts = {
  readonly broker: Pick<Broker, "accept">;
  readonly timers: Timers;
  readonly log: Log;
  readonly counts: DoorCounts;
};

/** What the doors of one broker share. */
export type SharedDoorPorts = DoorPorts & {
  /** Bytes held for clients that do not take them, of all doors. */
  readonly outgoing: OutgoingBudget;
};

/** Certificate and key of this broker, and the authority whose client certificates name devices; PEM texts. */
export type TlsIdentity = {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthority?: string;
  /** Whether a client without a certificate is turned away instead of being asked for a login. */
  readonly isClientCertificateRequired: boolean;
};

/** A door that is open. */
export interface Door {
  /** Where clients find it, e.g. `mqtt://127.0.0.1:1883`. */
  readonly url: string;
  readonly port: number;
  /** Takes no more connections; those that are open stay until the broker or the client ends them. */
  close(): void;
  /** Ends what is still open, at once. */
  closeAll(): void;
}

/** Why a door cannot be opened, as a sentence without its full stop. */
export type DoorFault = {
  readonly code: "addressInUse" | "addressNotAvailable" | "permissionDenied" | "tlsUnusable";
  readonly detail: string;
};
