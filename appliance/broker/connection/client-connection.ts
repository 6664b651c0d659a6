import { assert, type CancelTimer, toHex } from "../../../src/kernel/index.ts";
import { type Frame, type FrameFault, FrameSplitter } from "../codec/frame-splitter.ts";
import type { ConnectPacket, PacketFault } from "../codec/packets.ts";
import { readConnect } from "../codec/read-connect.ts";
import { PACKET_TYPE, readPacket } from "../codec/read-packet.ts";
import { REASON, type ReasonCode, returnCodeOf } from "../reason-codes.ts";
import type { Session } from "../session/session.ts";
import type { Connection, Principal, ProtocolVersion, Transport } from "../types.ts";
import type { ClientLine } from "./client-context.ts";
import { type ConnectPlan, messagePropertiesOf, planConnect } from "./connect-plan.ts";
import { ConnectedClient } from "./connected-client.ts";
import { PacketSink } from "./packet-sink.ts";
import type { Surroundings } from "./surroundings.ts";

/** How a connection ends for the session and the will. */
type Ending = "goodbye" | "lost" | "shutdown";

const REASON_OF_FAULT: Readonly<Record<PacketFault["reason"] | FrameFault, ReasonCode>> = {
  malformed: REASON.malformedPacket,
  lengthMalformed: REASON.malformedPacket,
  protocolError: REASON.protocolError,
  unsupportedVersion: REASON.unsupportedVersion,
  topicAliasInvalid: REASON.topicAliasInvalid,
  packetTooLarge: REASON.packetTooLarge,
};

/** Until a transport that was told to close is destroyed. */
const CLOSE_MS = 5_000;
const ASSIGNED_ID_BYTES = 12;
/** Bytes of an unfinished packet that are granted to everybody. */
const PARTIAL_BYTES_FREE = 4_096;
/** A client of MQTT 5 knows the receive maximum and is told when it goes beyond: it is held back only for what does not count. */
const OWED_FACTOR = 4;

/**
 * One client's connection from its first byte to its last: first CONNECT and who it is, then whatever `ConnectedClient` makes
 * of its packets. Nothing it receives throws; a fault is told, as far as the version has words for it, and ends it.
 *
 * phase: `greeting` (no CONNECT yet) -> `deciding` (asked who it is; input is held back) -> `open` -> `closed`.
 */
export class ClientConnection implements Connection, ClientLine {
  readonly #transport: Transport;
  readonly #shared: Surroundings;
  readonly #onGone: (connection: ClientConnection) => void;
  readonly #splitter: FrameSplitter;
  readonly #sink: PacketSink;
  #phase: "greeting" | "deciding" | "open" | "closed" = "greeting";
  #client: ConnectedClient | undefined;
  #isProcessing = false;
  #isPaused = false;
  #isGone = false;
  #heardAtMs: number;
  #keepAliveMs = 0;
  /** What this connection has in the shared count of unfinished packets. */
  #partialBytes = 0;
  #cancelDeadline: CancelTimer | undefined;
  #cancelStuck: CancelTimer | undefined;

