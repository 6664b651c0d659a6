/** Every bound of the broker. docs/broker.md says what happens at each. */
export interface BrokerLimits {
  /** Connections at a time, and of one address. */
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** New connections of one address: so many at once, and so many a second after that. */
  readonly connectBurst: number;
  readonly connectsPerSecond: number;
  /** From a connection to its CONNECT, and for authentication. */
  readonly connectTimeoutMs: number;
  /** Bytes of one packet, header included, from and to clients. */
  readonly packetBytesMax: number;
  /** Bytes of the first packet: a stranger's CONNECT. */
  readonly connectPacketBytesMax: number;
  /** Bytes of packets that are not whole yet, of all clients; beyond, whoever adds to more than 4 KiB of its own is ended. */
  readonly partialBytesTotalMax: number;
  /** Publications of QoS 1 and 2 of one client that wait for their acknowledgement. */
  readonly receiveMaximum: number;
  /** Publications of QoS 1 and 2 to one client that wait for its acknowledgement, whatever more it allows. */
  readonly inflightMax: number;
  /** Topic aliases that a client may set, and that the broker sets for it, at most. */
  readonly topicAliasMax: number;
  /** Longest keep alive, in seconds; a client that asks for more, or none, is given this one. */
  readonly keepAliveSecondsMax: number;
  /** Longest life of a session without a connection, in seconds; also of a 3.1.1 session that is not clean. */
  readonly sessionExpirySecondsMax: number;
  /** Sessions, connected or not; of all, and of one principal under whatever client ids. */
  readonly sessionsMax: number;
  readonly sessionsPerPrincipalMax: number;
  /** UTF-8 bytes of a client id. */
  readonly clientIdBytesMax: number;
  /** UTF-8 bytes and levels of a topic name or filter. */
  readonly topicBytesMax: number;
  readonly topicLevelsMax: number;
  /** Subscriptions of one client, and of all. */
  readonly subscriptionsPerClientMax: number;
  readonly subscriptionsMax: number;
  /** Messages and bytes that wait for one client. */
  readonly queuedCountMax: number;
  readonly queuedBytesMax: number;
  /** Bytes that wait for all clients, beside 4 KiB of each; a message that waits for many counts for each. */
  readonly queuedBytesTotalMax: number;
  /** Retained messages and their bytes. */
  readonly retainedCountMax: number;
  readonly retainedBytesMax: number;
  /** Answers (PINGRESP, PUBACK ...) written to a client that does not read, before its own packets are no longer read. */
  readonly blockedControlBytesMax: number;
  /** How long a client may leave what its transport holds for it, before it is ended. */
  readonly stuckTimeoutMs: number;
  /** Longest wait of an acknowledgement for others to be committed with it. */
  readonly commitLingerMs: number;
  /** Between two rounds of `$SYS`; 0: none. */
  readonly sysIntervalMs: number;
}

/** Bounds for a small box. */
export const DEFAULT_LIMITS: BrokerLimits = {
  connectionsMax: 10_000,
  connectionsPerAddressMax: 2_000,
  connectBurst: 500,
  connectsPerSecond: 200,
  connectTimeoutMs: 10_000,
  packetBytesMax: 1024 * 1024,
  connectPacketBytesMax: 64 * 1024,
  partialBytesTotalMax: 64 * 1024 * 1024,
  receiveMaximum: 1_024,
  inflightMax: 64,
  topicAliasMax: 32,
  keepAliveSecondsMax: 3_600,
  sessionExpirySecondsMax: 7 * 86_400,
  sessionsMax: 20_000,
  sessionsPerPrincipalMax: 1_000,
  clientIdBytesMax: 128,
  topicBytesMax: 1_024,
  topicLevelsMax: 32,
  subscriptionsPerClientMax: 100,
  subscriptionsMax: 100_000,
  queuedCountMax: 1_000,
  queuedBytesMax: 1024 * 1024,
  queuedBytesTotalMax: 64 * 1024 * 1024,
  retainedCountMax: 10_000,
  retainedBytesMax: 16 * 1024 * 1024,
  blockedControlBytesMax: 64 * 1024,
  stuckTimeoutMs: 60_000,
  commitLingerMs: 2,
  sysIntervalMs: 10_000,
};
