import { UsageError } from "./command.ts";

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time such as 30s, 15m, 24h or 90d, in ms, within bounds. */
export function parseDuration(text: string, name: string, minMs: number, maxMs: number): number {
  const match = /^([0-9]{1,9})([smhd])$/.exec(text);
  const unit = match?.[2];
  const ms = unit === "s" || unit === "m" || unit === "h" || unit === "d" ? Number(match?.[1]) * UNITS[unit] : Number.NaN;
  if (ms >= minMs && ms <= maxMs) return ms;
  const bounds = `from ${minMs / 1_000}s to ${Math.floor(maxMs / UNITS.d)}d`;
  throw new UsageError(`expected ${name} as a time such as 30s, 15m, 24h or 90d, ${bounds}, got ${JSON.stringify(text)}`);
}
