import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MEDIUM } from "../../../appliance/provisioning/index.ts";
import { ENROLMENT_FILES } from "../../../sync/agent/index.ts";
import { HOME } from "../../node/index.ts";
import { isJson } from "../client.ts";
import { PROVISIONING_RECORD } from "./provisioning.ts";

/** Texts of a box that must never leave it, as they are now: what a bundle is checked against. */
export function secretsOf(home: string, medium: string, others: readonly (string | undefined)[]): readonly string[] {
  const at = (name: string): string => textOf(join(home, name));
  const plans = [at(PROVISIONING_RECORD), ...[MEDIUM.document, ...MEDIUM.leftovers].map((name) => textOf(join(medium, name)))];
  const tokens = plans.flatMap((text) => [...text.matchAll(/"token"\s*:\s*"([^"]+)"/g)].map(([, token]) => token));
  const pem = /-----BEGIN PRIVATE KEY-----([^-]+)/.exec(at(ENROLMENT_FILES.bundle))?.[1] ?? "";
  const found = [at(HOME.passphrase), ...tokens, ...pem.split("\n"), ...sealedTexts(join(home, "keys")), ...others];
  return found.flatMap((text) => (text === undefined || text.trim() === "" ? [] : [text]));
}

/** What is sealed in key files, and what it is sealed with: everything long in them but public keys. */
function sealedTexts(folder: string): readonly string[] {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return names.flatMap((name) => longTexts(parsed(textOf(join(folder, name)))));
}

function longTexts(value: unknown): readonly string[] {
  if (typeof value === "string") return value.length >= 16 ? [value] : [];
  return isJson(value) ? Object.entries(value).flatMap(([name, inner]) => (/public/i.test(name) ? [] : longTexts(inner))) : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a damaged file seals nothing
    return undefined;
  }
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
