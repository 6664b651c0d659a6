import { assert } from "../../src/kernel/index.ts";
import { KEPT_MODULES } from "./kept-modules.ts";

/** What each kernel module needs loaded first, by paths below the modules' folder, in the order to load from the end. */
export type ModuleNeeds = ReadonlyMap<string, readonly string[]>;

/** Reads modules.dep, which depmod writes: "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz ...". */
export function parseModuleNeeds(text: string): ModuleNeeds {
  const needs = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    const [path, rest] = line.split(":");
    if (path && rest !== undefined) needs.set(path, rest.split(" ").filter(Boolean));
  }
  return needs;
}

/** A module's name as the kernel spells it: "dm_verity" for kernel/drivers/md/dm-verity.ko.xz. */
export function moduleName(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
}

/**
 * The modules of these names with all that they need, in an order in which each can be loaded. Names that this kernel has no
 * module for are left out: what is a module in one kernel is built into another.
 */
export function modulesToLoad(needs: ModuleNeeds, names: readonly string[]): readonly string[] {
  const byName = new Map([...needs.keys()].map((path) => [moduleName(path), path]));
  const order: string[] = [];
  const add = (path: string): void => {
    if (!order.includes(path)) order.push(path);
  };
  for (const name of names) {
    const path = byName.get(name.replaceAll("-", "_"));
    if (path === undefined) continue;
    for (const needed of [...(needs.get(path) ?? [])].reverse()) add(needed);
    add(path);
  }
  assert(new Set(order).size === order.length, "a module is loaded once");
  return order;
}

/** The modules that an image keeps: those of the list and all that they need, wherever that is. */
export function modulesToKeep(needs: ModuleNeeds): ReadonlySet<string> {
  const isWanted = (path: string): boolean =>
    KEPT_MODULES.some((kept) => path.startsWith(`kernel/${kept}/`) || path.startsWith(`kernel/${kept}.ko`));
  return new Set([...needs].flatMap(([path, needed]) => (isWanted(path) ? [path, ...needed] : [])));
}
