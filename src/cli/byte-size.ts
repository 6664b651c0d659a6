import { UsageError } from "./command.ts";

const UNITS = { KiB: 1, MiB: 2, GiB: 3, TiB: 4 } as const;

/** A size such as 500MiB, 64GiB or 2TiB, in bytes, within bounds. */
export function parseByteSize(text: string, name: string, minBytes: number, maxBytes: number): number {
  const match = /^([0-9]{1,7})([KMGT]iB)$/.exec(text);
  const unit = match?.[2];
  const isUnit = unit === "KiB" || unit === "MiB" || unit === "GiB" || unit === "TiB";
  const bytes = isUnit ? Number(match?.[1]) * 1_024 ** UNITS[unit] : Number.NaN;
  if (bytes >= minBytes && bytes <= maxBytes) return bytes;
  const bounds = `from ${minBytes / 1_024 ** 2}MiB to ${Math.floor(maxBytes / 1_024 ** 4)}TiB`;
  throw new UsageError(`expected ${name} as a size such as 500MiB, 64GiB or 2TiB, ${bounds}, got ${JSON.stringify(text)}`);
}
