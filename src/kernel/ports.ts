/** Wall and monotonic time. The real one lives in node/ports.ts, the simulator has its own. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back; not comparable across processes. */
  monotonicMs(): number;
}

/** Stops a timer that has not fired; harmless afterwards. */
export type CancelTimer = () => void;

/** One-shot timers. */
export interface Timers {
  /** Runs `action` once after at least `delayMs`. */
  after(delayMs: number, action: () => void): CancelTimer;
}

/** Randomness for keys, salts and jitter; never for anything hashed or agreed. */
export interface Entropy {
  /** `count` unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

/** Values a log line may carry; never a key, passphrase or token. */
export type LogFields = Readonly<Record<string, string | number | boolean | bigint | undefined>>;

/** Structured log: a stable event name in dotted lower case, then fields. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** A log that keeps nothing, for tests and tools. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
