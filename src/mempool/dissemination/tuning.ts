/** The paces and bounds of dissemination; nodes may differ in them. Times in milliseconds, sizes in bytes. */
export type DisseminationTuning = {
  /** What became durable within so long goes into one announcement. */
  readonly announceDelayMs: number;
  /** What is not executed is announced again after this to those not known to hold it, doubling up to 16 times it. */
  readonly reannounceMs: number;
  /** Between two announcements of a page to one peer. */
  readonly pageIntervalMs: number;
  /** First wait for a batch that was asked for; doubles up to 8 times this. */
  readonly pullTimeoutMs: number;
  /** A pull waits longer by what runs from the same peer at this rate. */
  readonly pullBytesPerSecondMin: number;
  /** Pulls that run at a time: in all and from one peer, in batches and bytes. */
  readonly pullsMax: number;
  readonly pullSizeBytesMax: number;
  readonly peerPullsMax: number;
  readonly peerPullSizeBytesMax: number;
  /** Announced digests that are not held here, all members together; each has an equal share. */
  readonly wantsMax: number;
  /** Digests that blocks need, and how long after it was last asked for one is given up. */
  readonly neededMax: number;
  readonly neededForMs: number;
  /** Unsuccessful pulls after which an announced batch is forgotten until it is announced again. */
  readonly attemptsMax: number;
  /** Answers to one peer: bytes a second, and digests waiting for their turn; beyond it they are answered as absent. */
  readonly answerBytesPerSecond: number;
  readonly answersWaitingMax: number;
  /** Digests taken from one peer's messages: a second, and at once; messages beyond it are dropped. */
  readonly digestsPerSecond: number;
  readonly digestsBurst: number;
  /** Digests remembered as executed or faulty, and as asked for once, so that late news of them costs nothing. */
  readonly endedCountMax: number;
};

const MEBIBYTE = 1024 * 1024;

/** Boxes on one local network. */
export const LAN_DISSEMINATION: DisseminationTuning = {
  announceDelayMs: 1,
  reannounceMs: 2_000,
  pageIntervalMs: 100,
  pullTimeoutMs: 1_000,
  pullBytesPerSecondMin: MEBIBYTE,
  pullsMax: 128,
  pullSizeBytesMax: 4 * MEBIBYTE,
  peerPullsMax: 32,
  peerPullSizeBytesMax: 2 * MEBIBYTE,
  wantsMax: 16_384,
  neededMax: 4_096,
  neededForMs: 60_000,
  attemptsMax: 8,
  answerBytesPerSecond: 64 * MEBIBYTE,
  answersWaitingMax: 256,
  digestsPerSecond: 4_096,
  digestsBurst: 16_384,
  endedCountMax: 16_384,
};

/** Boxes spread over the internet. */
export const WAN_DISSEMINATION: DisseminationTuning = {
  ...LAN_DISSEMINATION,
  announceDelayMs: 5,
  reannounceMs: 5_000,
  pullTimeoutMs: 2_000,
  pullBytesPerSecondMin: 64 * 1024,
  peerPullSizeBytesMax: MEBIBYTE,
  answerBytesPerSecond: 2 * MEBIBYTE,
};
