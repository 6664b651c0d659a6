import { type Node, parseSync, visitorKeys } from "oxc-parser";
import { lineFinder } from "./lines.ts";

/** A source file, taken apart. Everything the checks ask is answered from here, without reading the text again. */
export type SourceModule = {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly statements: readonly Node[];
  readonly comments: readonly SourceComment[];
  readonly imports: readonly SourceImport[];
  readonly uses: readonly SourceUse[];
  /** The 1-based line of an offset into the text. */
  readonly lineOf: (offset: number) => number;
};

/** A comment, without its marks. */
export type SourceComment = {
  readonly isBlock: boolean;
  readonly body: string;
  readonly start: number;
  readonly end: number;
  readonly line: number;
};

/** One mention of another module: an import, a re-export, a dynamic import or the URL of a worker. */
export type SourceImport = { readonly specifier: string; readonly line: number };

/**
 * One use of something from outside the file: a global with what is read from it ("Date.now"), or an imported name as
 * "module#name". `new Date()` and `Date()` without arguments read the clock and have names of their own.
 */
export type SourceUse = { readonly name: string; readonly line: number };

/**
 * Parses TypeScript or JavaScript text.
 *
 * @throws Error when the text has a syntax error
 */
export function parseModule(path: string, text: string): SourceModule {
  const parsed = parseSync(path, text);
  const [problem] = parsed.errors;
  if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
  const lineOf = lineFinder(text);
  const imports: SourceImport[] = [];
  const bindings = new Map<string, string>();
  const uses: SourceUse[] = [];
  walk(parsed.program, (node, parent) => {
    const line = lineOf(node.start);
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line });
    if (node.type === "ImportDeclaration") collectBindings(node, bindings);
    for (const name of namesUsed(node, parent)) uses.push({ name, line });
  });
  return {
    path,
    text,
    statements: parsed.program.body,
    comments: parsed.comments.map(({ type, value, start, end }) => ({
      isBlock: type === "Block",
      body: value,
      start,
      end,
      line: lineOf(start),
    })),
    imports,
    uses: uses.map(({ name, line }) => ({ name: throughBindings(name, bindings), line })),
    lineOf,
  };
}

/** Visits a node and everything below it, parents first. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  visit(node, parent);
  for (const key of visitorKeys[node.type] ?? []) {
    const below: unknown = Reflect.get(node, key);
    for (const child of Array.isArray(below) ? below : [below]) if (isNode(child)) walk(child, visit, node);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return node.source.value;
    case "ExportNamedDeclaration":
      return node.source?.value;
    case "ImportExpression":
    case "TSImportType":
      return node.source.type === "Literal" && typeof node.source.value === "string" ? node.source.value : undefined;
    case "NewExpression": {
      // new URL("./x.worker.ts", import.meta.url): how a worker or an embedded file is named.
      const [first, second] = node.arguments;
      const isModuleUrl = node.callee.type === "Identifier" && node.callee.name === "URL" && second?.type === "MemberExpression";
      return isModuleUrl && first?.type === "Literal" && typeof first.value === "string" ? first.value : undefined;
    }
    default:
      return undefined;
  }
}

function collectBindings(node: Extract<Node, { type: "ImportDeclaration" }>, bindings: Map<string, string>): void {
  for (const specifier of node.specifiers) {
    const imported =
      specifier.type === "ImportSpecifier"
        ? `#${specifier.imported.type === "Literal" ? specifier.imported.value : specifier.imported.name}`
        : "";
    bindings.set(specifier.local.name, `${node.source.value}${imported}`);
  }
}

/** What a node itself uses, by the names written in the file. */
function namesUsed(node: Node, parent: Node | undefined): string[] {
  if (node.type === "Identifier" && isLabel(node, parent)) return [];
  if (node.type === "VariableDeclarator" && node.id.type === "ObjectPattern" && node.init !== null) {
    const base = dottedName(node.init);
    if (base === undefined) return [];
    return node.id.properties.flatMap((property) =>
      property.type === "Property" && property.key.type === "Identifier" ? [`${base}.${property.key.name}`] : [],
    );
  }
  if (
    (node.type === "NewExpression" || node.type === "CallExpression") &&
    node.arguments.length === 0 &&
    dottedName(node.callee) === "Date"
  ) {
    return [node.type === "NewExpression" ? "new Date()" : "Date()"];
  }
  const name = dottedName(node);
  return name === undefined ? [] : [name];
}

/** Whether an identifier only names a member or a key, and so refers to nothing. */
function isLabel(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  return (
    "key" in parent && parent.key === node && !("computed" in parent && parent.computed) && !("shorthand" in parent && parent.shorthand)
  );
}

/** "a.b.c" of a plain chain of names; a computed step with a literal counts as a name. */
function dottedName(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MetaProperty") return `${node.meta.name}.${node.property.name}`;
  if (node.type !== "MemberExpression") return undefined;
  const base = dottedName(node.object);
  if (base === undefined) return undefined;
  if (node.property.type === "Identifier" && !node.computed) return `${base}.${node.property.name}`;
  return node.property.type === "Literal" ? `${base}.${node.property.value}` : undefined;
}

/** Replaces a leading local name by what it was imported as, and drops a leading globalThis. */
function throughBindings(name: string, bindings: ReadonlyMap<string, string>): string {
  const [head = "", ...rest] = name.split(".");
  if (head === "globalThis" && rest.length > 0) return rest.join(".");
  const imported = bindings.get(head);
  if (imported === undefined) return name;
  if (imported.startsWith("node:process#")) return [imported.replace("node:process#", "process."), ...rest].join(".");
  if (imported.includes("#") || rest.length === 0) return [imported, ...rest].join(".");
  const [member, ...further] = rest;
  if (imported === "node:process") return ["process", ...rest].join(".");
  return [`${imported}#${member}`, ...further].join(".");
}
