/**
 * Why a transaction is refused. Stable: devices and gateways act on these words.
 *
 * @see ledger: rejections; interface: codes with their HTTP status and MQTT reason
 */
export const REJECTION_CODES = [
  "malformed",
  "tooLarge",
  "badSignature",
  "unknownSender",
  "insufficientFunds",
  "feeTooLow",
  "expired",
  "validityTooLong",
  "nonceTooLow",
  "nonceTooHigh",
  "duplicate",
  "notAuthorized",
  "quotaExceeded",
  "mempoolFull",
  "syncing",
] as const;

/** One of the stable refusals. */
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** A refusal with a sentence for people: what was expected and what came. */
export type Rejection = { readonly code: RejectionCode; readonly detail: string };

/**
 * Result of an executed transaction, as its number in the receipt. Every one but `applied` paid its fee, raised the
 * nonce and changed nothing else. Numbers are part of the format and never reused.
 */
export const RECEIPT_CODES = {
  applied: 0,
  insufficientFunds: 1,
  notAuthorized: 2,
  alreadyRegistered: 3,
  notRegistered: 4,
  badProof: 5,
  balanceOverflow: 6,
  /** No parameter of this name, or a value outside its bounds. */
  invalidParameter: 7,
  /** No canonical key of the prime-order subgroup. */
  invalidKey: 8,
  /** A key that signs or signed for a validator; none is used twice. */
  keyUsed: 9,
  /** Asked of a validator that has announced to leave. */
  validatorExiting: 10,
  /** Nothing, or less than one share of the stake. */
  amountTooSmall: 11,
  /** A bound of this release is reached: parts that unbond, validators, open proposals, new keys of one block. */
  limitReached: 12,
  /** Not the number that follows the key's before. */
  wrongTerm: 13,
  /** An epoch that has begun already, or lies too far ahead. */
  wrongEpoch: 14,
  /** Every validator of the sender has given this vote before. */
  alreadyVoted: 15,
  /** Evidence that convicts nobody. */
  invalidEvidence: 16,
  /** The validator was convicted for this epoch before. */
  alreadyConvicted: 17,
} as const;

/** Name of a receipt's result. */
export type ReceiptCode = keyof typeof RECEIPT_CODES;

/** Name of a receipt's result number, or undefined when it has none. */
export function findReceiptCode(value: number): ReceiptCode | undefined {
  return RECEIPT_CODE_NAMES[value];
}

const RECEIPT_CODE_NAMES = Object.keys(RECEIPT_CODES) as readonly ReceiptCode[];
