import type { Session, Subscription } from "../session/session.ts";

/** One session's part in a shared subscription. */
export interface GroupMember {
  readonly session: Session;
  readonly subscription: Subscription;
}

/**
 * The sessions that share one filter under one group name: each message goes to one of them, in turn. Those that can take it
 * now come first, then those connected, then those that come back.
 */
export class SharedGroup {
  readonly #members = new Map<string, GroupMember>();
  #turn = 0;

  /** Sessions in it. */
  get size(): number {
    return this.#members.size;
  }

  set(member: GroupMember): void {
    this.#members.set(member.session.clientId, member);
  }

  remove(clientId: string): void {
    this.#members.delete(clientId);
  }

  /** Whose turn it is; undefined without members. */
  pick(): GroupMember | undefined {
    const members = [...this.#members.values()];
    const willing = firstNotEmpty(
      members.filter(({ session: { link, outbox } }) => link?.isWritable === true && outbox.hasRoomInWindow),
      members.filter(({ session }) => session.link !== undefined),
      members,
    );
    if (willing.length === 0) return undefined;
    this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER;
    return willing[this.#turn % willing.length];
  }
}

function firstNotEmpty<T>(...lists: readonly (readonly T[])[]): readonly T[] {
  return lists.find((list) => list.length > 0) ?? [];
}
