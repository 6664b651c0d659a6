import type { Node } from "oxc-parser";
import type { Finding } from "./finding.ts";
import type { SourceModule } from "./source-module.ts";

/** Words that say nothing about what a thing does. */
const EMPTY_WORDS: ReadonlySet<string> = new Set([
  "manager",
  "managers",
  "helper",
  "helpers",
  "util",
  "utils",
  "utility",
  "utilities",
  "common",
  "misc",
]);
/** Words that say nothing as the name of a file or a type; a local value may well be called data. */
const EMPTY_TYPE_WORDS: ReadonlySet<string> = new Set([...EMPTY_WORDS, "data", "info"]);

/** Files and folders are kebab-case, with dotted suffixes such as .test or .worker, and none has an empty name. */
export function checkPaths(paths: readonly string[]): Finding[] {
  return paths.flatMap((path) =>
    path.split("/").flatMap((segment) => {
      const bare = segment.replace(/^\./, "");
      if (/\.[cm]?[jt]sx?$/.test(segment) && !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/.test(bare)) {
        return [{ path, line: 0, message: `"${segment}" is not kebab-case` }];
      }
      const empty = bare.split(/[-.]/).find((word) => EMPTY_TYPE_WORDS.has(word.toLowerCase()));
      return empty === undefined ? [] : [{ path, line: 0, message: `"${empty}" says nothing in a name; say what it decides or holds` }];
    }),
  );
}

/** What a file declares at its top carries no empty word. */
export function checkDeclaredNames(modules: readonly SourceModule[]): Finding[] {
  return modules.flatMap(({ path, lineOf, statements }) =>
    statements.flatMap(declaredNames).flatMap(({ name, isType, start }) => {
      const empty = wordsOf(name).find((word) => (isType ? EMPTY_TYPE_WORDS : EMPTY_WORDS).has(word));
      return empty === undefined
        ? []
        : [{ path, line: lineOf(start), message: `"${empty}" in ${name} says nothing; say what it decides or holds` }];
    }),
  );
}

/** "aBlockManager" is a, block, manager. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[\s_$]+/);
}

type Declared = { readonly name: string; readonly isType: boolean; readonly start: number };

function declaredNames(statement: Node): Declared[] {
  switch (statement.type) {
    case "ExportNamedDeclaration":
      return statement.declaration === null ? [] : declaredNames(statement.declaration);
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return statement.id === null ? [] : [{ name: statement.id.name, isType: false, start: statement.start }];
    case "ClassDeclaration":
      return statement.id === null ? [] : [{ name: statement.id.name, isType: true, start: statement.start }];
    case "TSTypeAliasDeclaration":
    case "TSInterfaceDeclaration":
      return [{ name: statement.id.name, isType: true, start: statement.start }];
    case "VariableDeclaration":
      return statement.declarations.flatMap(({ id, start }) => (id.type === "Identifier" ? [{ name: id.name, isType: false, start }] : []));
    default:
      return [];
  }
}
