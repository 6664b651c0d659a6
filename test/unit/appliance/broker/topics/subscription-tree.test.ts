import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SubscriptionTree } from "../../../../../appliance/broker/topics/subscription-tree.ts";
import { filterMatches, isTopicName, parseTopicFilter } from "../../../../../appliance/broker/topics/topic-rules.ts";
import { TopicTree } from "../../../../../appliance/broker/topics/topic-tree.ts";

const BOUNDS = { topicBytesMax: 64, topicLevelsMax: 6 };
const level = fc.constantFrom("a", "b", "", "$a");
const topics = fc.array(level, { minLength: 1, maxLength: 4 });
const filters = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "", "$a", "+"), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => (isOpen ? [...levels, "#"] : levels));

describe("broker: the tree of filters", () => {
  test("broker tree: any filters put and taken away, a topic finds exactly those that match one by one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(filters, fc.constantFrom("k1", "k2"), fc.boolean()), { maxLength: 24 }),
        fc.array(topics, { minLength: 1, maxLength: 8 }),
        (steps, asked) => {
          const tree = new SubscriptionTree<string>();
          const model = new Map<string, readonly string[]>();
          for (const [filter, key, isPut] of steps) {
            const value = `${key} ${filter.join("/")}`;
            if (isPut) tree.set(filter, key, value);
            else expect(tree.remove(filter, key)).toBe(model.has(value));
            if (isPut) model.set(value, filter);
            else model.delete(value);
            expect(tree.find(filter, key)).toBe(isPut ? value : undefined);
          }
          expect(tree.size).toBe(model.size);
          for (const topic of asked) {
            const found: string[] = [];
            tree.match(topic, (value) => found.push(value));
            const wanted = [...model].filter(([, filter]) => filterMatches(filter, topic)).map(([value]) => value);
            expect(found.toSorted()).toEqual(wanted.toSorted());
          }
          for (const [value, filter] of model) tree.remove(filter, value.slice(0, 2));
          expect([tree.size, JSON.stringify(tree)]).toEqual([0, JSON.stringify(new SubscriptionTree())]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("broker tree: any topics put and taken away, a filter finds exactly those that match one by one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(topics, fc.boolean()), { maxLength: 24 }),
        fc.array(filters, { minLength: 1, maxLength: 8 }),
        (steps, asked) => {
          const tree = new TopicTree<string>();
          const model = new Map<string, readonly string[]>();
          for (const [topic, isPut] of steps) {
            const value = `=${topic.join("/")}`;
            if (isPut) tree.set(topic, value);
            else tree.remove(topic);
            if (isPut) model.set(value, topic);
            else model.delete(value);
          }
          for (const filter of asked) {
            const found: string[] = [];
            tree.match(filter, (value) => found.push(value));
            const wanted = [...model].filter(([, topic]) => filterMatches(filter, topic)).map(([value]) => value);
            expect(found.toSorted()).toEqual(wanted.toSorted());
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("broker rules: [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.2-1] the specification's own examples", () => {
    const examples: readonly (readonly [string, string, boolean])[] = [
      ["sport/tennis/player1/#", "sport/tennis/player1", true],
      ["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
      ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
      ["sport/#", "sport", true],
      ["sport/tennis/+", "sport/tennis/player1", true],
      ["sport/tennis/+", "sport/tennis/player1/ranking", false],
      ["sport/+", "sport", false],
      ["sport/+", "sport/", true],
      ["+/+", "/finance", true],
      ["/+", "/finance", true],
      ["+", "/finance", false],
      ["#", "$SYS/monitor/Clients", false],
      ["+/monitor/Clients", "$SYS/monitor/Clients", false],
      ["$SYS/#", "$SYS/monitor/Clients", true],
      ["$SYS/monitor/+", "$SYS/monitor/Clients", true],
      ["ACCOUNTS", "Accounts", false],
    ];
    for (const [filter, topic, isMatch] of examples) expect(filterMatches(filter.split("/"), topic.split("/"))).toBe(isMatch);
  });

  test("broker rules: names and filters, within bounds counted in UTF-8 bytes and levels", () => {
    for (const name of ["a", "/", "a/b", "a b", "Ä".repeat(32), "a/b/c/d/e/f"]) expect(isTopicName(name, BOUNDS)).toBe(true);
    for (const name of ["", "a/+", "#", "Ä".repeat(33), "x".repeat(65), "a/b/c/d/e/f/g"]) expect(isTopicName(name, BOUNDS)).toBe(false);
    for (const filter of ["#", "+", "a/+/b", "+/#", "/", "$share/g/#", "$share/g//", "$shared/x", "$share"]) {
      expect(parseTopicFilter(filter, BOUNDS).ok).toBe(true);
    }
    for (const filter of [
      "",
      "a#",
      "#/a",
      "a/b+",
      "$share/",
      "$share/g",
      "$share/g/",
      "$share//a",
      "$share/g+/a",
      "$share/#/a",
      "$share/g/a#",
    ]) {
      expect(parseTopicFilter(filter, BOUNDS).ok).toBe(false);
    }
    expect(parseTopicFilter("$share/g/a/+", BOUNDS)).toMatchObject({ value: { group: "g", inner: "a/+", levels: ["a", "+"] } });
  });
});
