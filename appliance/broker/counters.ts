/** What the broker counts, for metrics and `$SYS`; only ever grows. */
export interface Counters {
  connectsAccepted: number;
  connectsRefused: number;
  protocolFaults: number;
  packetsReceived: number;
  packetsSent: number;
  bytesReceived: number;
  bytesSent: number;
  publishesReceived: number;
  publishesSent: number;
  /** Messages that found no room in a session's queue, or gave it up for a shorter one. */
  droppedQueueFull: number;
  /** Messages larger than their receiver takes. */
  droppedTooLarge: number;
  /** Publications refused by access rules, bounds or an intake. */
  publishesRefused: number;
  submissions: number;
  /** Clients ended because they took nothing for too long. */
  stuckClosed: number;
  keepAliveExpired: number;
  takeOvers: number;
}

/** All at zero. */
export function newCounters(): Counters {
  return {
    connectsAccepted: 0,
    connectsRefused: 0,
    protocolFaults: 0,
    packetsReceived: 0,
    packetsSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    publishesReceived: 0,
    publishesSent: 0,
    droppedQueueFull: 0,
    droppedTooLarge: 0,
    publishesRefused: 0,
    submissions: 0,
    stuckClosed: 0,
    keepAliveExpired: 0,
    takeOvers: 0,
  };
}
