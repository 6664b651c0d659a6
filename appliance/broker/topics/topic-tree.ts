import { assert } from "../../../src/kernel/index.ts";

type TopicNode<T> = {
  readonly children: Map<string, TopicNode<T>>;
  /** Whether no level leads here. */
  readonly isRoot: boolean;
  /** Of the topic that ends here. */
  value: T | undefined;
};

/**
 * Topic names as a tree of their levels, to find all that a filter matches: the mirror image of `SubscriptionTree`. Bounded by
 * its owner.
 */
export class TopicTree<T> {
  readonly #root: TopicNode<T> = { children: new Map(), isRoot: true, value: undefined };

  /** Puts a value at a topic, in place of what is there. */
  set(topic: readonly string[], value: T): void {
    let node = this.#root;
    for (const level of topic) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = { children: new Map(), isRoot: false, value: undefined };
        node.children.set(level, child);
      }
      node = child;
    }
    node.value = value;
  }

  /** Takes the value of a topic away, with the branches that lead to nothing else. */
  remove(topic: readonly string[]): void {
    const path: TopicNode<T>[] = [this.#root];
    for (const level of topic) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path.at(-1);
    assert(last !== undefined && path.length === topic.length + 1, "a path has a node for each level");
    last.value = undefined;
    for (let depth = topic.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.value !== undefined || node.children.size > 0) break;
      path[depth - 1]?.children.delete(topic[depth - 1] ?? "");
    }
  }

  /** Visits the values of all topics that the filter's levels match. Wildcards in front match no `$` topic. @see MQTT-4.7.2-1 */
  match(filter: readonly string[], visit: (value: T) => void): void {
    visitTopics(this.#root, filter, 0, visit);
  }
}

function visitTopics<T>(node: TopicNode<T>, filter: readonly string[], depth: number, visit: (value: T) => void): void {
  const level = filter[depth];
  if (level === undefined || level === "#") {
    if (node.value !== undefined) visit(node.value);
    if (level === undefined) return;
  }
  if (level !== "+" && level !== "#") {
    const child = node.children.get(level);
    if (child !== undefined) visitTopics(child, filter, depth + 1, visit);
    return;
  }
  // `#` stays the level to match all the way down.
  const next = level === "#" ? depth : depth + 1;
  for (const [name, child] of node.children) {
    if (node.isRoot && name.startsWith("$")) continue;
    visitTopics(child, filter, next, visit);
  }
}
