/** Bounds of every outside encoding. A bound is part of the format: raising one is a protocol version. */
export const LIMITS = {
  /** Bytes of one COSE_Sign1 transaction. */
  transactionBytesMax: 16_384,
  /** Transactions in one batch. */
  batchTransactionsMax: 2_048,
  /** Bytes of one encoded batch. */
  batchBytesMax: 256 * 1024,
  /** Bytes of one block with its parts (its batches and certificates); genesis may set less. */
  blockBytesMax: 1024 * 1024,
  /** Transactions in one block; genesis may set less. */
  blockTransactionsMax: 4_096,
  /** Batch digests in one block. */
  blockBatchesMax: 1_024,
  /** Pieces of evidence in one block. */
  blockEvidenceMax: 16,
  /** Bytes of one piece of evidence: the largest transaction of a batch, with what proves that its author signed it. */
  evidenceBytesMax: 17_408,
  /** Members of a validator set. */
  validatorsMax: 128,
  /** Validators that are or may come into a set. */
  registryMax: 512,
  /** Parts of one bond that unbond at the same time. */
  bondTranchesMax: 8,
  /** Parameters changed by vote, and approved changes that wait. */
  parametersMax: 128,
  /** Bytes of a parameter's name. */
  parameterNameBytesMax: 64,
  /** How many epochs ahead a key or a parameter may be made to take effect. */
  epochsAheadMax: 1_024,
  /** Validator keys that one block takes in: each costs a scalar multiplication. */
  blockKeysMax: 64,
  /** Proposals open at the same time. */
  openProposalsMax: 64,
  /** Bytes of a validator's endpoint. */
  endpointBytesMax: 128,
  /** Bytes of a validator's metadata. */
  metadataBytesMax: 256,
  /** How far beyond the next expected nonce a transaction may lie. */
  nonceGapMax: 1_024n,
  /** Bytes of an anchor's inline data. */
  anchorBytesMax: 4_096,
  /** Bytes of a transfer's memo. */
  memoBytesMax: 64,
  /** Bytes of an anchor's stream name. */
  streamBytesMax: 64,
  /** Bytes of a device's label. */
  labelBytesMax: 64,
  /** Bytes of a genesis document. */
  genesisBytesMax: 16 * 1024 * 1024,
} as const;

/** Largest unsigned 64-bit integer; the bound of every amount. */
export const U64_MAX = (1n << 64n) - 1n;
