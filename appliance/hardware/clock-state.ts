import type { ClockState } from "./types.ts";

/** What `chronyc -c tracking` prints in one line; undefined when it is something else. */
export function parseChrony(line: string): Pick<ClockState, "isSynchronized" | "errorMs"> | undefined {
  const fields = line.trim().split(",");
  // Reference, name, stratum, time, offset, last offset, RMS, frequency, residual, skew, root delay, root dispersion, interval, leap status
  if (fields.length !== 14) return undefined;
  const [offset, delay, dispersion] = [fields[4], fields[10], fields[11]].map(Number);
  const isSynchronized = fields[13] !== "Not synchronised";
  if (!isSynchronized || offset === undefined || delay === undefined || dispersion === undefined) return { isSynchronized };
  const errorMs = 1_000 * (Math.abs(offset) + delay / 2 + dispersion);
  return Number.isFinite(errorMs) ? { isSynchronized, errorMs: Number(errorMs.toFixed(3)) } : { isSynchronized };
}

/** What `timedatectl show` says of the kernel's clock; undefined when it says nothing. */
export function parseTimedatectl(text: string): boolean | undefined {
  const [, word] = /^NTPSynchronized=(yes|no)$/m.exec(text) ?? [];
  return word === undefined ? undefined : word === "yes";
}

/**
 * What systemd-timesyncd leaves in /run/systemd: a folder while it runs, and a file in it once it has set the clock.
 *
 * @param names in the folder of systemd
 * @param own in its own folder
 * @returns undefined where it does not run
 */
export function timesyncState(names: readonly string[], own: readonly string[]): boolean | undefined {
  return names.includes("timesync") ? own.includes("synchronized") : undefined;
}
