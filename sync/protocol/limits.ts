/**
 * Bounds of the sync protocol, version 1. Both sides hold to them; what exceeds one is refused before it costs memory.
 */
export const SYNC_LIMITS = {
  /** Records in one batch. */
  batchRecordsMax: 500,
  /** Bytes of a batch's records once they are decompressed. */
  batchPlainBytesMax: 1_048_576,
  /** Bytes of a batch's records as they travel. */
  batchWireBytesMax: 262_144,
  /** Bytes of one record's body: the bound of the event log. */
  recordBytesMax: 16_384,
  /** Batches of one lane on their way without an acknowledgement. */
  inFlightMax: 4,
  /** Bytes of a signed note. */
  noteBytesMax: 4_096,
  /** Bytes of any message: a batch and what surrounds it. */
  messageBytesMax: 327_680,
  /** Bytes of a parcel of the vital lane that is kept for another node. */
  parcelBytesMax: 49_152,
  /** Incarnations of lanes that a hello lists. */
  lanesMax: 16,
  /** Codecs that a hello lists. */
  codecsMax: 8,
  /** Metrics in a heartbeat. */
  metricsMax: 128,
  /** Bytes of names: nodes, versions, metrics, codecs. */
  nameBytesMax: 64,
  /** Bytes of words for people. */
  detailBytesMax: 1_024,
} as const;

/** The version of the protocol that this release speaks. */
export const SYNC_VERSION = 1;
