import type { ReasonCode } from "../reason-codes.ts";
import type { Session } from "../session/session.ts";
import type { Principal } from "../types.ts";
import type { ConnectPlan } from "./connect-plan.ts";
import type { PacketSink } from "./packet-sink.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a client's connection offers to those that handle its packets. */
export interface ClientLine {
  /** Ends it because of something the client did. */
  fail(reason: ReasonCode, detail: string): void;
  /** Ends it with a reason, which a client of MQTT 5 is told. */
  leave(reason: ReasonCode): void;
  /** Ends it as the client asked; the will is forgotten. */
  goodbye(): void;
  /** Ends it without a word, as if the network had. */
  drop(): void;
  /** What is owed or written changed: reading may have to rest, or to go on. */
  onFlowChange(): void;
}

/** What a connected client is made of. */
export interface ConnectedClientParts {
  readonly line: ClientLine;
  readonly sink: PacketSink;
  readonly shared: Surroundings;
  readonly principal: Principal;
  readonly plan: ConnectPlan;
}

/** A connected client as its packet handlers see it. */
export interface ClientContext {
  readonly parts: ConnectedClientParts;
  readonly session: Session;
  /** Whether the session is still with this connection: nothing is sent otherwise. */
  readonly isCurrent: boolean;
}
