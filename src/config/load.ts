import { readFileSync, statSync } from "node:fs";
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
  if (given) return ok(given);
  if (passphraseFile === "") return ok(undefined);
  const path = isAbsolute(passphraseFile) ? passphraseFile : join(home, passphraseFile);
  const fault = (expected: string, got: string, remedy: string) =>
    err({ place: { kind: "file", path }, key: "keys.passphraseFile", expected, got, remedy } as const);
  const text = readText(path);
  if (!text.ok) return fault("a readable file", text.error, "create it, or correct keys.passphraseFile");
  if (text.value === undefined) return fault("a file", "nothing", "create it, or correct keys.passphraseFile");
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) return fault("a file readable by its owner alone", `mode ${mode.toString(8)}`, `run chmod 600 ${path}`);
  const passphrase = text.value.replace(/\r?\n$/, "");
  return passphrase === "" ? fault("a passphrase", "an empty file", "write the passphrase into it") : ok(passphrase);
}

/** Where an aggregator's database and bus are, as the environment says; these addresses may carry passwords. */
export function findServiceUrls(
  environment: Sources["environment"] = process.env,
): Readonly<Record<"database" | "bus", string | undefined>> {
  const named = (name: string): string | undefined => environment[`BIZRA_AGGREGATOR_${name}`] || undefined;
  return { database: named("DATABASE"), bus: named("BUS") };
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
