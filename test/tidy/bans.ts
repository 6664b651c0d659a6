import type { Node } from "oxc-parser";
import type { Finding } from "./finding.ts";
import { type SourceModule, walk } from "./source-module.ts";

/** Constructs that the house style does without, each with what it uses instead. */
export function checkConstructs(modules: readonly SourceModule[]): Finding[] {
  return modules.flatMap((module) => {
    const findings: Finding[] = [];
    for (const statement of module.statements) {
      walk(statement, (node) => {
        const message = objectionTo(node);
        if (message !== undefined) findings.push({ path: module.path, line: module.lineOf(node.start), message });
      });
    }
    return findings;
  });
}

function objectionTo(node: Node): string | undefined {
  switch (node.type) {
    case "TSAnyKeyword":
      return "`any` switches the types off; use `unknown` and narrow it";
    case "TSNonNullExpression":
      return "`!` hides an absent value; use present() or handle the absence";
    case "TSEnumDeclaration":
      return "an enum is more than types; use a union of literals or a const table";
    case "ExportDefaultDeclaration":
      return "a default export has no name; export by name";
    case "TSModuleDeclaration":
      return node.kind === "global" ? undefined : "a namespace is a module in a module; use a file";
    case "VariableDeclarator":
    case "PropertyDefinition":
      return "definite" in node && node.definite ? "`!:` promises a value nobody gave; initialize it" : undefined;
    default:
      return undefined;
  }
}

// Spelled in two parts, so that this file does not object to itself.
const UNFINISHED = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const SILENCER = new RegExp(`@ts-(${"ignore"}|${"nocheck"})`);

/** Comments neither announce work that is not done nor silence the type checker. */
export function checkComments(modules: readonly SourceModule[]): Finding[] {
  return modules.flatMap(({ path, comments }) =>
    comments.flatMap(({ body, line }) => {
      const found = UNFINISHED.exec(body) ?? SILENCER.exec(body);
      return found === null ? [] : [{ path, line, message: `"${found[0]}" in a comment: do it, or write it down as an issue` }];
    }),
  );
}
