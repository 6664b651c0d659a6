/**
 * Bytes by name, as the aggregator's object stores give them (the same shape as its `ObjectStore`, so that any of those
 * serves). Names: parts of a-z 0-9 . _ - with slashes between them.
 */
export interface ObjectStorePort {
  /** Durable when it resolves; an object of that name is replaced whole. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** The bytes, or undefined when there is no such object. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Names that begin with a prefix, in order, after a name. */
  list(prefix: string, after: string, limit: number): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
  /** Removes an object; one that is not there is no error. */
  delete(name: string): Promise<void>;
  /** Lets go of connections. */
  close(): Promise<void>;
}

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
