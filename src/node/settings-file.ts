import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../../sync/agent/index.ts";
import { changeNodeToml, formatFault, loadConfiguration, renderNodeToml } from "../config/index.ts";
import { HOME } from "./home.ts";

/** Sets values in a home's node.toml, made when there is none; gives why not, and then it is as it was. */
export function changeSettings(home: string, values: Readonly<Record<string, string>>): string | undefined {
  const path = join(home, HOME.configuration);
  const before = readConfiguration(path);
  const after = before === undefined ? renderNodeToml(values) : changeNodeToml(before, values);
  if (after === before) return undefined;
  writeWhole(path, after);
  const loaded = loadConfiguration({ home, flags: {} });
  if (loaded.ok) return undefined;
  if (before !== undefined) writeWhole(path, before);
  return `${path} could not be changed (${loaded.error.map(formatFault).join("; ")})`;
}

function readConfiguration(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
