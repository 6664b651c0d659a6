import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { CryptoSuite, Signer } from "../../../src/crypto/index.ts";
import type { Clock, Entropy, Log, Timers } from "../../../src/kernel/index.ts";
import { enrolRoutes } from "../front/enrol-routes.ts";
import type { AdmissionPolicy, AggregatorStore, NodeRef } from "../types.ts";
import type { Authority } from "./authority.ts";
import { EnrolmentDesk } from "./desk.ts";
import { DeskSocket } from "./desk-socket.ts";
import { EnrolmentDoor } from "./door.ts";
import { RevocationWatch } from "./revocation-watch.ts";
import { keepServerTls, makeServerTls, type ServerTls } from "./server-certificate.ts";

/** What an aggregator with its own authority is told. */
export type EnrolmentSetup = {
  readonly authority: Authority;
  /** Host names and addresses that nodes reach it by. */
  readonly hosts: readonly string[];
  /** How long a node's certificate lasts. */
  readonly lifeMs: number;
};

/** What enrolment stands on. */
export type EnrolmentParts = {
  readonly store: AggregatorStore;
  readonly policy: AdmissionPolicy;
  readonly witness: Signer;
  readonly suite: Pick<CryptoSuite, "verify">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly onDefect: (error: unknown) => void;
  readonly enrolment?: EnrolmentSetup;
  readonly deskSocket?: string;
  /** Ends what a node has with this aggregator. */
  readonly onRevoked: (ref: NodeRef) => void;
};

/** Everything of enrolment that one aggregator runs: the desk always, the door and certificates with its own authority. */
export class Enrolment {
  readonly desk: EnrolmentDesk;
  /** What the door answers, by its path. */
  readonly routes: Readonly<Record<string, Hono<{ Bindings: HttpBindings }>>>;
  /** The first server certificate. */
  readonly tls: ServerTls | undefined;
  readonly #parts: EnrolmentParts;
  readonly #watch: RevocationWatch;
  readonly #socket: DeskSocket | undefined;
  #endTls: (() => void) | undefined;

  private constructor(parts: EnrolmentParts, desk: EnrolmentDesk, tls: ServerTls | undefined, socket: DeskSocket | undefined) {
    const { enrolment, witness, suite } = parts;
    this.#parts = parts;
    this.desk = desk;
    this.tls = tls;
    this.#socket = socket;
    this.#watch = new RevocationWatch(parts);
    const door = enrolment && new EnrolmentDoor({ ...parts, ...enrolment, witnessKey: witness.publicKey, verify: suite.verify });
    this.routes = door ? { "/sync/v1": enrolRoutes(door) } : {};
  }

  /** Makes the first server certificate and opens the desk. */
  static async open(parts: EnrolmentParts): Promise<Enrolment> {
    const { enrolment, deskSocket, clock, log } = parts;
    const desk = new EnrolmentDesk(parts);
    const tls = enrolment && (await makeServerTls(enrolment.authority, enrolment.hosts, clock));
    const socket = deskSocket === undefined ? undefined : await DeskSocket.open(deskSocket, desk);
    if (socket?.ok === false) log.error("aggregator.noDesk", { path: deskSocket, error: socket.error });
    return new Enrolment(parts, desk, tls, socket?.ok ? socket.value : undefined);
  }

  /** From now on gives the server a new certificate in time. */
  keepTls(onRenewed: (tls: ServerTls) => void): void {
    const { enrolment, onDefect } = this.#parts;
    if (enrolment) this.#endTls = keepServerTls({ ...this.#parts, ...enrolment }, onRenewed, onDefect);
  }

  /** Ends it. */
  close(): void {
    this.#endTls?.();
    this.#watch.stop();
    this.#socket?.close();
  }
}
