import { expect, test } from "bun:test";
import fc from "fast-check";
import { coversWithParent, isFilter, isTopic, withoutShare } from "../../../../../appliance/broker/access/filter-rules.ts";

/** Whether a filter matches a topic, straight from section 4.7 and slowly. */
function matches(filter: string, topic: string): boolean {
  const pattern = filter
    .split("/")
    .map((level) => (level === "+" ? "[^/]*" : level === "#" ? ".*" : level.replace(/[$.*]/g, "\\$&")))
    .join("/")
    .replace(/\/\.\*$/, "(/.*)?");
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  return new RegExp(`^${pattern}$`, "s").test(topic);
}

const level = fc.constantFrom("a", "b", "", "$x");
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 0, maxLength: 3 }), fc.constantFrom("", "#", "a", "+"))
  .map(([levels, last]) => (last === "" && levels.length > 0 ? levels : [...levels, last]).join("/"))
  .filter(isFilter);

test("access: a filter that covers another, matches every topic that the other matches", () => {
  fc.assert(
    fc.property(filters, filters, topics, (allowed, asked, topic) => {
      if (!coversWithParent(allowed, asked) || !matches(asked, topic)) return;
      expect([allowed, asked, topic, matches(allowed, topic)]).toEqual([allowed, asked, topic, true]);
    }),
    { numRuns: 5_000 },
  );
});

test("access: a topic, covered by exactly the filters that match it", () => {
  fc.assert(
    fc.property(filters, topics.filter(isTopic), (allowed, topic) => {
      expect([allowed, topic, coversWithParent(allowed, topic)]).toEqual([allowed, topic, matches(allowed, topic)]);
    }),
    { numRuns: 5_000 },
  );
});

test("access: shares and ill-formed filters, told apart", () => {
  expect(withoutShare("$share/group/a/#")).toBe("a/#");
  expect(withoutShare("$share/group")).toBe("$share/group");
  expect(["a/#/b", "a#", "+a", "", "a\0b", "#", "+/a/#", "a//b"].map(isFilter)).toEqual([
    false,
    false,
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});
