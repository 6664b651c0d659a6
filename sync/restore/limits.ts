/** Bounds of what is read from an object store. */
export const BACKUP_LIMITS = {
  manifestBytesMax: 1024 * 1024,
  /** Bytes of an object with a part: its encryption may make it a little longer than the part. */
  objectBytesMax: 4 * 1024 * 1024 + 64 * 1024,
  /** The proof, then the parts of the state. */
  objectsMax: 4_097,
  configurationBytesMax: 64 * 1024,
  recipientsMax: 4,
} as const;
