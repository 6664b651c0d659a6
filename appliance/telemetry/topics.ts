/** Where a node stands in the topics: `{net}` (8 hex digits) and `{node}`. */
export type NodeName = { readonly network: string; readonly node: string };

/** `bizra/v1/{net}/node/{node}/{word}`. */
export function nodeTopic({ network, node }: NodeName, word: string): string {
  return `bizra/v1/${network}/node/${node}/${word}`;
}

/** What an event is about: the third-last word of its topic. */
export type EventCategory = "validation" | "consensus" | "block" | "transaction" | "network";

/** `bizra/v1/{net}/events/{category}/{node}`. */
export function eventTopic({ network, node }: NodeName, category: EventCategory): string {
  return `bizra/v1/${network}/events/${category}/${node}`;
}
