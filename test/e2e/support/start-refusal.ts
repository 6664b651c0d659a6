import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NodeProcess, type StartOptions } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** A line of a stack trace: a person who mends a home is not to read one. */
const STACK_TRACE = /\n\s+at .*(:\d+|\(native\))/;

/**
 * Starts a node that must not start and gives what is wrong with how it refuses: not in time, not with exit code 1,
 * not naming everything that it should, or with a stack trace. Empty when nothing is.
 *
 * @param says what its output has to say: what is wrong, where, and how to mend it
 */
export async function findRefusalFaults(
  place: Workplace,
  home: string,
  says: readonly (RegExp | string)[],
  options: StartOptions = {},
): Promise<string[]> {
  const node = place.keep(new NodeProcess(home, options));
  const ready = node.ready(20_000).then(
    () => true,
    () => false,
  );
  const hasStarted = await ready;
  if (hasStarted) {
    await node.kill();
    return [`it started: ${node.output.slice(0, 500)}`];
  }
  const code = await node.ended(20_000);
  const { output } = node;
  const faults = says
    .filter((word) => (typeof word === "string" ? !output.includes(word) : !word.test(output)))
    .map((word) => `does not say ${word}`);
  if (code !== 1) faults.push(`exit code ${code}`);
  if (STACK_TRACE.test(output)) faults.push("prints a stack trace");
  return faults.length === 0 ? [] : [...faults, output.slice(0, 800)];
}

/** Changes a text file. */
export function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (after === before) throw new Error(`the edit of ${path} changes nothing`);
  writeFileSync(path, after);
}

/** Marks a database as written by a later release. */
export function raiseDatabaseVersion(path: string): void {
  const database = new Database(path);
  database.run("PRAGMA user_version = 999");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/** Marks the first segment of a record log as written by a later release: version at byte 8, header hash at byte 112. */
export function raiseLogVersion(directory: string): void {
  const [segment] = readdirSync(directory)
    .filter((name) => name.endsWith(".seg"))
    .sort();
  if (segment === undefined) throw new Error(`no segment in ${directory}`);
  const content = readFileSync(join(directory, segment));
  content.writeUInt32BE(999, 8);
  createHash("sha256").update(content.subarray(0, 112)).digest().copy(content, 112);
  writeFileSync(join(directory, segment), content);
}
