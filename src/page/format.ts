/** A length of time, in its two greatest units: `4 s`, `1 min 5 s`, `3 d 2 h`. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 1) return ms < 1 ? "0 s" : `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** A count of bytes with three digits: `1.23 MB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

/** A whole number with thin groups. */
export function countText(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
}

/** A figure by what the end of its name says it counts. */
export function figureText(name: string, value: number): string {
  if (/bytes$/i.test(name)) return bytesText(value);
  if (/ms$/i.test(name)) return Math.abs(value) >= 10_000 ? durationText(value) : `${Number(value.toPrecision(3))} ms`;
  if (/seconds$/i.test(name)) return durationText(value * 1_000);
  if (/percent$/i.test(name)) return `${Number(value.toFixed(1))} %`;
  if (/celsius$/i.test(name)) return `${Number(value.toFixed(1))} \u00b0C`;
  if (/^(is|has)[A-Z]/.test(name)) return value === 1 ? "yes" : "no";
  return Number.isInteger(value) ? countText(value) : String(Number(value.toPrecision(3)));
}

/** `heapUsedBytes` as `heap used`: words without the unit. */
export function figureName(name: string): string {
  return name.replace(/(Bytes|Ms|Seconds|Percent|Celsius)$/, "").replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A time of day and date as one line, in UTC, without milliseconds. */
export function momentText(rfc3339: string): string {
  return rfc3339.replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/** The first eight digits of something in hex. */
export function shortHex(hex: string): string {
  return hex.slice(0, 8);
}
