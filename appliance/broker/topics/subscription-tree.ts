import { assert } from "../../../src/kernel/index.ts";

type TreeNode<T> = {
  readonly children: Map<string, TreeNode<T>>;
  /** Of the filter that ends here. */
  readonly values: Map<string, T>;
};

/**
 * Topic filters as a tree of their levels, to find all that match a topic without looking at the others. Bounded by its
 * owner, who bounds what is added: a filter adds at most its own levels, and takes them away when it goes.
 */
export class SubscriptionTree<T> {
  readonly #root: TreeNode<T> = newNode();
  #size = 0;

  /** Values held. */
  get size(): number {
    return this.#size;
  }

  /** Puts a value under a filter's levels and a key, in place of what is there. */
  set(levels: readonly string[], key: string, value: T): void {
    let node = this.#root;
    for (const level of levels) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode();
        node.children.set(level, child);
      }
      node = child;
    }
    if (!node.values.has(key)) this.#size++;
    node.values.set(key, value);
  }

  /** The value under exactly these levels and this key. */
  find(levels: readonly string[], key: string): T | undefined {
    let node: TreeNode<T> | undefined = this.#root;
    for (const level of levels) node = node?.children.get(level);
    return node?.values.get(key);
  }

  /** Takes a value away, with the branches that lead to nothing else; false when there is none. */
  remove(levels: readonly string[], key: string): boolean {
    const path: TreeNode<T>[] = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return false;
      path.push(child);
    }
    if (path.at(-1)?.values.delete(key) !== true) return false;
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.values.size > 0 || node.children.size > 0) break;
      path[depth - 1]?.children.delete(levels[depth - 1] ?? "");
    }
    this.#size--;
    assert(this.#size >= 0, "no more values are taken away than were put");
    return true;
  }

  /** Visits the values of all filters that match the topic. */
  match(topic: readonly string[], visit: (value: T) => void): void {
    // Wildcards in front match no topic that begins with `$` (MQTT-4.7.2-1).
    visitMatches(this.#root, topic, 0, topic[0]?.startsWith("$") === true, visit);
  }
}

function visitMatches<T>(node: TreeNode<T>, topic: readonly string[], depth: number, isReserved: boolean, visit: (value: T) => void): void {
  const mayUseWildcards = depth > 0 || !isReserved;
  if (mayUseWildcards) for (const value of node.children.get("#")?.values.values() ?? []) visit(value);
  const level = topic[depth];
  if (level === undefined) {
    for (const value of node.values.values()) visit(value);
    return;
  }
  const exact = node.children.get(level);
  if (exact !== undefined) visitMatches(exact, topic, depth + 1, isReserved, visit);
  const single = mayUseWildcards ? node.children.get("+") : undefined;
  if (single !== undefined) visitMatches(single, topic, depth + 1, isReserved, visit);
}

function newNode<T>(): TreeNode<T> {
  return { children: new Map(), values: new Map() };
}
