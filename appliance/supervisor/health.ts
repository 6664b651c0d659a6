/** What a node says of itself in `GET /api/v2/status`, as far as health goes by it. */
export type NodeWord = {
  readonly role: string;
  readonly height: number;
  readonly syncState: string;
  /** Its clock when it answered, as text. Two answers of a loop that moves differ in it. */
  readonly time: string;
};

/** What one look at the node brought; undefined: it did not answer in time, or not as a node does. */
export type HealthAnswers = {
  /** Whether `GET /livez` said yes. */
  readonly isLive: boolean | undefined;
  readonly word: NodeWord | undefined;
};

/** A judgement of the node. */
export type HealthVerdict = {
  /** Its loop moves and it does what a node does, or says what it waits for: a restart would not make it better. */
  readonly isHealthy: boolean;
  /** It validates or follows the chain, or fetches what it lacks of it: the bar that an update must clear. */
  readonly isWorking: boolean;
  /** One sentence part for people. */
  readonly detail: string;
};

/** What the states of a node mean; one that is not listed comes from another release and counts as sick. */
const SYNC_STATES: Readonly<Record<string, { readonly isWorking: boolean; readonly detail: string }>> = {
  synced: { isWorking: true, detail: "level with the chain" },
  catchingUp: { isWorking: true, detail: "catching up with the chain" },
  recovering: { isWorking: true, detail: "asking the other validators before it votes" },
  // Alive on purpose, and a restart changes nothing: only another release does.
  outdated: { isWorking: false, detail: "too old for the chain: it waits for an update" },
};

/**
 * Judges a node by what it answered just now. Silence is never health, and neither is an answer that was there before.
 *
 * @param previous its last word, to see that its loop moves
 */
export function judgeHealth(previous: NodeWord | undefined, { isLive, word }: HealthAnswers): HealthVerdict {
  const sick = (detail: string): HealthVerdict => ({ isHealthy: false, isWorking: false, detail });
  if (isLive === undefined) return sick("it does not answer");
  if (!isLive) return sick("it answers that it does not work");
  if (word === undefined) return sick("it answers, but not what it is doing");
  if (previous !== undefined && previous.time === word.time) return sick("it gives the same answer again: its loop stands still");
  const known = Object.hasOwn(SYNC_STATES, word.syncState) ? SYNC_STATES[word.syncState] : undefined;
  if (known === undefined) return sick(`it says "${word.syncState.slice(0, 40)}", which is no state of a node`);
  return { isHealthy: true, isWorking: known.isWorking, detail: `${known.detail} at height ${word.height}` };
}
