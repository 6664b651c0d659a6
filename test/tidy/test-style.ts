import type { Node } from "oxc-parser";
import { isAllowed } from "./containment.ts";
import type { Finding } from "./finding.ts";
import { type SourceModule, walk } from "./source-module.ts";

/** Where waiting for real time is part of what is proved: processes, networks, long trials. */
const MAY_WAIT = ["test/integration/", "test/e2e/", "test/bench/", "test/soak/"];

/** Tests say what they prove, all of them run, and none waits for time to pass. */
export function checkTests(modules: readonly SourceModule[]): Finding[] {
  return modules.filter(({ path }) => path.startsWith("test/")).flatMap((module) => [...checkCalls(module), ...checkWaiting(module)]);
}

function checkCalls(module: SourceModule): Finding[] {
  const findings: Finding[] = [];
  for (const statement of module.statements) {
    walk(statement, (node) => {
      const message = objectionToCall(node);
      if (message !== undefined) findings.push({ path: module.path, line: module.lineOf(node.start), message });
    });
  }
  return findings;
}

function objectionToCall(node: Node): string | undefined {
  if (node.type === "MemberExpression" && node.object.type === "Identifier" && ["test", "it", "describe"].includes(node.object.name)) {
    const modifier = node.property.type === "Identifier" ? node.property.name : "";
    if (modifier === "only") return "`.only` leaves the other tests out";
    if (modifier === "todo") return "a test to be written is an issue, not a test";
  }
  if (node.type !== "CallExpression" || node.callee.type !== "Identifier" || !["test", "it"].includes(node.callee.name)) return undefined;
  const [title] = node.arguments;
  if (title?.type !== "Literal" || typeof title.value !== "string") return undefined;
  return /^[^:]+: \S/.test(title.value)
    ? undefined
    : `the title "${title.value}" does not begin with its area, as in "area: condition, outcome"`;
}

function checkWaiting({ path, uses }: SourceModule): Finding[] {
  if (isAllowed(path, MAY_WAIT)) return [];
  return uses
    .filter(({ name }) => ["setTimeout", "Bun.sleep", "Bun.sleepSync"].includes(name))
    .map(({ name, line }) => ({ path, line, message: `${name}: a test waits for what happens, or drives a clock of its own` }));
}