  /** `onGone`: the transport is gone, and with it the connection. */
  constructor(transport: Transport, shared: Surroundings, onGone: (connection: ClientConnection) => void) {
    const { limits, counters, clock, timers } = shared;
    this.#transport = transport;
    this.#shared = shared;
    this.#onGone = onGone;
    this.#splitter = new FrameSplitter(limits.connectPacketBytesMax);
    this.#sink = new PacketSink(transport, counters, limits.blockedControlBytesMax, {
      version: 4,
      topicAliasMax: 0,
      wantsProblemInformation: true,
    });
    this.#heardAtMs = clock.monotonicMs();
    this.#cancelDeadline = timers.after(limits.connectTimeoutMs, () => this.#close("lost"));
  }

  /** Client id of an open connection. */
  get clientId(): string | undefined {
    return this.#client?.session.clientId;
  }

  /** Who it is; known once it is let in. */
  get principal(): Principal | undefined {
    return this.#client?.principal;
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#shared.counters.bytesReceived += chunk.length;
    this.#splitter.push(chunk);
    this.#process();
    this.#countPartial();
  }

  onDrain(): void {
    this.#cancelStuck?.();
    this.#cancelStuck = undefined;
    this.#sink.onDrain();
    if (this.#phase === "closed") return;
    this.#client?.pump();
    this.#process();
  }

  onClosed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#end("lost");
    this.#cancelDeadline?.();
    this.#onGone(this);
  }

  /** Ends it because of something the client did, or must be told. */
  fail(reason: ReasonCode, detail: string): void {
    if (this.#phase === "closed") return;
    const { counters, log } = this.#shared;
    counters.protocolFaults++;
    log.debug("broker.client.refused", { client: this.clientId ?? "", address: this.#transport.remote.address, reason, detail });
    this.leave(reason, detail);
  }

  /** Ends it with a reason, which a client of MQTT 5 is told. */
  leave(reason: ReasonCode, reasonString?: string, ending: Ending = "lost"): void {
    if (this.#phase === "closed") return;
    if (this.#phase === "open" && this.#sink.version === 5) {
      this.#sink.send({ kind: "disconnect", reasonCode: reason, ...(reasonString === undefined ? {} : { reasonString }) });
    } else if (this.#client === undefined) this.#refuse(reason, reasonString);
    this.#close(ending);
  }

  /** The client said goodbye; the will is forgotten. */
  goodbye(): void {
    this.#close("goodbye");
  }

  /** Ends it without a word, as if the network had. */
  drop(): void {
    this.#close("lost");
  }

  /** The process ends: sessions and wills stay as they are kept. */
  shutDown(): void {
    if (this.#phase === "open") this.leave(REASON.serverShuttingDown, undefined, "shutdown");
    else this.#close("shutdown");
  }

  /** Sees to it that reading goes on, or rests, as what is owed and written asks. */
  onFlowChange(): void {
    if (this.#phase === "closed") return;
    if (!this.#sink.isWritable && this.#cancelStuck === undefined) {
      this.#cancelStuck = this.#shared.timers.after(this.#shared.limits.stuckTimeoutMs, () => this.#onStuck());
    }
    const mustPause = this.#isHeld();
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#transport.pause();
    else {
      this.#transport.resume();
      this.#process();
    }
  }

  /** While the answer to CONNECT is open, or too many answers are owed, what comes stays where it is. */
  #isHeld(): boolean {
    if (this.#phase === "deciding") return true;
    const owedMax = this.#shared.limits.receiveMaximum * (this.#sink.version === 5 ? OWED_FACTOR : 1);
    return this.#sink.isCongested || (this.#client?.owedCount ?? 0) >= owedMax;
  }

  #process(): void {
    if (this.#isProcessing) return;
    this.#isProcessing = true;
    while (this.#phase !== "closed" && !this.#isHeld()) {
      const frame = this.#splitter.next();
      if (frame === undefined) break;
      if (frame.ok) this.#onFrame(frame.value);
      else if (this.#phase === "greeting") this.#close("lost");
      else this.fail(REASON_OF_FAULT[frame.error], "a packet's length is malformed or above the bound");
    }
    this.#isProcessing = false;
    this.onFlowChange();
  }

  /** A thousand clients that each finish a large packet slowly, or never, would hold a gigabyte. */
  #countPartial(): void {
    const { partial, limits } = this.#shared;
    const { heldBytes } = this.#splitter;
    const isGrowing = heldBytes > this.#partialBytes;
    partial.bytes += heldBytes - this.#partialBytes;
    this.#partialBytes = heldBytes;
    assert(partial.bytes >= 0, "no connection takes back more than it counted");
    if (!isGrowing || heldBytes <= PARTIAL_BYTES_FREE || partial.bytes <= limits.partialBytesTotalMax) return;
    this.fail(REASON.quotaExceeded, "too many packets are unfinished at the same time");
  }

  #onFrame(frame: Frame): void {
    this.#shared.counters.packetsReceived++;
    this.#heardAtMs = this.#shared.clock.monotonicMs();
    if (this.#phase === "greeting") {
      this.#onFirst(frame);
      return;
    }
    assert(this.#client !== undefined, "an open connection has a client");
    const packet = readPacket(frame, this.#sink.version);
    if (packet.ok) this.#client.onPacket(packet.value);
    else this.fail(REASON_OF_FAULT[packet.error.reason], packet.error.detail);
  }

  /** @see MQTT-3.1.0-1, MQTT-3.1.4-1 */
  #onFirst(frame: Frame): void {
    if (frame.type !== PACKET_TYPE.connect) {
      this.#shared.counters.protocolFaults++;
      this.#close("lost");
      return;
    }
    const packet = readConnect(frame);
    if (!packet.ok) {
      this.#speak(packet.error.version);
      if (packet.error.version === undefined) this.#close("lost");
      else this.fail(REASON_OF_FAULT[packet.error.reason], packet.error.detail);
      return;
    }
    this.#speak(packet.value.version);
    const assignedId = `auto-${toHex(this.#shared.entropy.bytes(ASSIGNED_ID_BYTES))}`;
    const plan = planConnect(packet.value, this.#shared.limits, assignedId);
    if (plan.ok) this.#authenticate(packet.value, plan.value);
    else this.fail(plan.error.reason, plan.error.detail);
  }

  #speak(version: ProtocolVersion = 4): void {
    this.#sink.configure({ version, topicAliasMax: 0, wantsProblemInformation: true });
  }

  #authenticate(packet: ConnectPacket, plan: ConnectPlan): void {
    this.#phase = "deciding";
    const { access, log } = this.#shared;
    const { remote, security } = this.#transport;
    const { username, password } = packet;
    const shown = {
      clientId: plan.clientId,
      remote,
      security,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    };
    access.authenticate(shown).then(
      (verdict) => {
        if (this.#phase !== "deciding") return;
        if (verdict.ok) this.#admit(packet, plan, verdict.value);
        else this.leave(REASON_OF_REFUSAL[verdict.error]);
      },
      (error: unknown) => {
        log.error("broker.access.failed", { error: String(error) });
        this.leave(REASON.serverUnavailable);
      },
    );
  }

  #admit(packet: ConnectPacket, plan: ConnectPlan, principal: Principal): void {
    const { access, intakes, sessions, wills, router, journal, timers } = this.#shared;
    const { will } = packet;
    if (will !== undefined && (will.topic.startsWith("$") || !access.mayPublish(principal, will.topic))) {
      this.leave(REASON.notAuthorized, "the will's topic may not be published to");
      return;
    }
    if (will !== undefined && intakes.some((intake) => intake.claims(will.topic))) {
      this.leave(REASON.notAuthorized, "what is published to the will's topic needs an answer, which nobody could hear");
      return;
    }
    const client = new ConnectedClient({ line: this, sink: this.#sink, shared: this.#shared, principal, plan });
    const opened = sessions.open({
      clientId: plan.clientId,
      principal,
      version: packet.version,
      isCleanStart: packet.isCleanStart,
      expirySeconds: plan.sessionExpirySeconds,
      link: client,
    });
    if (!opened.ok) {
      this.leave(opened.error === "full" ? REASON.quotaExceeded : REASON.notAuthorized);
      return;
    }
    client.take(opened.value.session);
    this.#reconsider(opened.value.session, principal);
    this.#client = client;
    if (will !== undefined) {
      const content = {
        topic: will.topic,
        payload: will.payload,
        properties: messagePropertiesOf(will.properties),
        qos: will.qos,
        isRetain: will.isRetain,
      };
      const { willDelayInterval = 0, messageExpiryInterval } = will.properties;
      wills.arm(plan.clientId, router.compose(content, plan.clientId), willDelayInterval, messageExpiryInterval);
    }
    journal.afterCommit(() => {
      if (this.#phase !== "deciding") return;
      this.#cancelDeadline?.();
      this.#cancelDeadline = undefined;
      this.#keepAliveMs = plan.keepAliveMs;
      this.#splitter.bound(this.#shared.limits.packetBytesMax);
      this.#sink.configure(plan.sink);
      this.#phase = "open";
      this.#shared.counters.connectsAccepted++;
      this.#sink.send({ kind: "connack", isSessionPresent: opened.value.isPresent, code: REASON.success, properties: plan.properties });
      if (plan.keepAliveMs > 0) this.#cancelDeadline = timers.after(plan.keepAliveMs, () => this.#onKeepAlive());
      client.begin();
      this.#process();
    });
  }

  /** Ends what a session was subscribed to under rules that have changed since. */
  #reconsider(session: Session, principal: Principal): void {
    const { access, router } = this.#shared;
    for (const { filter, parsed } of [...session.subscriptions.values()]) {
      if (access.maySubscribe(principal, parsed.inner)) continue;
      session.unsubscribe(filter);
      router.subscriptions.remove(session, parsed);
    }
  }

  /** @see MQTT-3.1.4-2, MQTT-3.2.2-6 */
  #refuse(reason: ReasonCode, reasonString: string | undefined): void {
    this.#shared.counters.connectsRefused++;
    const code = this.#sink.version === 5 ? reason : returnCodeOf(reason);
    if (code === undefined) return;
    this.#sink.send({
      kind: "connack",
      isSessionPresent: false,
      code,
      ...(reasonString === undefined ? {} : { properties: { reasonString } }),
    });
  }

  /** A silence of one and a half keep alives ends the connection, unless nobody listens; each packet begins it anew. @see MQTT-3.1.2-22 */
  #onKeepAlive(): void {
    const { clock, timers, counters } = this.#shared;
    const leftMs = this.#isPaused ? this.#keepAliveMs : this.#heardAtMs + this.#keepAliveMs - clock.monotonicMs();
    if (leftMs > 0) {
      this.#cancelDeadline = timers.after(leftMs, () => this.#onKeepAlive());
      return;
    }
    counters.keepAliveExpired++;
    this.leave(REASON.keepAliveTimeout);
  }

  #onStuck(): void {
    this.#cancelStuck = undefined;
    this.#shared.counters.stuckClosed++;
    this.#shared.log.info("broker.client.stuck", { client: this.clientId ?? "", address: this.#transport.remote.address });
    this.#end("lost");
    this.#transport.destroy();
  }

  #close(ending: Ending): void {
    if (this.#phase === "closed") return;
    this.#end(ending);
    this.#transport.close();
    if (!this.#isGone) this.#cancelDeadline = this.#shared.timers.after(CLOSE_MS, () => this.#transport.destroy());
  }

  #end(ending: Ending): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#cancelDeadline?.();
    this.#cancelStuck?.();
    this.#splitter.clear();
    this.#countPartial();
    const client = this.#client;
    if (client === undefined) return;
    const { wills, sessions } = this.#shared;
    const { session } = client;
    if (ending === "goodbye") wills.disarm(session.clientId);
    if (ending === "lost") wills.onLost(session.clientId, session.expirySeconds);
    sessions.release(session, client);
  }
}

const REASON_OF_REFUSAL = {
  badCredentials: REASON.badCredentials,
  notAuthorized: REASON.notAuthorized,
  clientIdInvalid: REASON.clientIdInvalid,
  unavailable: REASON.serverUnavailable,
  banned: REASON.banned,
} as const satisfies Record<string, ReasonCode>;
