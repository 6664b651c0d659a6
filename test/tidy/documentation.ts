import type { Node } from "oxc-parser";
import type { Finding } from "./finding.ts";
import type { SourceModule } from "./source-module.ts";

/** Every declaration that a file exports has a doc comment directly above. */
export function checkDocumentedExports(modules: readonly SourceModule[]): Finding[] {
  return modules.flatMap((module) => {
    const documented = new Set<string>();
    return module.statements.flatMap((statement) => {
      if (statement.type !== "ExportNamedDeclaration" || statement.source !== null) return [];
      const line = module.lineOf(statement.start);
      const { declaration } = statement;
      if (declaration === null) {
        return [
          {
            path: module.path,
            line,
            message: "exports something declared elsewhere in the file; write `export` and the doc comment at the declaration",
          },
        ];
      }
      const name = exportedName(declaration);
      if (hasDocComment(module, statement.start)) documented.add(name);
      // One comment serves all signatures of an overloaded function.
      return documented.has(name) ? [] : [{ path: module.path, line, message: `${name} has no doc comment directly above` }];
    });
  });
}

function exportedName(declaration: Node): string {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.map(({ id }) => (id.type === "Identifier" ? id.name : "a pattern")).join(", ");
  }
  return "id" in declaration && declaration.id !== null && declaration.id.type === "Identifier" ? declaration.id.name : declaration.type;
}

/** Whether a doc comment ends right before an offset, with nothing but white space between. */
function hasDocComment({ text, comments }: SourceModule, start: number): boolean {
  const above = comments.findLast((comment) => comment.end <= start);
  return above?.isBlock === true && above.body.startsWith("*") && text.slice(above.end, start).trim() === "";
}
