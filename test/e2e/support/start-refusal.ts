import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NodeEnded, type NodeProcess, type StartOptions } from "./node-process.ts";
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
  const node = place.launch(home, options);
  const code = await endOf(node);
  if (typeof code === "string") return [code, node.output.slice(-800)];
  const faults = findSilence(node.output, says);
  if (code !== 1) faults.push(`exit code ${code}`);
  if (STACK_TRACE.test(node.output)) faults.push("prints a stack trace");
  return faults.length === 0 ? [] : [...faults, node.output.slice(-800)];
}

/** Its exit code, or what it does instead of ending. */
async function endOf(node: NodeProcess): Promise<number | string> {
  try {
    await node.alive();
  } catch (error) {
    if (error instanceof NodeEnded) return error.code;
    await node.kill();
    return "it neither answers nor ends";
  }
  await node.kill();
  return "it started";
}

function findSilence(said: string, says: readonly (RegExp | string)[]): string[] {
  return says.filter((word) => (typeof word === "string" ? !said.includes(word) : !word.test(said))).map((word) => `does not say ${word}`);
}

/**
 * Starts a node whose journal is not what it should be and gives what is wrong with how it takes it (J7): it may refuse
 * to start, or run without voting; in both cases it has to say so. Empty when nothing is wrong.
 */
export async function findMutenessFaults(place: Workplace, home: string, says: readonly (RegExp | string)[]): Promise<string[]> {
  const node = place.launch(home);
  try {
    await node.alive();
  } catch (error) {
    if (!(error instanceof NodeEnded)) throw error;
    const faults = findSilence(error.output, says);
    return error.code === 1 ? faults : [`exit code ${error.code}`, ...faults];
  }
  const { status, json } = await node.request("/readyz");
  const { syncState } = await node.get("/api/v2/status");
  const code = await node.stop();
  const faults = findSilence(node.output, says);
  if (status !== 503 || syncState !== "recovering")
    faults.push(`answers ready with ${status} ${JSON.stringify(json)}, syncState ${String(syncState)}`);
  if (code !== 0) faults.push(`its stop ends with ${code}`);
  return faults.length === 0 ? [] : [...faults, node.output.slice(-800)];
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
