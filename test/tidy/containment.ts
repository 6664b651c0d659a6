import type { Finding } from "./finding.ts";
import { isProduct } from "./floors.ts";
import { CONTAINMENTS, type Containment } from "./layout.ts";
import type { SourceModule } from "./source-module.ts";

/** Outside capabilities are touched only where the table of layout.ts says. */
export function checkContainment(modules: readonly SourceModule[]): Finding[] {
  return modules
    .filter(({ path }) => isProduct(path))
    .flatMap((module) => CONTAINMENTS.filter(({ allowed }) => !isAllowed(module.path, allowed)).flatMap((rule) => breaches(module, rule)));
}

function breaches({ path, imports, uses }: SourceModule, { what, modules = [], uses: names = [], allowed }: Containment): Finding[] {
  const touched = [
    ...imports
      .filter(({ specifier }) => modules.some((module) => matchesModule(specifier, module)))
      .map(({ specifier, line }) => ({ name: specifier, line })),
    ...uses.filter(({ name }) => names.some((contained) => name === contained || name.startsWith(`${contained}.`))),
  ];
  const lines = new Map(touched.toReversed().map(({ name, line }) => [line, name]));
  return [...lines]
    .map(([line, name]) => ({ path, line, message: `${name} is ${what}, contained in ${allowed.join(", ")}` }))
    .sort((a, b) => a.line - b.line);
}

function matchesModule(specifier: string, module: string): boolean {
  return module.endsWith("/*") ? specifier.startsWith(module.slice(0, -1)) : specifier === module;
}

/** Whether a path is one of the allowed ones, as the table of layout.ts spells them. */
export function isAllowed(path: string, allowed: readonly string[]): boolean {
  return allowed.some((pattern) => {
    const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
    return new RegExp(`^${source}${pattern.endsWith("/") ? "" : "$"}`).test(path);
  });
}
