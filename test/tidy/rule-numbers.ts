import type { Finding } from "./finding.ts";
import type { TextFile } from "./sizes.ts";
import type { SourceModule } from "./source-module.ts";

/** Where the rules R0, R1 ... of the consensus and J1, J2 ... of its journal are specified. */
export const SPECIFICATION = "docs/consensus.md";

const RULE = /(?<![\w-])[RJ]\d{1,2}(?![\w])/g;

/**
 * The rules that the specification states are the rules that comments of src/ refer to and that test/rules/ tests by
 * number, so that each can be followed from the text to the code to its proof.
 */
export function checkRuleNumbers(specification: TextFile, modules: readonly SourceModule[]): Finding[] {
  const stated = rulesIn([specification.text]);
  const coded = rulesIn(modules.filter(({ path }) => path.startsWith("src/")).flatMap(({ comments }) => comments.map(({ body }) => body)));
  const tested = rulesIn(modules.filter(({ path }) => path.startsWith("test/rules/")).map(({ text }) => text));
  return [
    ...missing(stated, coded, specification.path, "is stated here, but no comment of src/ refers to it"),
    ...missing(stated, tested, specification.path, "is stated here, but test/rules/ has no test of it"),
    ...missing(coded, stated, "src", `is referred to, but ${specification.path} does not state it`),
    ...missing(tested, stated, "test/rules", `is tested, but ${specification.path} does not state it`),
  ];
}

function rulesIn(texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => [...text.matchAll(RULE)].map(([rule]) => rule)));
}

function missing(wanted: ReadonlySet<string>, present: ReadonlySet<string>, path: string, complaint: string): Finding[] {
  return [...wanted]
    .filter((rule) => !present.has(rule))
    .sort()
    .map((rule) => ({ path, line: 0, message: `rule ${rule} ${complaint}` }));
}
