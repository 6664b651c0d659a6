/** Where a record lies, to read it back without searching. Its owner stores all four numbers. */
export interface Location {
  /** Position of the record in the log, from 0, without gaps. */
  readonly index: number;
  /** Number of the segment. */
  readonly segment: number;
  /** Offset of its frame in the segment, in bytes. */
  readonly offset: number;
  /** Bytes of its body. */
  readonly length: number;
}

/** A segment as an open log knows it. */
export interface Segment {
  readonly number: number;
  readonly firstIndex: number;
  /** Bytes up to the end of its last frame on disk. */
  sizeBytes: number;
}
