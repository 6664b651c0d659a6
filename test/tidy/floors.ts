import { posix } from "node:path";
import type { Finding } from "./finding.ts";
import { AREAS, type Area, FRONT_DOORS, OUTSIDE_DOORS, PRODUCT_FOLDERS, SIDEWAYS } from "./layout.ts";
import type { SourceModule } from "./source-module.ts";

/** The area that holds a path: the one with the longest folder. */
export function areaOf(path: string): Area | undefined {
  return AREAS.filter(({ folder }) => path === folder || path.startsWith(`${folder}/`)).sort(
    (a, b) => b.folder.length - a.folder.length,
  )[0];
}

/** Whether a path belongs to the product. */
export function isProduct(path: string): boolean {
  return PRODUCT_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
}

/** Product files import their own area, or the front door of an area on a lower floor. */
export function checkFloors(modules: readonly SourceModule[]): Finding[] {
  return modules.filter(({ path }) => isProduct(path)).flatMap(checkModule);
}

function checkModule({ path, imports }: SourceModule): Finding[] {
  const area = areaOf(path);
  if (area === undefined) return [{ path, line: 0, message: "no area of test/tidy/layout.ts holds this file; give its folder a floor" }];
  return imports.flatMap(({ specifier, line }) => {
    const target = resolveImport(path, specifier);
    if (target === undefined) return [];
    const problem = problemOf(area, target);
    return problem === undefined ? [] : [{ path, line, message: `imports ${target}: ${problem}` }];
  });
}

function problemOf(area: Area, target: string): string | undefined {
  const other = areaOf(target);
  if (other === area) return undefined;
  if (other === undefined) {
    if (OUTSIDE_DOORS.some(({ from, to }) => from === area.folder && to === target)) return undefined;
    // Texts of the repository, such as package.json, belong to no floor; code outside every area does not exist for the product.
    return isProduct(target) || /\.[cm]?[jt]sx?$/.test(target) ? "the product imports nothing but its own areas" : undefined;
  }
  if (area.only !== undefined && !area.only.includes(other.folder)) return `${area.folder} imports only ${area.only.join(", ")}`;
  const isSideways = SIDEWAYS.some(({ fromFloor, to }) => fromFloor === area.floor && to === other.folder && area.folder !== to);
  if (other.floor === area.floor && !isSideways)
    return `${area.folder} and ${other.folder} share floor ${area.floor}; they meet in a higher one`;
  if (other.floor > area.floor) return `${other.folder} stands on floor ${other.floor}, ${area.folder} on floor ${area.floor}`;
  const doors = FRONT_DOORS[other.folder] ?? ["index.ts"];
  if (!doors.some((door) => target === `${other.folder}/${door}`)) return `other areas enter ${other.folder} by ${doors.join(" or ")}`;
  return undefined;
}

/** The path a relative import leads to, or undefined for a package or a module of the runtime. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(from), specifier)) : undefined;
}

/** No file imports itself through others, types included: a cycle has no order to read it in. */
export function checkCycles(modules: readonly SourceModule[]): Finding[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const finished = new Set<string>();
  const trail: string[] = [];
  const findings: Finding[] = [];
  const visit = (module: SourceModule): void => {
    trail.push(module.path);
    for (const { specifier, line } of module.imports) {
      const target = resolveImport(module.path, specifier);
      if (target === undefined || finished.has(target)) continue;
      const at = trail.indexOf(target);
      const next = byPath.get(target);
      if (at !== -1)
        findings.push({ path: module.path, line, message: `closes a circle of imports: ${[...trail.slice(at), target].join(" -> ")}` });
      else if (next !== undefined) visit(next);
    }
    trail.pop();
    finished.add(module.path);
  };
  for (const module of modules) if (!finished.has(module.path)) visit(module);
  return findings;
}

/** Every area that is a folder under src/ has a front door whose first words say what it is for. */
export function checkFrontDoors(modules: readonly SourceModule[]): Finding[] {
  const folders = new Set(
    modules.map(({ path }) => areaOf(path)?.folder).filter((folder) => folder !== undefined && !folder.endsWith(".ts")),
  );
  return [...folders].sort().flatMap((folder) => {
    const path = `${folder}/index.ts`;
    const door = modules.find((module) => module.path === path);
    if (door === undefined) return [{ path, line: 0, message: "is missing: it is the area's front door" }];
    return door.text.startsWith("/**")
      ? []
      : [{ path, line: 1, message: "begins with a doc comment: what the area is for, its invariants, what it never does" }];
  });
}
