import { err, ok, type Result } from "../../../src/kernel/index.ts";

/** Bounds on topic names and filters. */
export interface TopicBounds {
  /** UTF-8 bytes. */
  readonly topicBytesMax: number;
  readonly topicLevelsMax: number;
}

/** A topic filter, taken apart. */
export interface TopicFilter {
  /** As the client wrote it. */
  readonly text: string;
  /** What is matched: without `$share/{group}/`. */
  readonly inner: string;
  readonly levels: readonly string[];
  /** Name of the group of a shared subscription. */
  readonly group?: string;
}

/** Whether the text is a topic name to publish to: not empty, no wildcards, within the bounds. @see MQTT-3.3.2-2, MQTT-4.7.3-1 */
export function isTopicName(topic: string, bounds: TopicBounds): boolean {
  return isWithin(topic, bounds) && !topic.includes("+") && !topic.includes("#");
}

/**
 * Takes a filter apart: wildcards stand alone in their level, `#` only in the last; a shared subscription names a group and a
 * filter. @see MQTT-4.7.1-1, -2, -3, MQTT-4.8.2-1, -2
 */
export function parseTopicFilter(text: string, bounds: TopicBounds): Result<TopicFilter, "filterInvalid"> {
  if (!isWithin(text, bounds)) return err("filterInvalid");
  const share = text.startsWith("$share/") ? /^\$share\/([^/+#]+)\/(.+)$/s.exec(text) : undefined;
  if (share === null) return err("filterInvalid");
  const inner = share?.[2] ?? text;
  const levels = inner.split("/");
  for (const [at, level] of levels.entries()) {
    if (level === "+" || (level === "#" && at === levels.length - 1)) continue;
    if (level.includes("+") || level.includes("#")) return err("filterInvalid");
  }
  const group = share?.[1];
  return ok({ text, inner, levels, ...(group === undefined ? {} : { group }) });
}

/** Whether the filter's levels match the topic: the rule itself, for one pair. Wildcards in front match no `$` topic. @see MQTT-4.7.2-1 */
export function filterMatches(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith("$") && (filter[0] === "+" || filter[0] === "#")) return false;
  for (const [at, level] of filter.entries()) {
    if (level === "#") return true;
    if (at >= topic.length || (level !== "+" && level !== topic[at])) return false;
  }
  return filter.length === topic.length;
}

function isWithin(text: string, { topicBytesMax, topicLevelsMax }: TopicBounds): boolean {
  if (text.length === 0 || text.length > topicBytesMax) return false;
  if (3 * text.length > topicBytesMax && Buffer.byteLength(text) > topicBytesMax) return false;
  let levels = 1;
  for (let at = text.indexOf("/"); at >= 0; at = text.indexOf("/", at + 1)) levels++;
  return levels <= topicLevelsMax;
}
