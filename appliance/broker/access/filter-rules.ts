/** A topic or filter is at most this long here; the protocol itself allows 65,535 bytes. */
export const FILTER_LENGTH_MAX = 512;

/**
 * Whether every topic that `asked` can match is matched by `allowed` too, so that somebody who may read `allowed` may
 * subscribe to `asked`. Both are topic filters; a topic is a filter that matches itself. Wildcards of the first level do
 * not reach topics that begin with `$`.
 *
 * @see MQTT 5.0 section 4.7
 */
export function covers(allowed: string, asked: string): boolean {
  const allowedLevels = allowed.split("/");
  const askedLevels = asked.split("/");
  if (askedLevels[0]?.startsWith("$") && (allowedLevels[0] === "#" || allowedLevels[0] === "+")) return false;
  for (const [place, level] of allowedLevels.entries()) {
    if (level === "#") return true; // "a/#" takes in "a" itself, which ends the loop below
    const other = askedLevels[place];
    if (other === undefined || other === "#") return false;
    if (level !== "+" && level !== other) return false;
  }
  return askedLevels.length === allowedLevels.length;
}

/** As `covers`, where "a/#" also takes in "a" (section 4.7.1.2). */
export function coversWithParent(allowed: string, asked: string): boolean {
  return covers(allowed, asked) || (allowed.endsWith("/#") && covers(allowed.slice(0, -2), asked));
}

/** Whether text is a well-formed filter: wildcards stand alone in their level, `#` only at the end. */
export function isFilter(text: string): boolean {
  if (text === "" || text.length > FILTER_LENGTH_MAX || text.includes("\0")) return false;
  const levels = text.split("/");
  return levels.every(
    (level, place) => level === "+" || (level === "#" && place === levels.length - 1) || !(level.includes("+") || level.includes("#")),
  );
}

/** Whether text is a topic that can be published to: a filter without wildcards. */
export function isTopic(text: string): boolean {
  return isFilter(text) && !/[+#]/.test(text);
}

/** The filter inside a shared subscription `$share/{group}/{filter}`, else the filter itself. */
export function withoutShare(filter: string): string {
  const match = /^\$share\/[^/+#]+\/(.+)$/s.exec(filter);
  return match?.[1] ?? filter;
}
