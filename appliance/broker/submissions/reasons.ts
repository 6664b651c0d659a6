import type { RejectionCode } from "../../../src/protocol/index.ts";

/** How MQTT tells a refusal. */
export type Reason = {
  /** Reason code of PUBACK and PUBREC. */
  readonly code: number;
  /** Whether the same bytes may be taken later: then an MQTT 3.1.1 client is cut off instead of being acknowledged. */
  readonly isRetryable: boolean;
};

/** Success. */
export const SUCCESS = 0x00;

/**
 * Reason of every refusal. `tooLarge` is a transaction beyond its limit and shares the code of the other verdicts, since
 * PUBACK knows no 0x95; a packet beyond `mqtt.packetBytesMax` is what 0x95 ends the connection for.
 *
 * @see interface: codes with their MQTT reason; MQTT 5.0 section 3.4.2.1
 */
export const REASONS = {
  malformed: { code: 0x99, isRetryable: false },
  tooLarge: { code: 0x83, isRetryable: false },
  badSignature: { code: 0x83, isRetryable: false },
  unknownSender: { code: 0x83, isRetryable: false },
  insufficientFunds: { code: 0x83, isRetryable: false },
  feeTooLow: { code: 0x83, isRetryable: false },
  expired: { code: 0x83, isRetryable: false },
  validityTooLong: { code: 0x83, isRetryable: false },
  nonceTooLow: { code: 0x83, isRetryable: false },
  nonceTooHigh: { code: 0x83, isRetryable: false },
  duplicate: { code: SUCCESS, isRetryable: false },
  notAuthorized: { code: 0x87, isRetryable: false },
  quotaExceeded: { code: 0x97, isRetryable: true },
  mempoolFull: { code: 0x97, isRetryable: true },
  syncing: { code: 0x97, isRetryable: true },
} as const satisfies Record<RejectionCode, Reason>;

/** When to come back after a retryable refusal that names no time. */
export const RETRY_AFTER_MS = 1_000;
