/**
 * Bytes by name, for what is large and is never changed in place: parts of snapshots, manifests, bundles.
 *
 * Names: 1-512 of a-z 0-9 . _ - in parts between slashes; another name rejects with `WrongObjectName`, which is the caller's
 * mistake. Everything else that rejects is a failure of the store and carries a `code`: of the system, of S3, or `http`.
 */
export interface ObjectStore {
  /** `files`, `s3` or `aggregator`, for logs. */
  readonly kind: string;
  /** Durable when it resolves; an object of that name is replaced whole. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** The bytes, or undefined when there is no such object. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Some of an object's bytes, `to` excluded; fewer where it ends before; undefined when there is no such object. */
  getPart(name: string, from: number, to: number): Promise<Uint8Array | undefined>;
  /** Names that begin with a prefix, in order, after a name. */
  list(prefix: string, after: string, limit: number): Promise<readonly ObjectEntry[]>;
  /** Removes an object; one that is not there is no error. */
  delete(name: string): Promise<void>;
  /** Lets go of connections. */
  close(): Promise<void>;
}

/** An object as a list has it. */
export type ObjectEntry = { readonly name: string; readonly sizeBytes: number };

/** Whether an error is a failure of a store of objects, as opposed to a defect: it then carries a code. */
export function isObjectsFault(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
