import type { ProvenReceipt, Refusal } from "./trust.ts";

/**
 * How a transaction ended. `final` is proven by the chain's own signatures, and its receipt says whether it was applied;
 * everything else is the word of a node. `closed`: the client was closed first and goes on after the next start.
 */
export type End =
  | ({ readonly kind: "final"; readonly id: Uint8Array; readonly proof: Uint8Array } & ProvenReceipt)
  | { readonly kind: "expired" | "superseded"; readonly id: Uint8Array }
  | ({ readonly kind: "rejected" } & Refusal)
  | { readonly kind: "closed" };

/** That a node has a transaction on its disk, by its word. */
export type Acceptance = { readonly kind: "accepted"; readonly id: Uint8Array; readonly carrier: string };

/** A transaction that was given to a client. */
export interface Submission {
  /** Its place in the client's queue, unique for this device's storage. */
  readonly sequence: number;
  /** Every id under which it may execute, the newest first; empty until it was signed. */
  readonly ids: readonly Uint8Array[];
  /** Resolves when a node has it on disk, or with its end when that comes first. */
  readonly accepted: Promise<Acceptance | End>;
  /** Resolves when it has ended. Never rejects. */
  readonly ended: Promise<End>;
}

/** Why a client does not take an order: outside the grammar, no room, closed, or paid for by nobody in sponsored mode. */
export type OrderFault = "malformed" | "queueFull" | "closed" | "notSponsored";

/** What a client tells of while it works. An end is told once more when the device restarts at that very moment. */
export type DeviceEvent =
  | { readonly kind: "accepted"; readonly sequence: number; readonly acceptance: Acceptance }
  | { readonly kind: "ended"; readonly sequence: number; readonly end: End }
  /** Something went wrong and is tried again; `code` is a refusal's, a proof's fault's, or `noAnswer`, `notReady`, `renewed`. */
  | { readonly kind: "trouble"; readonly sequence: number; readonly carrier: string; readonly code: string; readonly detail: string };
