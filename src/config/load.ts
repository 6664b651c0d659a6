import { existsSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parse, TomlError } from "smol-toml";
import { err, ok, type Result } from "../kernel/index.ts";
import type { ConfigurationFault } from "./fault.ts";
import { type DocumentSource, type ResolvedConfiguration, resolveConfiguration, type Sources } from "./resolve.ts";

/** Name of the configuration file in a node's home. */
export const CONFIGURATION_FILE = "node.toml";

/** Bytes of a configuration or passphrase file; more is not one. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Where a node's configuration comes from. */
export type LoadRequest = {
  /** Directory of the node; `node.toml` in it is read when present. */
  readonly home: string;
  /** Flags by name without dashes; they override everything. */
  readonly flags: Readonly<Record<string, string>>;
  /** Environment to read in place of the process's own. */
  readonly environment?: Sources["environment"];
};

/** Reads `node.toml`, the environment and the flags of a node and checks them. All faults are reported together. */
export function loadConfiguration(request: LoadRequest): Result<ResolvedConfiguration, readonly ConfigurationFault[]> {
  const document = readDocument(join(request.home, CONFIGURATION_FILE));
  if (!document.ok) return err([document.error]);
  return resolveConfiguration({
    ...(document.value ? { document: document.value } : {}),
    environment: request.environment ?? process.env,
    flags: request.flags,
  });
}

/**
 * The home that `BIZRA_HOME` names, or undefined when it is unset or empty.
 *
 * @param environment to read in place of the process's own
 */
export function findHome(environment: Sources["environment"] = process.env): string | undefined {
  return environment["BIZRA_HOME"] || undefined;
}

/**
 * The passphrase of a node's keys: `BIZRA_PASSPHRASE` when set, else the content of the configured file without its
 * final line break; undefined when neither is given. A file that others can read is refused.
 */
export function loadPassphrase(
  home: string,
  passphraseFile: string,
  environment: Sources["environment"] = process.env,
): Result<string | undefined, ConfigurationFault> {
  const given = environment["BIZRA_PASSPHRASE"];
  return given ? ok(given) : readSecret(home, passphraseFile, "keys.passphraseFile", "a passphrase");
}

/**
 * NAME:SECRET with which objects are reached: `BIZRA_OBJECTS_CREDENTIALS` when set, else the content of the configured file;
 * undefined when neither is given. A file that others can read is refused.
 */
export function loadObjectCredentials(
  home: string,
  credentialsFile: string,
  environment: Sources["environment"] = process.env,
): Result<string | undefined, ConfigurationFault> {
  const given = environment["BIZRA_OBJECTS_CREDENTIALS"];
  return given ? ok(given) : readSecret(home, credentialsFile, "backup.credentialsFile", "NAME:SECRET");
}

/** The token that a node enrols with, from its file; undefined when there is none (any more). */
export function loadEnrolmentToken(home: string, tokenFile: string): Result<string | undefined, ConfigurationFault> {
  const path = isAbsolute(tokenFile) ? tokenFile : join(home, tokenFile);
  return existsSync(path) ? readSecret(home, tokenFile, "sync.enrolTokenFile", "a token") : ok(undefined);
}

/** What a file of one secret holds, without its final line break; undefined when no file is named. */
function readSecret(home: string, file: string, key: string, what: string): Result<string | undefined, ConfigurationFault> {
  if (file === "") return ok(undefined);
  const path = isAbsolute(file) ? file : join(home, file);
  const fault = (expected: string, got: string, remedy: string) =>
    err({ place: { kind: "file", path }, key, expected, got, remedy } as const);
  const text = readText(path);
  if (!text.ok) return fault("a readable file", text.error, `create it, or correct ${key}`);
  if (text.value === undefined) return fault("a file", "nothing", `create it, or correct ${key}`);
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) return fault("a file readable by its owner alone", `mode ${mode.toString(8)}`, `run chmod 600 ${path}`);
  const secret = text.value.replace(/\r?\n$/, "");
  return secret === "" ? fault(what, "an empty file", `write ${what} into it`) : ok(secret);
}

/** Where an aggregator's database, bus and objects are, as the environment says; these addresses may carry passwords. */
export function findServiceUrls(
  environment: Sources["environment"] = process.env,
): Readonly<Record<"database" | "bus" | "objects", string | undefined>> {
  const named = (name: string): string | undefined => environment[`BIZRA_AGGREGATOR_${name}`] || undefined;
  return { database: named("DATABASE"), bus: named("BUS"), objects: named("OBJECTS") };
}

/** What systemd says to the process that it starts, by its environment; the watchdog's time in ms, when this process is the one watched. */
export function findSystemd(
  environment: Sources["environment"] = process.env,
  pid: number = process.pid,
): { readonly socket: string | undefined; readonly watchdogMs: number | undefined } {
  const microseconds = Number(environment["WATCHDOG_USEC"] || Number.NaN);
  const isWatched = microseconds > 0 && (environment["WATCHDOG_PID"] || String(pid)) === String(pid);
  return { socket: environment["NOTIFY_SOCKET"] || undefined, watchdogMs: isWatched ? microseconds / 1_000 : undefined };
}

/** What systemd meant for the process that it started alone, and what would change how Bun starts in a child. */
const NOT_FOR_CHILDREN = /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|BUN_OPTIONS|BUN_BE_BUN)$/;

/** The environment for a child of a supervised process. */
export function environmentForChild(environment: Sources["environment"] = process.env): Record<string, string> {
  const kept = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || NOT_FOR_CHILDREN.test(name) ? [] : [[name, value] as const],
  );
  return Object.fromEntries(kept);
}

function readDocument(path: string): Result<DocumentSource | undefined, ConfigurationFault> {
  const text = readText(path);
  if (!text.ok)
    return err({
      place: { kind: "file", path },
      expected: "a readable file",
      got: text.error,
      remedy: "correct its permissions, or remove it",
    });
  if (text.value === undefined) return ok(undefined);
  try {
    return ok({ path, text: text.value, document: parse(text.value, { integersAsBigInt: false, unsafeKeyBehaviour: "throw" }) });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error; // a TomlError is how the parser reports text that is not TOML
    const reason = error.message.split("\n")[0] ?? "";
    return err({
      place: { kind: "file", path, line: error.line },
      expected: "TOML",
      got: `${reason.replace("Invalid TOML document: ", "")} at column ${error.column}`,
      remedy: "correct the line",
    });
  }
}

/** Text of a file, undefined when there is none; the error is what stands in the way. */
function readText(path: string): Result<string | undefined, string> {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX) return err(`${size} bytes, more than ${FILE_BYTES_MAX}`);
    return ok(readFileSync(path, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === "ENOENT") return ok(undefined);
    if (code === "EACCES" || code === "EISDIR" || code === "ENOTDIR" || code === "EPERM" || code === "EIO") return err(code);
    throw error;
  }
}
