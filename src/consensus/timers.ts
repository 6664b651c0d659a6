/**
 * The clocks of agreement, all in milliseconds. They decide speed, never safety, so nodes may differ in them.
 *
 * @see consensus Timers
 */
export type TimerProfile = {
  /** No proposal sooner after the one before. */
  readonly minimumBlockIntervalMs: number;
  /** From arming a view: a valid proposal is there, or NULLIFY. */
  readonly proposalDeadlineMs: number;
  /** From arming a view: it is certified, or NULLIFY; also the age at which an unfinalized notarization is work. */
  readonly certificationDeadlineMs: number;
  /** Both deadlines grow by this factor per nullified view since the last finalization... */
  readonly deadlineGrowth: number;
  /** ...up to this. A public network without a cap reached timers of more than an hour. */
  readonly deadlineCapMs: number;
  readonly nullifyRetryMs: number;
  /** Without finalization for so long while there is work: send what we have (R9c). */
  readonly standstillMs: number;
  /** First wait for an answer to a fetch, a hello or a recovery request; doubles up to eight times this. */
  readonly fetchTimeoutMs: number;
  /** How far a header's time may lie ahead of ours (R16). */
  readonly clockDriftMs: number;
  /** An idle chain makes a block after so long. */
  readonly heartbeatMs: number;
  /** A new certificate is forwarded after one to one and a half times this to peers not known to be past it (R9a). */
  readonly forwardDelayMs: number;
  /** Refill of each peer's budget for answers, bytes per second (R9). */
  readonly answerBytesPerSecond: number;
};

/** Boxes on one local network. */
export const LAN_TIMERS: TimerProfile = {
  minimumBlockIntervalMs: 100,
  proposalDeadlineMs: 400,
  certificationDeadlineMs: 800,
  deadlineGrowth: 1.5,
  deadlineCapMs: 10_000,
  nullifyRetryMs: 1_000,
  standstillMs: 3_000,
  fetchTimeoutMs: 1_000,
  clockDriftMs: 1_000,
  heartbeatMs: 60_000,
  forwardDelayMs: 200,
  answerBytesPerSecond: 4 * 1024 * 1024,
};

/** Boxes spread over the internet or on flash, where fewer and larger blocks spare the disk. */
export const WAN_TIMERS: TimerProfile = {
  minimumBlockIntervalMs: 500,
  proposalDeadlineMs: 1_200,
  certificationDeadlineMs: 2_000,
  deadlineGrowth: 1.5,
  deadlineCapMs: 30_000,
  nullifyRetryMs: 3_000,
  standstillMs: 10_000,
  fetchTimeoutMs: 2_000,
  clockDriftMs: 5_000,
  heartbeatMs: 300_000,
  forwardDelayMs: 1_000,
  answerBytesPerSecond: 256 * 1024,
};

/** A deadline grown for this many nullified views since the last finalization, capped. */
export function grownDeadlineMs(timers: TimerProfile, baseMs: number, nullifiedViews: number): number {
  return Math.min(baseMs * timers.deadlineGrowth ** nullifiedViews, Math.max(baseMs, timers.deadlineCapMs));
}
